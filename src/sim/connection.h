// A connection between a virtual client and the broker, both ends. Frames travel a seeded while each way, in
// order within a connection and in any order between them.
//
//   client.send ──delay──▶ RequestHandler::request(slot)
//   client's Peer::frame ◀──delay── sending (slices are read now) ◀── slot's turn ◀── reply(slot)
//
//   open ──cut()──▶ both ends learn of it later, what was under way is lost (a frame in mid-way, too)
//    │  ──mute()──▶ half open: nothing arrives any more, nobody is told; the broker learns after a long while
//    └──close(why), client_close()──▶ closing ──▶ closed
//
// Always holds: each slot is answered at most once; nothing is delivered behind an end. Owned by the two
// ends; one thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "env/connection.h"
#include "sim/events.h"
#include "sim/loop.h"

namespace moldau::sim {

class World;

// The client's end.
class Peer {
 public:
  virtual ~Peer() = default;
  virtual void frame(Bytes reply) = 0;  // without the length in front
  virtual void lost() = 0;              // the connection has ended, and not because we closed it
};

// What is known of a request when it is sent, for the checks of its reply.
struct RequestNote {
  struct Times {
    env::Instant arrived{}, answered{};
  };
  std::int16_t api = -1, version = 0;
  std::int32_t max_wait_ms = 0;            // of a fetch
  std::shared_ptr<Times> times = nullptr;  // filled in on the way, for who wants to know
};

class Connection final : public env::Connection, public std::enable_shared_from_this<Connection> {
 public:
  Connection(World& world, std::shared_ptr<Loop> loop, env::RequestHandler& handler, Peer& peer,
             std::uint64_t id, bool slow_client);

  void open();                               // once
  void send(Bytes frame, RequestNote note);  // the client's; without the length in front
  void client_close();                       // the client lets go; it hears nothing more
  void cut();
  void mute() { muted_ = true; }
  bool muted() const { return muted_; }
  // The broker's process is gone. Bytes that have left it may still arrive, or not.
  void process_died();

  const env::ConnectionInfo& info() const override { return info_; }
  env::Loop& loop() override { return *loop_; }
  void reply(std::uint64_t slot, env::Outbound&& outbound) override;
  void close(std::string why) override;

  bool server_knows() const { return opened_ && !server_closed_; }
  void server_closed();  // the handler is told, once
  std::uint64_t unanswered() const { return notes_.size(); }

 private:
  struct Note : RequestNote {
    env::Instant arrived;
  };
  void arrive(Bytes frame, RequestNote note);
  void send_next();
  void transmit(env::Outbound outbound);
  bool load(const env::Outbound& outbound, Bytes& frame);
  void deliver();
  void maybe_finish();
  void peer_lost();

  World& world_;
  std::shared_ptr<Loop> loop_;
  env::RequestHandler* handler_;
  Peer* peer_;  // nullptr: has let go
  env::ConnectionInfo info_;
  const bool slow_client_;

  bool opened_ = false, cut_ = false, muted_ = false, server_closed_ = false, sending_ = false,
       handing_in_ = false;
  env::Instant last_arrival_{}, last_delivery_{};
  std::uint64_t next_slot_ = 0;   // of the next request
  std::uint64_t next_reply_ = 0;  // slot to be sent next
  std::map<std::uint64_t, env::Outbound> replies_;
  std::map<std::uint64_t, Note> notes_;
  std::optional<std::uint64_t> closing_at_;  // slots below are still answered
  std::deque<Bytes> on_the_way_;             // to the client
};

}  // namespace moldau::sim
