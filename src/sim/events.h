// What will happen, in order of virtual time; what was said earlier goes first among equals. Time moves only
// here and where the disk takes its time. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "env/clock.h"
#include "simenv/clock.h"

namespace moldau::sim {

using std::chrono::microseconds;
using std::chrono::milliseconds;

class Events {
 public:
  using Action = std::move_only_function<void()>;

  explicit Events(simenv::Clock& clock) : clock_(clock) {}

  void at(env::Instant when, Action action) {
    heap_.push_back({when, next_++, std::move(action)});
    std::ranges::push_heap(heap_, later);
  }
  void after(env::Duration delay, Action action) { at(clock_.now() + delay, std::move(action)); }

  bool empty() const { return heap_.empty(); }
  // Moves the clock to the next event and lets it happen. REQUIRES: !empty().
  void run_one() {
    std::ranges::pop_heap(heap_, later);
    Event event = std::move(heap_.back());
    heap_.pop_back();
    if (event.when > clock_.now()) clock_.advance(event.when - clock_.now());
    ++happened_;
    event.action();
  }
  std::uint64_t happened() const { return happened_; }
  void clear() { heap_.clear(); }

 private:
  struct Event {
    env::Instant when;
    std::uint64_t number;
    Action action;
  };
  static bool later(const Event& a, const Event& b) {
    return a.when != b.when ? a.when > b.when : a.number > b.number;
  }

  simenv::Clock& clock_;
  std::vector<Event> heap_;
  std::uint64_t next_ = 0;
  std::uint64_t happened_ = 0;
};

}  // namespace moldau::sim
