#include "sim/client.h"

#include <algorithm>

namespace moldau::sim {
namespace {

constexpr env::Duration kPatience = milliseconds(1500);      // for a reply, beside what the broker may wait
constexpr env::Duration kCalmPatience = milliseconds(5000);  // when nothing fails any more

}  // namespace

Client::Client(World& world, std::string name)
    : world_(world), name_(std::move(name)), slow_(world.random.one_in(12)) {}

Client::~Client() { leave(); }

void Client::leave() {
  left_ = true;
  if (connection_) std::exchange(connection_, nullptr)->client_close();
}

void Client::after(env::Duration delay, std::function<void()> action) {
  world_.events.after(delay, [alive = std::weak_ptr<bool>(alive_), action = std::move(action)] {
    if (!alive.expired()) action();
  });
}

void Client::connect_soon() {
  if (connecting_ || connection_ || left_) return;
  connecting_ = true;
  after(microseconds(world_.random.between(200, 30'000)), [this] {
    connecting_ = false;
    if (left_ || connection_) return;
    connection_ = world_.connect(*this, slow_);
    if (!connection_) return connect_soon();
    connected();
  });
}

void Client::drop_connection() {
  if (!connection_) return;
  std::exchange(connection_, nullptr)->client_close();
  pending_.clear();
  disconnected();
  connect_soon();
}

void Client::lost() {
  world_.note([&] { return name_ + " has lost its connection"; });
  connection_ = nullptr;
  pending_.clear();
  disconnected();
  connect_soon();
}

void Client::send_raw(Bytes frame) {
  sent_noise_ = true;
  if (connection_) connection_->send(std::move(frame), {});
}

void Client::expect(Pending pending, std::int32_t max_wait_ms) {
  const bool calm = world_.calm;
  const env::Duration patience = (calm ? kCalmPatience : kPatience) + milliseconds(std::max(max_wait_ms, 0)) +
                                 (slow_ ? milliseconds(1000) : milliseconds(0)) + 100 * world_.disk_slowness;
  after(patience, [this, calm, correlation = pending.correlation, connection = std::weak_ptr(connection_)] {
    const auto same = connection.lock();
    if (!same || same != connection_ || pending_.empty()) return;
    const auto found = std::ranges::find(pending_, correlation, &Pending::correlation);
    if (found == pending_.end()) return;
    if (calm)
      return world_.violate(name_ + " has had no reply to its request of API " + std::to_string(found->api) +
                            " version " + std::to_string(found->version) + " although nothing fails");
    world_.note([&] { return name_ + " gives up waiting"; });
    drop_connection();
  });
  pending_.push_back(std::move(pending));
}

void Client::frame(Bytes reply) {
  if (pending_.empty()) {
    if (!sent_noise_) world_.violate(name_ + " got a reply that it did not ask for");
    return;
  }
  Pending asked = std::move(pending_.front());
  pending_.pop_front();
  wire::Reader reader(reply);
  const auto correlation = wire::decode_response_header(reader, asked.api, asked.version);
  if (!correlation || *correlation != asked.correlation)
    return world_.violate(name_ + " expected the reply to its request " + std::to_string(asked.correlation) +
                          ", found that to " +
                          (correlation ? std::to_string(*correlation) : reader.reason()));
  asked.then(reader);
}

}  // namespace moldau::sim
