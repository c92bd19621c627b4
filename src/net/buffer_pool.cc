#include "net/buffer_pool.h"

#include <bit>
#include <new>
#include <sys/mman.h>
#include <utility>

#include "base/check.h"

namespace moldau::net {
namespace {

int class_of(std::size_t size) {
  if (size <= BufferPool::kSmallest) return 0;
  return std::countr_zero(std::bit_ceil(size)) - std::countr_zero(BufferPool::kSmallest);
}

}  // namespace

// Where buffers go back to. A stack that any thread pushes to; closed when the pool goes.
struct Buffer::Home {
  explicit Home(std::shared_ptr<ReceiveBudget> b) : budget(std::move(b)) {}

  static Buffer* make(std::shared_ptr<Home> home, std::size_t capacity) {
    const std::size_t size = sizeof(Buffer) + capacity;
    void* memory = capacity > BufferPool::kLargest ? map(size) : ::operator new(size);
    auto* buffer = ::new (memory) Buffer;
    buffer->home_ = std::move(home);
    buffer->capacity_ = capacity;
    return buffer;
  }
  static void destroy(Buffer* buffer) {
    const std::size_t capacity = buffer->capacity_;
    buffer->~Buffer();
    if (capacity > BufferPool::kLargest) {
      ::munmap(buffer, sizeof(Buffer) + capacity);
    } else {
      ::operator delete(buffer);
    }
  }
  // Costs memory only where it is written to, in small pages: 90 MB announced are not 90 MB held.
  static void* map(std::size_t size) {
    void* memory =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    ::madvise(memory, size, MADV_NOHUGEPAGE);  // a kernel without huge pages refuses, and needs none
    return memory;
  }
  static bool is_recycled(const Buffer& buffer) {
    return buffer.capacity_ >= BufferPool::kSmallest && buffer.capacity_ <= BufferPool::kLargest &&
           std::has_single_bit(buffer.capacity_);
  }
  // Destroying the buffer may destroy this too: nothing follows it.
  void give_back(Buffer* buffer) {
    if (buffer->charged_ != 0) budget->let_go(std::exchange(buffer->charged_, 0));
    if (buffer->turn_ != 0) budget->end_turn(std::exchange(buffer->turn_, 0));
    if (!is_recycled(*buffer)) return destroy(buffer);
    Buffer* seen = returned.load(std::memory_order_relaxed);
    do {
      if (seen == closed()) return destroy(buffer);
      buffer->next_ = seen;
    } while (
        !returned.compare_exchange_weak(seen, buffer, std::memory_order_release, std::memory_order_relaxed));
  }
  Buffer* take_all() { return returned.exchange(nullptr, std::memory_order_acquire); }
  Buffer* close() { return returned.exchange(closed(), std::memory_order_acquire); }
  Buffer* closed() { return reinterpret_cast<Buffer*>(this); }

  std::shared_ptr<ReceiveBudget> budget;
  std::atomic<Buffer*> returned{nullptr};
};

// The counts of a buffer's shared_ptr are its last use, so giving them back gives the buffer back.
template <typename T>
struct Buffer::CountsInside {
  using value_type = T;
  explicit CountsInside(Buffer* b) : buffer(b) {}
  template <typename U>
  CountsInside(const CountsInside<U>& other) : buffer(other.buffer) {}  // NOLINT(google-explicit-constructor)
  T* allocate(std::size_t n) {
    static_assert(sizeof(T) <= sizeof(Buffer::counts_));
    CHECK(n == 1);
    return reinterpret_cast<T*>(buffer->counts_.data());
  }
  void deallocate(T*, std::size_t) { buffer->home_->give_back(buffer); }
  template <typename U>
  bool operator==(const CountsInside<U>& other) const {
    return buffer == other.buffer;
  }
  Buffer* buffer;
};

struct Buffer::Returns {
  void operator()(Buffer*) const {}  // see CountsInside
};

void Buffer::charge(std::size_t bytes) {
  if (!home_->budget->counts()) return;
  charged_ += static_cast<std::int64_t>(bytes);
  home_->budget->charge(static_cast<std::int64_t>(bytes));
}

bool Buffer::may_grow() { return home_->budget->may_grow(turn_); }

void Buffer::is_whole() { home_->budget->is_whole(turn_); }

void Buffer::take_over_charge(Buffer& other) {
  charged_ += std::exchange(other.charged_, 0);
  if (other.turn_ != 0) turn_ = std::exchange(other.turn_, 0);
}

BufferPool::BufferPool(std::shared_ptr<ReceiveBudget> budget)
    : budget_(std::move(budget)), home_(std::make_shared<Buffer::Home>(budget_)) {}

BufferPool::~BufferPool() {
  free_[0] = [&, all = home_->close()] {  // the rest of `free_` needs no sorting any more
    Buffer* list = free_[0];
    for (Buffer* b = all; b != nullptr;) list = std::exchange(b, std::exchange(b->next_, list));
    return list;
  }();
  for (Buffer* list : free_) {
    while (list != nullptr) Buffer::Home::destroy(std::exchange(list, list->next_));
  }
}

BufferRef BufferPool::acquire(std::size_t size) {
  if (size > kLargest) return acquire_exact(size);
  const int wanted = class_of(size);
  auto& list = free_[static_cast<std::size_t>(wanted)];
  if (list == nullptr) take_back_returned();
  if (list == nullptr) return hand_out(Buffer::Home::make(home_, kSmallest << wanted));
  Buffer* buffer = std::exchange(list, list->next_);
  free_bytes_ -= buffer->capacity_;
  return hand_out(buffer);
}

BufferRef BufferPool::acquire_exact(std::size_t size) {
  if (size >= kSmallest && size <= kLargest) return acquire(size);
  return hand_out(Buffer::Home::make(home_, size));
}

BufferRef BufferPool::hand_out(Buffer* buffer) {
  return BufferRef(buffer, Buffer::Returns{}, Buffer::CountsInside<Buffer>(buffer));
}

void BufferPool::take_back_returned() {
  for (Buffer* buffer = home_->take_all(); buffer != nullptr;) {
    Buffer* next = buffer->next_;
    if (free_bytes_ + buffer->capacity_ > kKeptBytes) {
      Buffer::Home::destroy(buffer);
    } else {
      auto& list = free_[static_cast<std::size_t>(class_of(buffer->capacity_))];
      buffer->next_ = std::exchange(list, buffer);
      free_bytes_ += buffer->capacity_;
    }
    buffer = next;
  }
}

}  // namespace moldau::net
