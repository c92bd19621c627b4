// The thread a connection lives on, as the core sees it: its time, its timers, its letter box; and the pool
// for what would block it. The server has N loops (Asio, one per core), the simulation one.
#pragma once

#include <cstddef>
#include <functional>

#include "env/clock.h"
#include "env/random.h"

namespace moldau::env {

// Something to do at a time, on the loop that it was scheduled on. Intrusive: the owner embeds it, keeps it
// alive while it is scheduled, and cancels it before it dies. Loop thread only.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer() = default;
  virtual void expired() = 0;

  // For the wheel that holds it; nobody else's business.
  Timer* wheel_next = nullptr;
  Timer* wheel_previous = nullptr;
  Instant deadline{};
  bool scheduled = false;
};

// A letter to a loop: `run` is called there once. Intrusive: alive until run; not in two boxes at once.
class Task {
 public:
  Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  virtual ~Task() = default;
  virtual void run() = 0;

  Task* box_next = nullptr;  // for the letter box that holds it
};

class Loop {
 public:
  virtual ~Loop() = default;
  virtual std::size_t index() const = 0;  // 0 to N-1, each loop its own; any thread
  virtual Instant now() const = 0;        // cached per turn of the loop; any thread may read its own loop's
  virtual std::int64_t wall_ms() const = 0;                   // likewise
  virtual Random& random() = 0;                               // this loop's own source; loop thread only
  virtual void schedule(Timer& timer, Instant deadline) = 0;  // re-schedules if it is; loop thread only
  virtual void cancel(Timer& timer) = 0;                      // no-op if not scheduled; loop thread only
  // Any thread. One wake of the loop serves all letters of a turn.
  virtual void post(Task& task) = 0;
};

// Threads for what may block: sync, deletion, cold reads. Jobs of one key run in order, one at a time.
class Background {
 public:
  virtual ~Background() = default;
  // Any thread. Returns false if the queue is full (the caller retries at its next tick).
  virtual bool submit(std::uint64_t key, std::move_only_function<void()> job) = 0;
};

}  // namespace moldau::env
