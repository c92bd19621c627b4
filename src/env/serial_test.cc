#include "env/serial.h"

#include <gtest/gtest.h>
#include <memory>
#include <thread>
#include <vector>

namespace moldau::env {
namespace {

TEST(Serial, WithReturnsTheResult) {
  Serial<int> serial(41);
  EXPECT_EQ(serial.with([](int& n) { return ++n; }), 42);
  serial.with([](int& n) { n = 7; });
  EXPECT_EQ(serial.with([](int& n) { return n; }), 7);
}

struct Append final : Serial<std::vector<int>>::Job {
  explicit Append(int v) : value(v) {}
  void run(std::vector<int>& list) override { list.push_back(value); }
  int value;
};

// A job left while the Serial is held runs when the holder lets go, in the order of leaving.
TEST(Serial, JobsLeftByOthersRunInOrder) {
  Serial<std::vector<int>> serial;
  Append first(1), second(2);
  serial.with([&](std::vector<int>& list) {
    serial.execute(first);
    serial.execute(second);
    EXPECT_TRUE(list.empty());
    list.push_back(0);
  });
  EXPECT_EQ(serial.with([](auto& list) { return list; }), (std::vector<int>{0, 1, 2}));
}

TEST(Serial, NoUpdateIsLostBetweenThreads) {
  constexpr int kThreads = 4, kEach = 20000;
  Serial<std::vector<int>> serial;
  std::vector<std::unique_ptr<Append>> jobs;
  for (int i = 0; i < kThreads * kEach; ++i) jobs.push_back(std::make_unique<Append>(i));
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        serial.execute(*jobs[static_cast<std::size_t>(t * kEach + i)]);
        if (i % 1000 == 0) serial.with([](auto& list) { return list.size(); });
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::vector<int> next(kThreads, 0);
  const auto list = serial.with([](auto& l) { return l; });
  ASSERT_EQ(list.size(), static_cast<std::size_t>(kThreads * kEach));
  for (const int value : list)
    EXPECT_EQ(value % kEach, next[static_cast<std::size_t>(value / kEach)]++) << "order";
}

// Whoever waits goes on, and takes its job from under the holder, as soon as the job is done: the holder must
// not touch it any more (a matter for the sanitizers).
TEST(Serial, AWaiterMayBeGoneBeforeItIsWoken) {
  constexpr int kThreads = 4, kEach = 5000;
  Serial<int> serial(0);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        const auto before = serial.with([](int& n) { return std::make_unique<int>(n++); });
        EXPECT_GE(*before, i);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(serial.with([](int& n) { return n; }), kThreads * kEach);
}

}  // namespace
}  // namespace moldau::env
