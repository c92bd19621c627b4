// Receive buffers: counted, recycled, one pool a loop. A buffer belongs to whoever holds a reference and goes
// back to its pool when the last one is dropped, on whatever thread; the pool may be gone by then. Taking and
// returning one allocates nothing: the counts live in the buffer too.
//
// Sizes are powers of two from 64 KiB to 1 MiB; larger ones are made to measure and not kept: the system
// gives them memory page by page as they are written to, and has it back when they are dropped. acquire() and
// the destructor: the loop's thread (or when it has ended).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "net/receive_budget.h"

namespace moldau::net {

class BufferPool;

class Buffer {
 public:
  std::uint8_t* data() { return reinterpret_cast<std::uint8_t*>(this + 1); }
  std::size_t capacity() const { return capacity_; }
  // Counts `bytes` of request against the budget for as long as this buffer is held. Before it is shared.
  void charge(std::size_t bytes);
  // Whether there is room for more in it, see ReceiveBudget::may_grow. Before it is shared.
  bool may_grow();
  void is_whole();
  // What counts for `other` counts for this one from now on.
  void take_over_charge(Buffer& other);

 private:
  friend class BufferPool;
  struct Returns;
  struct Home;
  template <typename T>
  struct CountsInside;

  std::shared_ptr<Home> home_;
  Buffer* next_ = nullptr;
  std::size_t capacity_ = 0;
  std::int64_t charged_ = 0;
  ReceiveBudget::Turn turn_ = 0;
  alignas(std::max_align_t) std::array<std::byte, 64> counts_;  // of the shared_ptr
};

using BufferRef = std::shared_ptr<Buffer>;

class BufferPool {
 public:
  static constexpr std::size_t kSmallest = 64u << 10;
  static constexpr std::size_t kLargest = 1u << 20;
  static constexpr std::size_t kKeptBytes = 2u << 20;  // in all, while nobody uses them

  explicit BufferPool(std::shared_ptr<ReceiveBudget> budget);
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // At least `size` bytes, with old content. Above kLargest exactly `size`. Throws std::bad_alloc.
  BufferRef acquire(std::size_t size);
  // Exactly `size` bytes, not kept for reuse: for what may lie around long.
  BufferRef acquire_exact(std::size_t size);
  const ReceiveBudget& budget() const { return *budget_; }

 private:
  static constexpr int kClasses = 5;
  BufferRef hand_out(Buffer* buffer);
  void take_back_returned();

  std::shared_ptr<ReceiveBudget> budget_;
  std::shared_ptr<Buffer::Home> home_;
  std::array<Buffer*, kClasses> free_{};
  std::size_t free_bytes_ = 0;
};

}  // namespace moldau::net
