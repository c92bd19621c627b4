#include "net/buffer_pool.h"

#include <atomic>
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace moldau::net {
namespace {

std::shared_ptr<ReceiveBudget> budget(std::int64_t limit = -1, std::function<void()> room = nullptr) {
  return std::make_shared<ReceiveBudget>(limit, std::move(room));
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
  EXPECT_FALSE(counted->wait_for_room());
  a = nullptr;
  EXPECT_EQ(told, 1);
  b = nullptr;
  EXPECT_EQ(told, 1);
  EXPECT_EQ(counted->used(), 0);
}

}  // namespace
}  // namespace moldau::net
