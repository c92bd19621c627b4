// A virtual client: one connection at a time, requests pipelined on it, replies matched in order. What it
// asks and what it makes of the answers is its children's affair.
//
//   resting ──connect()──▶ connecting ──▶ connected() … lost(), or a reply that never comes ──▶ resting ──▶
//   connecting
//
// Replies come in the order of the requests, with their correlation ids, and can be decoded: else it is a
// violation. Once the world is calm, each reply comes before its time is up. One thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "sim/connection.h"
#include "sim/world.h"
#include "wire/errors.h"
#include "wire/frame.h"

namespace moldau::sim {

class Client : public Peer {
 public:
  Client(World& world, std::string name);
  ~Client() override;

  virtual void start() { connect_soon(); }
  // Nothing left to do; only then does a run end well.
  virtual bool done() const = 0;
  void leave();  // closes the connection for good
  const std::string& name() const { return name_; }
  // Faults of the network, for whoever has a connection now.
  Connection* connection() { return connection_.get(); }

 protected:
  virtual void connected() = 0;
  virtual void disconnected() = 0;  // what was asked will not be answered

  // Sends a request; `then(Response&)` runs with its reply. acks=0 has none: expect_reply = false.
  template <typename Response, typename Request, typename Then>
  void ask(std::int16_t version, const Request& request, Then then, std::int32_t max_wait_ms = 0,
           bool expect_reply = true, std::shared_ptr<RequestNote::Times> times = nullptr) {
    if (!connection_) return;
    wire::Writer writer;
    const std::int32_t correlation = next_correlation_++;
    wire::encode_header(writer, {Request::kKey, version, correlation, name_});
    encode(writer, version, request);
    if (!writer.ok()) return world_.violate(name_ + " cannot write its request: " + writer.error());
    if (expect_reply) {
      expect({correlation, Request::kKey, version, world_.clock.now(),
              [this, version, then = std::move(then)](wire::Reader& reader) mutable {
                Response response;
                if (!decode(reader, version, response) || reader.remaining() > 0)
                  return world_.violate(name_ + " cannot read the reply: " + reader.reason() + ", " +
                                        std::to_string(reader.remaining()) + " bytes left");
                then(response);
              }},
             max_wait_ms);
    }
    connection_->send(writer.to_bytes(), {Request::kKey, version, max_wait_ms, std::move(times)});
  }
  void send_raw(Bytes frame);  // not a request that expects a reply

  void after(env::Duration delay, std::function<void()> action);  // not once the client is gone
  void connect_soon();
  void drop_connection();
  bool is_connected() const { return connection_ != nullptr; }
  bool left() const { return left_; }
  std::size_t pending() const { return pending_.size(); }
  std::uint64_t below(std::uint64_t bound) { return world_.random.below(bound); }
  bool one_in(std::uint64_t n) { return world_.random.one_in(n); }

  World& world_;

 private:
  struct Pending {
    std::int32_t correlation;
    std::int16_t api, version;
    env::Instant sent;
    std::move_only_function<void(wire::Reader&)> then;
  };

  void expect(Pending pending, std::int32_t max_wait_ms);
  void frame(Bytes reply) override;
  void lost() override;

  const std::string name_;
  const bool slow_;
  bool left_ = false, connecting_ = false, sent_noise_ = false;
  std::shared_ptr<Connection> connection_;
  std::int32_t next_correlation_ = 1;
  std::deque<Pending> pending_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

inline wire::ErrorCode error_of(std::int16_t code) { return static_cast<wire::ErrorCode>(code); }

}  // namespace moldau::sim
