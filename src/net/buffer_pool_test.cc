#include "net/buffer_pool.h"

#include <atomic>
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "net/testing.h"

namespace moldau::net {
namespace {

const env::Clock& clock() {
  static const testing::ManualClock still;
  return still;
}

std::shared_ptr<ReceiveBudget> budget(std::int64_t limit = -1, std::function<void()> room = nullptr) {
  return std::make_shared<ReceiveBudget>(limit, clock(), std::move(room));
}

TEST(BufferPool, ABufferComesBackWhenTheLastHolderDropsIt) {
  BufferPool pool(budget());
  BufferRef buffer = pool.acquire(1);
  EXPECT_EQ(buffer->capacity(), BufferPool::kSmallest);
  const Buffer* const first = buffer.get();
  const std::shared_ptr<void> keep = buffer;
  buffer = nullptr;
  EXPECT_NE(pool.acquire(1).get(), first) << "still held";
  std::shared_ptr<void> last = keep;
  const_cast<std::shared_ptr<void>&>(keep) = nullptr;
  last = nullptr;
  const BufferRef a = pool.acquire(1), b = pool.acquire(1);
  EXPECT_TRUE(a.get() == first || b.get() == first);
}

TEST(BufferPool, Sizes) {
  BufferPool pool(budget());
  EXPECT_EQ(pool.acquire(65'537)->capacity(), 131'072u);
  EXPECT_EQ(pool.acquire(1u << 20)->capacity(), 1u << 20);
  EXPECT_EQ(pool.acquire((1u << 20) + 1)->capacity(), (1u << 20) + 1);
  EXPECT_EQ(pool.acquire_exact(100)->capacity(), 100u);
}

TEST(BufferPool, ABufferMayOutliveItsPool) {
  std::optional<BufferPool> pool(std::in_place, budget());
  const BufferRef small = pool->acquire(1), large = pool->acquire(5u << 20);
  pool.reset();
  std::memset(small->data(), 1, small->capacity());
  std::memset(large->data(), 1, large->capacity());
}

TEST(BufferPool, BuffersDroppedByOtherThreadsAreReusedWhole) {
  BufferPool pool(budget());
  std::vector<std::thread> threads;
  std::array<std::atomic<std::shared_ptr<Buffer>>, 3> hands;
  std::atomic<bool> done = false;
  std::atomic<int> spoiled = 0;
  for (auto& hand : hands) {
    threads.emplace_back([&] {
      while (!done) {
        const BufferRef mine = hand.exchange(nullptr);
        if (mine == nullptr) continue;
        for (std::size_t i = 0; i < 1000; ++i) spoiled += mine->data()[i] != mine->data()[0] ? 1 : 0;
      }
    });
  }
  for (int i = 0; i < 20'000; ++i) {
    BufferRef buffer = pool.acquire(1);
    std::memset(buffer->data(), i, 1000);
    hands[static_cast<std::size_t>(i) % hands.size()].store(std::move(buffer));
  }
  done = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(spoiled, 0);
}

TEST(ReceiveBudget, TellsOnceWhenThereIsRoomAgain) {
  int told = 0;
  const auto counted = budget(100, [&] { ++told; });
  BufferPool pool(counted);
  BufferRef a = pool.acquire(1), b = pool.acquire(1);
  a->charge(60);
  EXPECT_TRUE(counted->has_room());
  b->charge(60);
  EXPECT_FALSE(counted->has_room());
  b = nullptr;
  EXPECT_EQ(told, 0) << "nobody waited";
  b = pool.acquire(1);
  b->charge(60);
  counted->wait_for_room(clock().now());
  EXPECT_EQ(told, 1) << "a period of starvation begins";
  EXPECT_FALSE(counted->has_room());
  a = nullptr;
  EXPECT_EQ(told, 2);
  b = nullptr;
  EXPECT_EQ(told, 2);
  EXPECT_EQ(counted->used(), 0);
}

TEST(ReceiveBudget, WhenItIsUsedUpOneGoesOnUntilItIsLetGo) {
  int told = 0;
  const auto counted = budget(100, [&] { ++told; });
  BufferPool pool(counted);
  BufferRef a = pool.acquire(1), b = pool.acquire(1), c = pool.acquire(1);
  for (const BufferRef& one : {a, b, c}) {
    one->charge(60);
    EXPECT_EQ(one->may_grow(), one != c) << "there is room, or the turn";
  }
  EXPECT_FALSE(a->may_grow());
  counted->wait_for_room(clock().now());
  BufferRef larger = pool.acquire(1u << 20);
  larger->take_over_charge(*b);
  b = nullptr;
  EXPECT_FALSE(a->may_grow()) << "the turn has gone to the larger buffer";
  EXPECT_TRUE(larger->may_grow());
  told = 0;
  larger = nullptr;
  EXPECT_EQ(told, 1);
  EXPECT_EQ(counted->used(), 120);
  EXPECT_TRUE(c->may_grow());
  EXPECT_FALSE(a->may_grow());
}

TEST(ReceiveBudget, APeriodOfStarvationEndsAWhileAfterTheLastWhoWaited) {
  testing::ManualClock clock;
  const auto counted = std::make_shared<ReceiveBudget>(100, clock, nullptr);
  const auto starve_for = [&](env::Duration time) {
    counted->charge(100);
    counted->wait_for_room(clock.now());
    for (env::Duration gone{}; gone < time; gone += std::chrono::seconds(1)) {
      clock.advance(std::chrono::seconds(1));
      EXPECT_TRUE(counted->starves(clock.now()));
    }
    counted->let_go(100);
  };
  EXPECT_FALSE(counted->starves(clock.now()));
  starve_for(std::chrono::seconds(60));
  clock.advance(ReceiveBudget::kPeriodEnds - std::chrono::seconds(1));
  starve_for(std::chrono::seconds(1));
  EXPECT_EQ(counted->period(), 1u);
  EXPECT_EQ(counted->depleted(), std::chrono::seconds(61));
  clock.advance(ReceiveBudget::kPeriodEnds);
  EXPECT_FALSE(counted->starves(clock.now()));
  starve_for(std::chrono::seconds(1));
  EXPECT_EQ(counted->period(), 2u);
}

}  // namespace
}  // namespace moldau::net
