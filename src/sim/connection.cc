#include "sim/connection.h"

#include <algorithm>
#include <utility>

#include "base/fault.h"
#include "sim/world.h"

namespace moldau::sim {

Connection::Connection(World& world, std::shared_ptr<Loop> loop, env::RequestHandler& handler, Peer& peer,
                       std::uint64_t id, bool slow_client)
    : world_(world),
      loop_(std::move(loop)),
      handler_(&handler),
      peer_(&peer),
      info_{.id = id,
            .listener = "PLAINTEXT",
            .client_host = "/10.0.0.1",
            .client_port = static_cast<std::uint16_t>(1024 + id % 60000),
            .local_address = "10.0.0.2",
            .local_port = 9092},
      slow_client_(slow_client) {}

void Connection::open() {
  opened_ = true;
  loop_->enter([&] { handler_->opened(shared_from_this()); });
}

void Connection::send(Bytes frame, RequestNote note) {
  last_arrival_ = std::max(last_arrival_, world_.clock.now() + world_.network_delay());
  world_.events.at(last_arrival_, [self = shared_from_this(), frame = std::move(frame), note]() mutable {
    self->arrive(std::move(frame), note);
  });
}

void Connection::arrive(Bytes frame, RequestNote note) {
  if (cut_ || muted_ || server_closed_ || closing_at_) return;
  const std::uint64_t slot = next_slot_++;
  notes_[slot] = {note, world_.clock.now()};
  const auto keep = std::make_shared<Bytes>(std::move(frame));
  handing_in_ = true;
  loop_->enter([&] { handler_->request(shared_from_this(), slot, env::Inbound{keep, MutableBytes(*keep)}); });
  handing_in_ = false;
}

void Connection::reply(std::uint64_t slot, env::Outbound&& outbound) {
  if (server_closed_) return;
  const auto note = notes_.find(slot);
  if (note == notes_.end())
    return world_.violate("slot " + std::to_string(slot) + " is answered twice, or was never asked");
  world_.replied(note->second, note->second.arrived);
  if (note->second.times) *note->second.times = {note->second.arrived, world_.clock.now()};
  notes_.erase(note);
  if (fault_is(Fault::kWrongSlotOrder)) {
    // The order of answers instead of that of requests.
    return transmit(std::move(outbound));
  }
  replies_.emplace(slot, std::move(outbound));
  send_next();
}

void Connection::close(std::string why) {
  world_.note([&] { return "broker closes connection " + std::to_string(info_.id) + ": " + why; });
  // From within request(), what was asked earlier is still answered; later on nobody says which slot it is
  // about.
  if (!closing_at_ && !notes_.empty())
    closing_at_ = handing_in_ ? std::prev(notes_.end())->first : notes_.begin()->first;
  if (!closing_at_) closing_at_ = next_slot_;
  maybe_finish();
}

void Connection::maybe_finish() {
  if (!closing_at_ || next_reply_ < *closing_at_ || sending_ || server_closed_) return;
  world_.events.after(microseconds(1), [self = shared_from_this()] {
    self->server_closed();
    self->peer_lost();
  });
}

// One frame at a time: the next one is read when this one has left.
void Connection::send_next() {
  if (sending_ || server_closed_) return;
  const auto next = replies_.find(next_reply_);
  if (next == replies_.end()) return maybe_finish();
  env::Outbound outbound = std::move(next->second);
  replies_.erase(next);
  ++next_reply_;
  if (outbound.pieces.empty()) return send_next();
  sending_ = true;
  const env::Duration delay =
      slow_client_ ? microseconds(world_.random.between(1000, 200'000)) : world_.sending_delay();
  world_.events.after(delay, [self = shared_from_this(), outbound = std::move(outbound)]() mutable {
    self->sending_ = false;
    if (self->server_closed_ || self->cut_) return;
    self->transmit(std::move(outbound));
    self->send_next();
  });
}

bool Connection::load(const env::Outbound& outbound, Bytes& frame) {
  for (const auto& piece : outbound.pieces) {
    if (const auto* bytes = std::get_if<Bytes>(&piece)) {
      frame.insert(frame.end(), bytes->begin(), bytes->end());
    } else if (const auto* shared = std::get_if<env::SharedBytes>(&piece)) {
      frame.insert(frame.end(), shared->bytes.begin(), shared->bytes.end());
    } else {
      const auto& slice = std::get<env::FileSlice>(piece);
      const std::size_t at = frame.size();
      frame.resize(at + slice.length);
      const auto got = slice.file->read_at(slice.position, MutableBytes(frame).subspan(at));
      if (!got || *got != slice.length) return false;
    }
  }
  return true;
}

void Connection::transmit(env::Outbound outbound) {
  if (outbound.pieces.empty()) return;
  Bytes frame;
  if (!load(outbound, frame)) {
    world_.slice_failed();
    return cut();
  }
  if (frame.size() < 4 || load_be<std::int32_t>(frame.data()) != static_cast<std::int32_t>(frame.size() - 4))
    return world_.violate("a reply whose length in front is not its length");
  frame.erase(frame.begin(), frame.begin() + 4);
  if (muted_ || cut_) return;
  on_the_way_.push_back(std::move(frame));
  last_delivery_ = std::max(last_delivery_, world_.clock.now() + world_.network_delay());
  world_.events.at(last_delivery_, [self = shared_from_this()] { self->deliver(); });
}

void Connection::deliver() {
  if (on_the_way_.empty() || cut_) return;
  Bytes frame = std::move(on_the_way_.front());
  on_the_way_.pop_front();
  if (peer_ != nullptr && !muted_) peer_->frame(std::move(frame));
}

void Connection::client_close() {
  peer_ = nullptr;
  if (cut_ || server_closed_) return;
  const env::Duration delay = muted_ ? env::Duration(std::chrono::seconds(3)) : world_.network_delay();
  world_.events.after(delay, [self = shared_from_this()] {
    self->cut_ = true;
    self->server_closed();
  });
}

void Connection::cut() {
  if (cut_) return;
  cut_ = true;
  on_the_way_.clear();
  const auto self = shared_from_this();
  world_.events.after(world_.network_delay(), [self] { self->server_closed(); });
  world_.events.after(world_.network_delay(), [self] { self->peer_lost(); });
}

void Connection::process_died() {
  while (!cut_ && !on_the_way_.empty() && world_.random.one_in(2)) deliver();
  cut_ = true;
  on_the_way_.clear();
  server_closed();
  const auto self = shared_from_this();
  world_.events.after(world_.network_delay(), [self] { self->peer_lost(); });
}

void Connection::server_closed() {
  if (!opened_ || server_closed_) return;
  server_closed_ = true;
  loop_->enter([&] { handler_->closed(shared_from_this()); });
  replies_.clear();
  notes_.clear();
  handler_state.reset();
}

void Connection::peer_lost() {
  cut_ = true;
  on_the_way_.clear();
  if (peer_ != nullptr) std::exchange(peer_, nullptr)->lost();
}

}  // namespace moldau::sim
