#include "loadgen/poller.h"

#include <algorithm>
#include <unistd.h>

#include "base/check.h"
#include "loadgen/clock.h"

namespace moldau::bench {
namespace {

epoll_event event_for(std::size_t index, bool output) {
  epoll_event event{};
  event.events = EPOLLIN | (output ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
  event.data.u64 = index;
  return event;
}

}  // namespace

Poller::Poller() : epoll_(epoll_create1(EPOLL_CLOEXEC)), events_(512) { CHECK(epoll_ >= 0); }
Poller::~Poller() { close(epoll_); }

void Poller::add(int fd, std::size_t index, bool output) {
  epoll_event event = event_for(index, output);
  CHECK(epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0);
  if (index >= watching_output_.size()) watching_output_.resize(index + 1);
  watching_output_[index] = output;
}

void Poller::watch_output(int fd, std::size_t index, bool output) {
  if (watching_output_[index] == output) return;
  epoll_event event = event_for(index, output);
  CHECK(epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) == 0);
  watching_output_[index] = output;
}

void Poller::remove(int fd) { CHECK(epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr) == 0); }

std::span<const Ready> Poller::wait(std::int64_t until_ns) {
  const std::int64_t left = std::max<std::int64_t>(0, until_ns - now_ns());
  const timespec timeout{left / kSecond, left % kSecond};
  const int count = epoll_pwait2(epoll_, events_.data(), static_cast<int>(events_.size()), &timeout, nullptr);
  ready_.clear();
  for (int i = 0; i < count; ++i) {
    const std::uint32_t bits = events_[static_cast<std::size_t>(i)].events;
    ready_.push_back({static_cast<std::size_t>(events_[static_cast<std::size_t>(i)].data.u64),
                      (bits & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0, (bits & EPOLLOUT) != 0});
  }
  return ready_;
}

}  // namespace moldau::bench
