#include "os/background.h"

#include <atomic>
#include <gtest/gtest.h>
#include <latch>
#include <memory>
#include <vector>

namespace moldau::os {
namespace {

TEST(Background, JobsOfOneKeyRunInOrderOneAtATime) {
  constexpr std::uint64_t kKeys = 7;
  constexpr int kEach = 2000;
  std::vector<std::vector<int>> seen(kKeys);  // one writer at a time is what is tested: no lock
  {
    Background pool(3);
    for (int i = 0; i < kEach; ++i) {
      for (std::uint64_t key = 0; key < kKeys; ++key)
        ASSERT_TRUE(pool.submit(key, [&, key, i] { seen[key].push_back(i); }));
    }
  }
  for (const auto& list : seen) {
    ASSERT_EQ(list.size(), static_cast<std::size_t>(kEach))
        << "accepted jobs are run before destruction ends";
    for (int i = 0; i < kEach; ++i) ASSERT_EQ(list[static_cast<std::size_t>(i)], i);
  }
}

TEST(Background, KeysRunBesideOneAnother) {
  Background pool(2);
  std::latch both(2);  // each job waits for the other: only possible on two threads
  ASSERT_TRUE(pool.submit(1, [&] { both.arrive_and_wait(); }));
  ASSERT_TRUE(pool.submit(2, [&] { both.arrive_and_wait(); }));
  pool.stop();
  EXPECT_TRUE(both.try_wait());
}

TEST(Background, AFullQueueAndAStoppedPoolRefuse) {
  Background pool(1, 2);
  std::latch began(1), go_on(1);
  std::atomic<int> ran = 0;
  ASSERT_TRUE(pool.submit(1, [&] { began.count_down(), go_on.wait(), ++ran; }));
  began.wait();
  ASSERT_TRUE(pool.submit(1, [&] { ++ran; }));
  ASSERT_TRUE(pool.submit(2, [&] { ++ran; }));
  EXPECT_EQ(pool.queued(), 2u);
  EXPECT_FALSE(pool.submit(3, [&] { ++ran; }));
  go_on.count_down();
  pool.stop();
  EXPECT_EQ(ran, 3);
  EXPECT_FALSE(pool.submit(1, [&] { ++ran; }));
}

TEST(Background, AJobMaySubmitAndIsDestroyedAfterItRan) {
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = held;
  std::latch second_ran(1);
  Background pool(1);
  ASSERT_TRUE(pool.submit(
      1, [&, held = std::move(held)] { EXPECT_TRUE(pool.submit(1, [&] { second_ran.count_down(); })); }));
  second_ran.wait();
  EXPECT_TRUE(watched.expired()) << "a job lets go of what it holds before the next of its key begins";
}

}  // namespace
}  // namespace moldau::os
