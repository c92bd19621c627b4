// The thread pool for what may block: sync, deletion, cold reads.
//
// Jobs of one key run in the order of submission, one at a time; jobs of different keys in any order, at
// once. What has been accepted is run: stop() (and the destructor) finish the queue before they return.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "env/loop.h"

namespace moldau::os {

class Background final : public env::Background {
 public:
  // REQUIRES: threads > 0. `queue_limit`: jobs accepted and not yet begun, of all keys.
  explicit Background(unsigned threads, std::size_t queue_limit = 100'000);
  ~Background() override;

  // False also after stop(). Any thread, jobs included.
  bool submit(std::uint64_t key, std::move_only_function<void()> job) override;
  // Accepts no more, runs what is queued, joins the threads. Not from a job. Further calls do nothing.
  void stop();
  std::size_t queued() const;  // any thread

 private:
  using Jobs = std::deque<std::move_only_function<void()>>;
  void work();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<std::uint64_t, Jobs> waiting_;  // a key is here while it has jobs waiting or running
  std::deque<std::uint64_t> ready_;                  // keys with jobs and none running
  std::size_t queued_ = 0;
  std::size_t queue_limit_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace moldau::os
