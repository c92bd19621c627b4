// A client's connection on a socket: reads frames and hands them in, sends replies in the order of requests.
//
//             start          close(), drain(), peer's end, bad frame             all answered and sent,
//      made ────────▶ open ──────────────────────────────────────────▶ finishing ─────────────────────▶
//      closed
//                      │                                                   │ or no progress [expired]     ▲
//                      └──────────────── broken, idle ─────────────────────┴─────────────────────────────┘
//
// Open: it is read whenever the socket has something and no bound is reached (pipelined requests, queued
// reply bytes, the budget of request bytes). Each turn makes at most one read and, unless files or a slow
// peer are involved, one write. Finishing: nothing is read; slots before finish_slot_ are still answered. The
// loop owns it until closed; handlers may hold it longer, and it holds no resource then. Loop thread only,
// but for its destructor.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "env/connection.h"
#include "net/frame_reader.h"
#include "net/reply_queue.h"
#include "net/starvation_watch.h"
#include "net/stream.h"
#include "net/worker.h"

namespace moldau::net {

class SocketConnection final : public env::Connection, public Watcher, private env::Timer {
 public:
  SocketConnection(Worker& worker, std::unique_ptr<Stream> stream, env::ConnectionInfo info,
                   IpAddress address);

  // False: the loop cannot watch it; the connection is closed again.
  static bool start(std::shared_ptr<SocketConnection> connection, int fd);

  const env::ConnectionInfo& info() const override { return info_; }
  env::Loop& loop() override { return worker_.loop(); }
  void reply(std::uint64_t slot, env::Outbound&& outbound) override;
  void close(std::string why) override;

  // Ends when its requests are answered; `told` (if any) hears of it first.
  void drain(const std::function<void(env::Connection&)>& told);
  void end_now(const std::string& why);  // whatever is under way

  // While requests wait for memory: a frame that has begun, if there is one, and whether it gets on. One that
  // does not for long enough is closed; time in which we do not read it does not count.
  std::optional<Holders::HalfFrame> half_frame() const;
  void begin_pace();
  void check_pace(env::Duration since_last_check);

  // Nothing under way: no request to be answered, no reply to be sent, no frame that has begun.
  bool is_idle() const {
    return replies_.unanswered() == 0 && !replies_.has_output() && !reader_.in_mid_frame();
  }
  env::Instant last_active() const { return last_active_; }

  void ready(std::uint32_t events) override;
  void turn_ends() override;

  std::size_t place = 0;        // in its worker's list
  bool waits_for_room = false;  // in its worker's other list
  bool exempt_from_max_connections = false;
  bool claimed_as_excess = false;  // ConnectionLimits counts it as being closed

 private:
  void expired() override;

  void receive();
  void receive_once();
  void hand_in();
  bool within_bounds() const;
  bool may_read();
  bool has_room();
  bool is_held_back() const;
  void send();
  bool send_once(std::uint64_t& sent);
  void read_in(const env::FileSlice& slice);
  void count_finished();
  void go_on();
  void finish(std::uint64_t slot, env::Duration patience);
  void peer_ended();
  void end(LogLevel level, const std::string& why);
  void end_broken(int reason);
  void be_patient();
  template <typename F>
  void guarded(F&& f);
  void log(LogLevel level, const std::string& why) const;

  Worker& worker_;
  std::unique_ptr<Stream> stream_;
  const env::ConnectionInfo info_;
  const IpAddress address_;
  FrameReader reader_;
  ReplyQueue replies_;
  std::shared_ptr<env::Connection> self_;  // while it is not closed
  env::Instant last_active_{};             // when bytes moved
  env::Duration patience_{};               // how long without; < 0: for ever
  struct Pace {
    std::uint64_t frame = 0;  // which of the connection's
    std::size_t bytes = 0;    // of it, at the beginning of
    env::Duration time{};     // the time in which it has not brought enough
  } pace_;
  std::uint64_t finish_slot_ = 0;
  std::uint64_t counted_ = 0;  // requests finished, as far as the counters know
  bool readable_ = false, writable_ = true;
  bool peer_ending_ = false;  // the end of the stream may lie behind a read that came up short
  bool handing_in_ = false;
  bool reading_in_ = false;  // what is to be sent next comes from a disk
  bool send_cold_ = false;   // it is sent all the same: nobody has time to read it in
  bool finishing_ = false;
  bool closed_ = false;
};

}  // namespace moldau::net
