#include "os/background.h"

#include <chrono>
#include <pthread.h>

#include "base/check.h"
#include "os/memory.h"

namespace moldau::os {
namespace {

// Without work for so long, a thread gives back the memory that its last jobs have left it.
constexpr std::chrono::seconds kRest{3};

}  // namespace

Background::Background(unsigned threads, std::size_t queue_limit) : queue_limit_(queue_limit) {
  CHECK(threads > 0);
  for (unsigned i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { work(); });
    pthread_setname_np(threads_.back().native_handle(), "moldau-work");
  }
}

Background::~Background() { stop(); }

bool Background::submit(std::uint64_t key, std::move_only_function<void()> job) {
  const std::lock_guard lock(mutex_);
  if (stopping_ || queued_ >= queue_limit_) return false;
  const auto [jobs, is_new] = waiting_.try_emplace(key);
  jobs->second.push_back(std::move(job));
  ++queued_;
  if (is_new) {
    ready_.push_back(key);
    changed_.notify_one();
  }
  return true;
}

void Background::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

std::size_t Background::queued() const {
  const std::lock_guard lock(mutex_);
  return queued_;
}

void Background::work() {
  std::unique_lock lock(mutex_);
  const auto wanted = [&] { return !ready_.empty() || (stopping_ && queued_ == 0); };
  for (;;) {
    if (!changed_.wait_for(lock, kRest, wanted)) {
      lock.unlock();
      give_back_memory();
      lock.lock();
    }
    changed_.wait(lock, wanted);
    if (ready_.empty()) return;
    const std::uint64_t key = ready_.front();
    ready_.pop_front();
    auto job = std::move(waiting_[key].front());
    waiting_[key].pop_front();
    --queued_;
    lock.unlock();
    job();
    job = nullptr;  // what it holds is let go outside the lock too
    lock.lock();
    const auto jobs = waiting_.find(key);
    if (jobs->second.empty()) {
      waiting_.erase(jobs);
    } else {
      ready_.push_back(key);
      changed_.notify_one();
    }
    if (stopping_ && queued_ == 0) changed_.notify_all();
  }
}

}  // namespace moldau::os
