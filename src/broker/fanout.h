// A request that asks several partitions at once and goes on when all have answered.
//
//   launching(n) → launch n parts (each answers at once, or later, on any thread) → launched()
//                                          … last part_done() ──▶ finished()
//
// finished() runs once, on the request's loop: inside launched() if everything answered at once, else from a
// letter. The object keeps itself alive from launching() to the end of finished(), so parts may be handed out
// as raw pointers.
#pragma once

#include <atomic>
#include <memory>

#include "env/loop.h"

namespace moldau::broker {

class Fanout : public env::Task, public std::enable_shared_from_this<Fanout> {
 protected:
  void launching(env::Loop& loop, std::size_t parts) {
    loop_ = &loop;
    self_ = shared_from_this();
    open_.store(parts + 1, std::memory_order_relaxed);
  }
  void launched() {
    if (open_.fetch_sub(1, std::memory_order_acq_rel) == 1) run();
  }
  // `parts` more, on the loop; false if all have answered already (finished() is on its way).
  bool launching_more(std::size_t parts) {
    std::size_t open = open_.load(std::memory_order_acquire);
    while (open != 0 && !open_.compare_exchange_weak(open, open + parts, std::memory_order_acq_rel)) {
    }
    return open != 0;
  }
  // Any thread; once for each part.
  void part_done() {
    if (open_.fetch_sub(1, std::memory_order_acq_rel) == 1) loop_->post(*this);
  }
  virtual void finished() = 0;

 private:
  void run() final {
    const auto keep = std::move(self_);
    finished();
  }

  env::Loop* loop_ = nullptr;
  std::atomic<std::size_t> open_{0};
  std::shared_ptr<Fanout> self_;
};

}  // namespace moldau::broker
