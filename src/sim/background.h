// The pool for blocking work as events: each job runs a seeded while after it was submitted; jobs of one key
// in order, of different keys in any. Lives as long as one life of the broker. One thread.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "env/loop.h"
#include "sim/events.h"
#include "simenv/clock.h"

namespace moldau::sim {

class Background final : public env::Background, public std::enable_shared_from_this<Background> {
 public:
  Background(Events& events, std::uint64_t seed, env::Duration slowest)
      : events_(events), random_(seed), slowest_us_(slowest / microseconds(1)) {}

  bool submit(std::uint64_t key, std::move_only_function<void()> job) override {
    if (count_ >= kLimit) return false;
    ++count_;
    auto& jobs = waiting_[key];
    jobs.push_back(std::move(job));
    if (jobs.size() == 1) ask(key);
    return true;
  }
  // At a clean stop what was accepted is run.
  void run_all() {
    while (!waiting_.empty()) run(waiting_.begin()->first);
  }
  // At a crash it is gone.
  void drop_all() { waiting_.clear(), count_ = 0; }
  std::size_t waiting() const { return count_; }

 private:
  static constexpr std::size_t kLimit = 4096;

  void ask(std::uint64_t key) {
    const std::int64_t most = random_.one_in(6) ? slowest_us_ : std::min<std::int64_t>(slowest_us_, 300);
    events_.after(microseconds(random_.between(1, most)), [weak = weak_from_this(), key] {
      if (const auto self = weak.lock()) self->run(key);
    });
  }
  void run(std::uint64_t key) {
    const auto found = waiting_.find(key);
    if (found == waiting_.end()) return;
    auto job = std::move(found->second.front());
    job();
    job = nullptr;
    const auto again = waiting_.find(key);
    if (again == waiting_.end()) return;
    again->second.pop_front();
    --count_;
    if (again->second.empty()) {
      waiting_.erase(again);
    } else {
      ask(key);
    }
  }

  Events& events_;
  simenv::Random random_;
  std::int64_t slowest_us_;
  std::map<std::uint64_t, std::deque<std::move_only_function<void()>>> waiting_;
  std::size_t count_ = 0;
};

}  // namespace moldau::sim
