// queued.max.request.bytes: how many bytes of requests may be in memory at once, over all loops; what Kafka's
// SimpleMemoryPool is for (KIP-72).
//
// Kafka charges a frame with its size as soon as that is announced; here it is charged as its bytes arrive,
// and let go when the last holder of its buffer drops it. While the budget is used up nobody is read but for
// one frame that has begun, the one that has the turn; it keeps the turn until its buffer is let go, or until
// it has been served for kTurnEnds (a fetch may wait for days):
//
//      room ──charge()──▶ used up ──let_go()──▶ room
//                            │ may_grow(): the first to ask has the turn, and goes on to its end
//                            └ wait_for_room(): all others, until room_again
//
// So no more is held than the budget and one frame (and what each loop's last read brought), and nobody can
// wait for ever: the frame that has the turn comes to its end, or is closed by the StarvationWatch for not
// getting on.
//
// A period of starvation goes from the first who had to wait until nobody has for kPeriodEnds. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>

#include "env/clock.h"

namespace moldau::net {

class ReceiveBudget {
 public:
  static constexpr env::Duration kPeriodEnds = std::chrono::seconds(15);
  static constexpr env::Duration kTurnEnds = std::chrono::seconds(10);
  using Turn = std::uint64_t;  // 0: none

  // `limit` <= 0: no bound, nothing is counted. `room_again` is called when somebody has said wait_for_room()
  // and there is room or a turn again, on the thread that let go; and when a period of starvation begins. The
  // clock is read until close().
  ReceiveBudget(std::int64_t limit, const env::Clock& clock, std::function<void()> room_again)
      : limit_(limit), clock_(clock), room_again_(std::move(room_again)) {}

  bool counts() const { return limit_ > 0; }
  std::int64_t limit() const { return limit_; }
  bool has_room() const { return !counts() || used_.load() < limit_; }
  std::int64_t used() const { return used_.load(std::memory_order_relaxed); }

  void charge(std::int64_t bytes) { used_.fetch_add(bytes); }
  void let_go(std::int64_t bytes);

  // Whether a frame that has begun may be read further; `turn`: the one it has, kept by its buffer.
  bool may_grow(Turn& turn);
  void is_whole(Turn turn);  // the frame that has it
  void end_turn(Turn turn);
  void end_overdue_turn(env::Instant now);
  // Before looking a last time whether there is room, or a turn: if not, room_again will be called.
  void wait_for_room(env::Instant now);

  // Whether a period goes on; asked more often than kPeriodEnds while it does.
  bool starves(env::Instant now);
  std::uint64_t period() const { return period_.load(); }  // how many have begun
  env::Duration depleted() const;                          // time in which somebody had to wait

  // Nobody is called from here on; buffers may be let go later still.
  void close();

 private:
  void tell();
  void begin_depletion(env::Instant now);
  void end_depletion();

  const std::int64_t limit_;
  const env::Clock& clock_;
  std::function<void()> room_again_;  // under the mutex
  mutable std::mutex mutex_;
  std::atomic<std::int64_t> used_{0};
  std::atomic<Turn> turn_{0}, turns_given_{0};
  std::atomic<std::int64_t> whole_since_{-1};  // ns of the clock; -1: the frame that has the turn is not
  std::atomic<bool> waited_for_{false};
  std::atomic<std::uint64_t> period_{0};
  std::atomic<std::int64_t> last_wait_{-1};  // ns of the clock; -1: never
  std::atomic<bool> depleted_{false};        // written under the mutex, like what follows
  env::Instant depleted_since_{};
  env::Duration depleted_before_{};
  bool closed_ = false;
};

}  // namespace moldau::net
