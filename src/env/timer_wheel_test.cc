#include "env/timer_wheel.h"

#include <algorithm>
#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <utility>
#include <vector>

namespace moldau::env {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant at(Duration d) { return Instant{d}; }

// SplitMix64: small, and the same everywhere.
struct Dice {
  std::uint64_t state;
  std::uint64_t next() {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
};

struct Recorder final : Timer {
  Recorder(int i, std::vector<int>& l) : id(i), list(l) {}
  void expired() override { list.push_back(id); }
  int id;
  std::vector<int>& list;
};

// What the wheel is measured against: a plain list, searched from end to end.
class Model {
 public:
  explicit Model(Instant now) : now_tick_(floor(now)) {}
  void schedule(int id, Instant deadline) {
    cancel(id);
    const std::int64_t tick = std::max(ceil(deadline), now_tick_ + 1);
    entries_.push_back({tick, order_++, id});
  }
  void cancel(int id) {
    std::erase_if(entries_, [&](const Entry& e) { return e.id == id; });
  }
  std::vector<int> advance(Instant now) {
    now_tick_ = std::max(now_tick_, floor(now));
    std::ranges::sort(entries_);
    std::vector<int> due;
    for (const Entry& e : entries_)
      if (e.tick <= now_tick_) due.push_back(e.id);
    std::erase_if(entries_, [&](const Entry& e) { return e.tick <= now_tick_; });
    return due;
  }
  std::optional<Instant> earliest() const {
    if (entries_.empty()) return std::nullopt;
    return at(Duration(std::ranges::min(entries_).tick * TimerWheel::kTick.count()));
  }

 private:
  struct Entry {
    std::int64_t tick, order;
    int id;
    auto operator<=>(const Entry&) const = default;
  };
  static std::int64_t floor(Instant i) { return i.since_origin / TimerWheel::kTick; }
  static std::int64_t ceil(Instant i) {
    return std::max<std::int64_t>(0, (i.since_origin + TimerWheel::kTick - Duration(1)) / TimerWheel::kTick);
  }
  std::vector<Entry> entries_;
  std::int64_t now_tick_, order_ = 0;
};

// A span of any magnitude, from nothing to about a month.
Duration any_span(Dice& dice) {
  return Duration(static_cast<std::int64_t>(dice.next() >> (12 + dice.below(52))));
}

void compare_with_model(std::uint64_t seed) {
  Dice dice{seed};
  Instant now = at(any_span(dice));
  TimerWheel wheel(now);
  Model model(now);
  std::vector<int> expired;
  std::vector<std::unique_ptr<Recorder>> timers;
  for (int i = 0; i < 40; ++i) timers.push_back(std::make_unique<Recorder>(i, expired));
  for (int step = 0; step < 400; ++step) {
    const auto chosen = dice.below(timers.size());
    const std::uint64_t action = dice.below(10);
    if (action < 6) {
      const Instant deadline = now + any_span(dice) + milliseconds(-static_cast<std::int64_t>(dice.below(3)));
      wheel.schedule(*timers[chosen], deadline);
      model.schedule(static_cast<int>(chosen), deadline);
    } else if (action < 8) {
      wheel.cancel(*timers[chosen]);
      model.cancel(static_cast<int>(chosen));
    } else {
      const auto wake = wheel.next_deadline();
      now = dice.below(2) == 0 && wake ? *wake : now + any_span(dice);
      wheel.advance(now);
      ASSERT_EQ(std::exchange(expired, {}), model.advance(now)) << "seed " << seed << " step " << step;
    }
    ASSERT_EQ(wheel.next_deadline().has_value(), model.earliest().has_value()) << "seed " << seed;
    if (!wheel.empty()) {
      ASSERT_LE(*wheel.next_deadline(), *model.earliest()) << "seed " << seed << " step " << step;
      ASSERT_GT(*wheel.next_deadline() + TimerWheel::kTick, now) << "seed " << seed << " step " << step;
    }
  }
}

TEST(TimerWheel, DoesWhatAPlainListDoes) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    compare_with_model(seed);
    if (HasFatalFailure()) return;
  }
}

TEST(TimerWheel, NeverExpiresEarly) {
  std::vector<int> expired;
  TimerWheel wheel(at(seconds(1)));
  Recorder timer(7, expired);
  const Instant deadline = at(seconds(1) + milliseconds(10) + Duration(1));
  wheel.schedule(timer, deadline);
  wheel.advance(deadline + Duration(-1));
  EXPECT_TRUE(expired.empty());
  wheel.advance(deadline + TimerWheel::kTick);
  EXPECT_EQ(expired, std::vector<int>{7});
  EXPECT_FALSE(timer.scheduled);
}

// Following next_deadline alone reaches any timer in a handful of steps: an idle process does not tick.
TEST(TimerWheel, FewWakesOnTheWayToAFarDeadline) {
  std::vector<int> expired;
  TimerWheel wheel(at(hours(5)));
  Recorder timer(1, expired);
  wheel.schedule(timer, at(hours(24 * 365)));
  int wakes = 0;
  while (const auto next = wheel.next_deadline()) {
    wheel.advance(*next);
    ++wakes;
  }
  EXPECT_EQ(expired.size(), 1u);
  EXPECT_LE(wakes, 8);
}

struct Again final : Timer {
  Again(TimerWheel& w, Instant d) : wheel(w), deadline_given(d) {}
  void expired() override {
    ++calls;
    if (victim != nullptr) wheel.cancel(*victim);
    wheel.schedule(*this, deadline_given);
  }
  TimerWheel& wheel;
  Instant deadline_given;
  Timer* victim = nullptr;
  int calls = 0;
};

TEST(TimerWheel, ATimerThatIsAlwaysLateExpiresOncePerAdvance) {
  TimerWheel wheel(at(seconds(1)));
  Again timer(wheel, at(seconds(0)));
  wheel.schedule(timer, at(seconds(0)));
  wheel.advance(at(seconds(100)));
  EXPECT_EQ(timer.calls, 1);
  wheel.advance(at(seconds(200)));
  EXPECT_EQ(timer.calls, 2);
}

TEST(TimerWheel, ATimerMayCancelItsNeighbour) {
  std::vector<int> expired;
  TimerWheel wheel(at(seconds(1)));
  Again first(wheel, at(seconds(3)));
  Recorder second(2, expired);
  first.victim = &second;
  wheel.schedule(first, at(seconds(2)));
  wheel.schedule(second, at(seconds(2)));
  wheel.advance(at(seconds(2) + TimerWheel::kTick));
  EXPECT_EQ(first.calls, 1);
  EXPECT_TRUE(expired.empty());
  EXPECT_TRUE(first.scheduled);
  EXPECT_FALSE(second.scheduled);
}

TEST(TimerWheel, TheFarthestAndTheEarliestInstantsAreFine) {
  std::vector<int> expired;
  TimerWheel wheel(at(seconds(0)));
  Recorder never(1, expired), long_ago(2, expired);
  wheel.schedule(never, at(Duration::max()));
  wheel.schedule(long_ago, at(Duration::min()));
  wheel.advance(at(hours(24 * 365 * 100)));
  EXPECT_EQ(expired, std::vector<int>{2});
  wheel.cancel(never);
  EXPECT_TRUE(wheel.empty());
}

}  // namespace
}  // namespace moldau::env
