// queued.max.request.bytes: how many bytes of requests may be in memory at once, over all loops.
//
// A frame is charged when its length is known and let go when the last holder of its buffer drops it. Kafka's
// pool is as lenient: a frame may begin while anything is left, so one larger than the rest still comes
// through. A frame begun is always read to its end, and letting go depends on no other request: nobody can
// wait for ever. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>

namespace moldau::net {

class ReceiveBudget {
 public:
  // `limit` < 0: no bound, nothing is counted. `room_again` is called, on the thread that let go, when the
  // budget was used up, somebody has said so by wait_for_room(), and there is room again.
  ReceiveBudget(std::int64_t limit, std::function<void()> room_again)
      : limit_(limit), room_again_(std::move(room_again)) {}

  bool counts() const { return limit_ >= 0; }
  bool has_room() const { return !counts() || used_.load() < limit_; }
  std::int64_t used() const { return used_.load(std::memory_order_relaxed); }

  void charge(std::int64_t bytes) { used_.fetch_add(bytes); }
  void let_go(std::int64_t bytes) {
    const std::int64_t before = used_.fetch_sub(bytes);
    if (before < limit_ || before - bytes >= limit_ || !waited_for_.exchange(false)) return;
    const std::lock_guard lock(mutex_);
    if (room_again_) room_again_();
  }
  // Returns true if there is room after all; otherwise room_again will be called.
  bool wait_for_room() {
    waited_for_.store(true);
    return has_room();
  }
  // Nobody is called from here on; buffers may be let go later still.
  void close() {
    const std::lock_guard lock(mutex_);
    room_again_ = nullptr;
  }

 private:
  const std::int64_t limit_;
  std::mutex mutex_;
  std::function<void()> room_again_;
  std::atomic<std::int64_t> used_{0};
  std::atomic<bool> waited_for_{false};
};

}  // namespace moldau::net
