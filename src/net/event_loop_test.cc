#include "net/event_loop.h"

#include <atomic>
#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <sys/epoll.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "net/testing.h"

namespace moldau::net::testing {
namespace {

using std::chrono::milliseconds;

// Real time: for what the wait itself does.
class SteadyClock final : public env::Clock {
 public:
  env::Instant now() const override {
    return {std::chrono::duration_cast<env::Duration>(std::chrono::steady_clock::now().time_since_epoch())};
  }
  std::int64_t wall_ms() const override { return 0; }
};

struct Letter final : env::Task {
  void run() override { list->push_back(value); }
  std::vector<int>* list = nullptr;
  int value = 0;
};

TEST(EventLoop, LettersOfOneThreadArriveInOrderAndNoneIsLost) {
  constexpr int kThreads = 4, kEach = 20'000;
  ManualClock clock;
  EventLoop loop(clock, std::make_unique<TestRandom>(1));
  std::vector<int> read;
  std::vector<Letter> letters(kThreads * kEach);
  std::thread runner([&] { loop.run(); });
  std::vector<std::thread> writers;
  for (int t = 0; t < kThreads; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        Letter& letter = letters[static_cast<std::size_t>(t * kEach + i)];
        letter.list = &read;
        letter.value = t * kEach + i;
        loop.post(letter);
      }
    });
  }
  for (auto& writer : writers) writer.join();
  loop.stop();
  runner.join();
  ASSERT_EQ(read.size(), letters.size());
  std::vector<int> next(kThreads, 0);
  for (const int value : read) ASSERT_EQ(value % kEach, next[static_cast<std::size_t>(value / kEach)]++);
}

TEST(EventLoop, LettersOfOneTurnCostOneWake) {
  ManualClock clock;
  EventLoop loop(clock, std::make_unique<TestRandom>(1));
  std::vector<int> read;
  std::vector<Letter> letters(1000);
  for (Letter& letter : letters) letter.list = &read, loop.post(letter);
  loop.stop();
  loop.run();
  EXPECT_EQ(read.size(), letters.size());
  EXPECT_EQ(loop.counters().turns.get(), 1u);
}

struct StopAt final : env::Timer {
  explicit StopAt(EventLoop& l) : loop(l) {}
  void expired() override {
    expired_at = loop.now();
    loop.stop();
  }
  EventLoop& loop;
  env::Instant expired_at{};
};

TEST(EventLoop, SleepsUntilTheDeadlineAndNotMuchLonger) {
  SteadyClock clock;
  EventLoop loop(clock, std::make_unique<TestRandom>(1));
  StopAt timer(loop);
  const env::Instant deadline = clock.now() + milliseconds(80);
  loop.schedule(timer, deadline);
  loop.run();
  EXPECT_GE(timer.expired_at, deadline);
  EXPECT_LE(loop.counters().turns.get(), 5u) << "no ticks on the way";
}

struct Counting final : Watcher {
  explicit Counting(EventLoop& l) : loop(l) {}
  void ready(std::uint32_t events) override {
    seen.push_back(events);
    if (again-- > 0) loop.next_turn(*this), loop.next_turn(*this);
    loop.at_end_of_turn(*this);
  }
  void turn_ends() override {
    ++ends;
    if (again < 0) loop.stop();
  }
  EventLoop& loop;
  std::vector<std::uint32_t> seen;
  int again = 3;
  int ends = 0;
};

TEST(EventLoop, ItsRestIsToldOnceUntilAnEventComes) {
  ManualClock clock;
  EventLoop loop(clock, std::make_unique<TestRandom>(1));
  std::atomic<int> told = 0;
  loop.set_on_rest([&] { ++told; }, milliseconds(5));
  std::thread runner([&] { loop.run(); });
  EXPECT_TRUE(eventually([&] { return told == 1; }));
  std::vector<int> read;
  Letter letter;
  letter.list = &read;
  loop.post(letter);
  EXPECT_TRUE(eventually([&] { return told == 2; }));
  loop.stop();
  runner.join();
  EXPECT_EQ(told, 2);
  EXPECT_EQ(read.size(), 1u);
}

TEST(EventLoop, AWatcherGetsItsEventsItsNextTurnsAndTheirEnds) {
  ManualClock clock;
  EventLoop loop(clock, std::make_unique<TestRandom>(1));
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Counting watcher(loop);
  ASSERT_TRUE(loop.watch(ends[0], EPOLLIN | EPOLLET, watcher));
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  loop.run();
  EXPECT_EQ(watcher.seen, (std::vector<std::uint32_t>{EPOLLIN, 0, 0, 0}));
  EXPECT_EQ(watcher.ends, 4);
  ::close(ends[0]);
  ::close(ends[1]);
}

// A watcher forgotten while its event has been fetched, and its next turn asked for, is not called any more.
struct Killer final : Watcher {
  explicit Killer(EventLoop& l) : loop(l) {}
  void ready(std::uint32_t) override {
    ++*calls;
    if (victim != nullptr) {
      loop.next_turn(*victim);
      loop.at_end_of_turn(*victim);
      loop.forget(*victim, victim);
      dead = victim;
      victim = nullptr;
      loop.stop();
    }
  }
  void turn_ends() override { ++*calls; }
  EventLoop& loop;
  std::shared_ptr<Killer> victim;
  std::weak_ptr<Killer> dead;
  std::shared_ptr<int> calls = std::make_shared<int>(0);
};

TEST(EventLoop, AForgottenWatcherStaysAliveForTheTurnButIsNotCalledFromLists) {
  ManualClock clock;
  EventLoop loop(clock, std::make_unique<TestRandom>(1));
  Killer killer(loop);
  killer.victim = std::make_shared<Killer>(loop);
  const std::shared_ptr<int> calls_of_victim = killer.victim->calls;
  loop.next_turn(killer);
  loop.run();
  EXPECT_TRUE(killer.dead.expired());
  EXPECT_EQ(*killer.calls, 1);
  EXPECT_EQ(*calls_of_victim, 0);
}

}  // namespace
}  // namespace moldau::net::testing
