// The pool for blocking work as a list that a test empties, and a place for operators' lines. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "env/event_log.h"
#include "env/loop.h"
#include "simenv/clock.h"

namespace moldau::simenv {

// Jobs of one key run in order; which key is next is drawn by lot when a Random is given, else the oldest.
class Background final : public env::Background {
 public:
  explicit Background(Random* random = nullptr, std::size_t limit = 1 << 16)
      : random_(random), limit_(limit) {}

  bool submit(std::uint64_t key, std::move_only_function<void()> job) override {
    if (jobs_.size() >= limit_) return false;
    jobs_.emplace_back(key, std::move(job));
    return true;
  }
  std::size_t waiting() const { return jobs_.size(); }
  // Runs one job; false if there is none.
  bool run_one();
  void run_all() {
    while (run_one()) {
    }
  }
  void drop_all() { jobs_.clear(); }  // a crash

 private:
  Random* random_;
  std::size_t limit_;
  std::deque<std::pair<std::uint64_t, std::move_only_function<void()>>> jobs_;
};

class EventLog final : public env::EventLog {
 public:
  void write(env::Level level, std::string_view logger, std::string text) override {
    lines.push_back({level, std::string(logger), std::move(text)});
  }
  bool contains(std::string_view text) const {
    for (const Line& line : lines)
      if (line.text.find(text) != std::string::npos) return true;
    return false;
  }
  struct Line {
    env::Level level;
    std::string logger, text;
  };
  std::vector<Line> lines;
};

}  // namespace moldau::simenv
