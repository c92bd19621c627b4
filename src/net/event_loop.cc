#include "net/event_loop.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"

namespace moldau::net {
namespace {

constexpr int kEventsPerTurn = 128;
constexpr env::Duration kClose = std::chrono::milliseconds(50);

}  // namespace

EventLoop::EventLoop(const env::Clock& clock, std::unique_ptr<env::Random> random)
    : clock_(clock), random_(std::move(random)), now_(clock.now()), wheel_(now_) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  CHECK(epoll_ >= 0 && wake_ >= 0, "no file descriptors left for a loop");
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;  // edges: nobody has to read the counter back
  event.data.ptr = nullptr;
  CHECK(epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) == 0);
}

EventLoop::~EventLoop() {
  ::close(wake_);
  ::close(epoll_);
}

std::int64_t EventLoop::wall_ms() const {
  if (wall_ms_ < 0) wall_ms_ = clock_.wall_ms();
  return wall_ms_;
}

void EventLoop::post(env::Task& task) {
  if (box_.push(task)) {
    const std::uint64_t one = 1;
    CHECK(write(wake_, &one, sizeof one) == sizeof one);
  }
}

void EventLoop::stop() { post(stop_task_); }

void EventLoop::run() {
  stopping_ = false;
  std::array<epoll_event, kEventsPerTurn> events;
  while (!stopping_) {
    const int count = wait(events);
    counters_.turns.add(1);
    read_clock();
    for (Watcher* watcher : this_turn_) {
      if (watcher == nullptr) continue;
      watcher->waits_for_next_turn_ = false;
      watcher->ready(0);
    }
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.ptr != nullptr) static_cast<Watcher*>(event.data.ptr)->ready(event.events);
    }
    run_letters();
    wheel_.advance(now_);
    end_turn();
  }
}

// The number of events that have come.
int EventLoop::wait(std::span<epoll_event> events) {
  const int longest = wait_ms();
  const bool may_rest = on_rest_ && !rests_ && (longest < 0 || longest > rest_ms_);
  const int count =
      epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), may_rest ? rest_ms_ : longest);
  CHECK(count >= 0 || errno == EINTR);
  if (count > 0) rests_ = false;
  if (count == 0 && may_rest) {
    rests_ = true;
    on_rest_();
  }
  return count;
}

int EventLoop::wait_ms() {
  this_turn_.clear();
  std::swap(this_turn_, next_turn_);
  if (!this_turn_.empty() || !box_.try_sleep()) return 0;
  const auto deadline = wheel_.next_deadline();
  if (!deadline) return -1;
  env::Duration left = *deadline - now_;
  if (left < kClose) left = *deadline - clock_.now();  // far ones do not notice how long this turn took
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, std::numeric_limits<int>::max()));
}

void EventLoop::read_clock() {
  now_ = clock_.now();
  wall_ms_ = -1;
}

void EventLoop::run_letters() {
  for (env::Task* task = box_.take_all(); task != nullptr;) {
    env::Task* next = task->box_next;  // `task` may be gone, or in a box again, after it ran
    task->run();
    rests_ = false;
    task = next;
  }
}

void EventLoop::end_turn() {
  for (std::size_t i = 0; i < ends_.size(); ++i) {  // grows while it is walked
    if (ends_[i] == nullptr) continue;
    ends_[i]->waits_for_end_of_turn_ = false;
    ends_[i]->turn_ends();
  }
  ends_.clear();
  forgotten_.clear();
}

bool EventLoop::watch(int fd, std::uint32_t events, Watcher& watcher) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watcher;
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void EventLoop::change(int fd, std::uint32_t events, Watcher& watcher) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watcher;
  CHECK(epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) == 0, "epoll_ctl(MOD)");
}

void EventLoop::next_turn(Watcher& watcher) {
  if (watcher.waits_for_next_turn_) return;
  watcher.waits_for_next_turn_ = true;
  next_turn_.push_back(&watcher);
}

void EventLoop::at_end_of_turn(Watcher& watcher) {
  if (watcher.waits_for_end_of_turn_) return;
  watcher.waits_for_end_of_turn_ = true;
  ends_.push_back(&watcher);
}

void EventLoop::forget(Watcher& watcher, std::shared_ptr<void> keep) {
  if (watcher.waits_for_next_turn_) {
    std::ranges::replace(next_turn_, &watcher, static_cast<Watcher*>(nullptr));
    std::ranges::replace(this_turn_, &watcher, static_cast<Watcher*>(nullptr));
    watcher.waits_for_next_turn_ = false;
  }
  if (watcher.waits_for_end_of_turn_) {
    std::ranges::replace(ends_, &watcher, static_cast<Watcher*>(nullptr));
    watcher.waits_for_end_of_turn_ = false;
  }
  forgotten_.push_back(std::move(keep));
}

}  // namespace moldau::net
