// Serial<T>: a T that one thread at a time touches, without anybody waiting (a combining lock).
//
// Take it and run; if it is taken, leave the job with the holder, who runs all jobs left before letting go:
//
//      free ──execute──▶ held ──execute by another──▶ held + jobs
//        ▲                │                               │
//        └──── release ───┴──── holder runs the jobs ◀────┘
//
// A free Serial costs one uncontended compare-and-swap each way. Jobs run in the order in which they were
// left. The T inside knows nothing of threads. In the simulation nobody contends and a job always runs at
// once.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

namespace moldau::env {

template <typename T>
class Serial {
 public:
  // Something to do with the T. Alive until `run` has been called; `run` may destroy the job itself.
  class Job {
   public:
    virtual ~Job() = default;
    virtual void run(T& value) = 0;

   private:
    friend class Serial;
    Job* next_ = nullptr;
  };

  template <typename... Args>
  explicit Serial(Args&&... args) : value_(std::forward<Args>(args)...) {}
  Serial(const Serial&) = delete;
  Serial& operator=(const Serial&) = delete;

  // Runs `job` now, or leaves it with the thread that holds the T. Never waits. Any thread.
  void execute(Job& job) {
    if (!take_or_leave(job)) return;
    job.run(value_);
    release();
  }

  // Runs `function(T&)` and returns its result, waiting for the holder if there is one. For rare work
  // (administration, background); never from within a job of the same Serial.
  template <typename F>
  std::invoke_result_t<F&, T&> with(F&& function) {
    Waiting<F> job(function, finished_);
    if (take_or_leave(job)) {
      job.work(value_);
      release();
    } else {
      job.wait();
    }
    if constexpr (!std::is_void_v<std::invoke_result_t<F&, T&>>) return std::move(*job.result);
  }

 private:
  // Lies on the stack of who waits, and is gone as soon as `done` is seen: the waking is done on a count of
  // the Serial's own, which whoever runs jobs keeps alive anyway.
  template <typename F>
  struct Waiting final : Job {
    using R = std::invoke_result_t<F&, T&>;
    Waiting(F& f, std::atomic<std::uint32_t>& of_all) : function(f), finished(of_all) {}
    void work(T& value) {
      if constexpr (std::is_void_v<R>) {
        function(value);
      } else {
        result.emplace(function(value));
      }
    }
    void run(T& value) override {
      work(value);
      std::atomic<std::uint32_t>& count = finished;
      done.store(true, std::memory_order_release);
      count.fetch_add(1, std::memory_order_acq_rel);
      count.notify_all();
    }
    void wait() const {
      for (;;) {
        const std::uint32_t seen = finished.load(std::memory_order_acquire);
        if (done.load(std::memory_order_acquire)) return;
        finished.wait(seen, std::memory_order_acquire);
      }
    }
    F& function;
    std::atomic<std::uint32_t>& finished;
    std::conditional_t<std::is_void_v<R>, bool, std::optional<std::conditional_t<std::is_void_v<R>, bool, R>>>
        result{};
    std::atomic<bool> done{false};
  };

  // Marks "held, no jobs left". A real job's address never equals it.
  Job* held() { return reinterpret_cast<Job*>(this); }

  bool take_or_leave(Job& job) {
    Job* seen = nullptr;
    for (;;) {
      if (seen == nullptr) {
        if (jobs_.compare_exchange_weak(seen, held(), std::memory_order_acquire)) return true;
      } else {
        job.next_ = seen;
        if (jobs_.compare_exchange_weak(seen, &job, std::memory_order_release, std::memory_order_relaxed))
          return false;
      }
    }
  }

  void release() {
    for (;;) {
      Job* seen = held();
      if (jobs_.compare_exchange_strong(seen, nullptr, std::memory_order_acq_rel)) return;
      run_left(jobs_.exchange(held(), std::memory_order_acq_rel));
    }
  }

  // `newest` is the top of a stack whose bottom is the mark: turned round, the jobs run in order of arrival.
  void run_left(Job* newest) {
    Job* first = nullptr;
    while (newest != held()) first = std::exchange(newest, std::exchange(newest->next_, first));
    while (first != nullptr) {
      Job* job = std::exchange(first, first->next_);
      job->run(value_);
    }
  }

  std::atomic<Job*> jobs_{nullptr};
  std::atomic<std::uint32_t> finished_{0};  // jobs of with() that another thread has run
  T value_;
};

}  // namespace moldau::env
