#include "group/timers.h"

namespace moldau::group {

void Deadline::set(env::Instant at) {
  clear();
  timers_.wheel_.schedule(*this, at);
}

void Deadline::clear() {
  timers_.wheel_.cancel(*this);
  if (due_) std::erase(timers_.due_, this);
  due_ = false;
}

void Deadline::expired() {
  due_ = true;
  timers_.due_.push_back(this);
}

std::optional<Due> Timers::take(env::Instant now) {
  if (due_.empty()) wheel_.advance(now);
  if (due_.empty()) return std::nullopt;
  Deadline* first = due_.front();
  due_.pop_front();
  first->due_ = false;
  return first->what_;
}

std::optional<env::Instant> Timers::next() const {
  if (!due_.empty()) return env::Instant{};
  return wheel_.next_deadline();
}

}  // namespace moldau::group
