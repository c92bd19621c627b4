// Letters from any thread to one loop, without locks: a stack that the reader empties at once and turns
// round.
//
//      empty ──push──▶ letters ──take_all──▶ empty
//        │                                     ▲
//        └─try_sleep──▶ asleep ──push (wake!)──┘ letters
//
// Only the push that finds the reader asleep asks for a wake, so a turn of the loop costs at most one.
#pragma once

#include <atomic>
#include <utility>

#include "env/loop.h"

namespace moldau::net {

class LetterBox {
 public:
  // Any thread. True: the reader sleeps and has to be woken.
  bool push(env::Task& task) {
    env::Task* seen = newest_.load(std::memory_order_relaxed);
    do {
      task.box_next = seen == asleep() ? nullptr : seen;
    } while (
        !newest_.compare_exchange_weak(seen, &task, std::memory_order_release, std::memory_order_relaxed));
    return seen == asleep();
  }

  // The reader, before it waits. False: there are letters.
  bool try_sleep() {
    env::Task* expected = nullptr;
    return newest_.compare_exchange_strong(expected, asleep(), std::memory_order_relaxed);
  }

  // The reader: all letters, oldest first, linked by box_next. Ends sleep.
  env::Task* take_all() {
    if (newest_.load(std::memory_order_relaxed) == nullptr) return nullptr;
    env::Task* task = newest_.exchange(nullptr, std::memory_order_acquire);
    if (task == asleep()) return nullptr;
    env::Task* oldest = nullptr;
    while (task != nullptr) oldest = std::exchange(task, std::exchange(task->box_next, oldest));
    return oldest;
  }

 private:
  // A mark that no task's address can equal.
  env::Task* asleep() { return reinterpret_cast<env::Task*>(this); }

  std::atomic<env::Task*> newest_{nullptr};
};

}  // namespace moldau::net
