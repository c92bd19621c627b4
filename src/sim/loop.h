// A loop of the broker as events: a turn runs the letters that have come and the timers that are due, and
// asks for the next turn. Letters take a seeded while, so those between two loops cross one another. Lives as
// long as one life of the broker. One thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "env/loop.h"
#include "env/timer_wheel.h"
#include "sim/events.h"
#include "simenv/clock.h"

namespace moldau::sim {

class Loop final : public env::Loop, public std::enable_shared_from_this<Loop> {
 public:
  Loop(Events& events, simenv::Clock& clock, std::size_t index, std::uint64_t seed)
      : events_(events), clock_(clock), index_(index), random_(seed), delays_(seed + 1), wheel_(clock.now()) {
    now_ = clock.now();
  }

  std::size_t index() const override { return index_; }
  env::Instant now() const override { return now_; }
  std::int64_t wall_ms() const override { return clock_.wall_ms(); }
  env::Random& random() override { return random_; }
  void schedule(env::Timer& timer, env::Instant deadline) override {
    wheel_.schedule(timer, deadline);
    ask_for_turns();
  }
  void cancel(env::Timer& timer) override { wheel_.cancel(timer); }
  void post(env::Task& task) override {
    letters_.push_back(&task);
    ask_for_turns();
  }

  // Something that happens on this loop.
  template <typename Work>
  void enter(Work work) {
    now_ = clock_.now();
    work();
  }
  // The end of a life: everything that was posted is run, nothing waits. False: it never ends.
  bool drain();

 private:
  void ask_for_turns();
  void wake_at(env::Instant when);
  void turn();

  Events& events_;
  simenv::Clock& clock_;
  const std::size_t index_;
  simenv::Random random_, delays_;
  env::Instant now_;
  env::TimerWheel wheel_;
  std::deque<env::Task*> letters_;
  std::optional<env::Instant> next_turn_;
  bool letter_turn_asked_ = false;
};

}  // namespace moldau::sim
