// What a loop does while requests wait for memory (queued.max.request.bytes): it says once a period who holds
// how much, and closes whoever has begun a frame and does not get on with it. Kafka lets such a frame hold
// its memory for connections.max.idle.ms, and longer if a byte comes now and then.
//
//      at rest ──look(), a period has begun──▶ watching: every second ──no period any more──▶ at rest
//
// Of one loop, on its thread; Holders: any thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "net/event_loop.h"
#include "net/receive_budget.h"

namespace moldau::net {

class SocketConnection;

// Puts together what the loops tell about one period of starvation.
class Holders {
 public:
  struct HalfFrame {
    std::string client;
    std::size_t bytes = 0, of = 0;
  };

  explicit Holders(std::size_t loops) : loops_(loops) {}
  // What one loop's connections hold. The line to log, when all loops have told.
  std::optional<std::string> told(std::uint64_t period, std::vector<HalfFrame> half_frames,
                                  const ReceiveBudget& budget);

 private:
  std::string line(const ReceiveBudget& budget);

  const std::size_t loops_;
  std::mutex mutex_;
  std::uint64_t period_ = 0;
  std::size_t told_ = 0;
  std::vector<HalfFrame> half_frames_;
};

class StarvationWatch final : private env::Timer {
 public:
  using Connections = std::vector<SocketConnection*>;

  // All outlive the watch. `connections`: the loop's.
  StarvationWatch(EventLoop& loop, ReceiveBudget& budget, Holders& holders, const Connections& connections)
      : loop_(loop), budget_(budget), holders_(holders), connections_(connections) {}
  ~StarvationWatch() override { loop_.cancel(*this); }

  // A period may have begun. A line to log, if it has.
  std::optional<std::string> look();

 private:
  void expired() override;
  void look_later();

  EventLoop& loop_;
  ReceiveBudget& budget_;
  Holders& holders_;
  const Connections& connections_;
  std::uint64_t period_ = 0;  // the last one told of
  env::Instant last_look_{};
};

}  // namespace moldau::net
