#include "sim/loop.h"

#include <utility>

namespace moldau::sim {

void Loop::ask_for_turns() {
  if (!letters_.empty() && !letter_turn_asked_) {
    letter_turn_asked_ = true;
    wake_at(clock_.now() + microseconds(delays_.between(5, delays_.one_in(8) ? 3000 : 150)));
  }
  if (const auto deadline = wheel_.next_deadline())
    wake_at(std::max(*deadline, clock_.now() + microseconds(1)));
}

void Loop::wake_at(env::Instant when) {
  if (next_turn_ && *next_turn_ <= when) return;
  next_turn_ = when;
  events_.at(when, [weak = weak_from_this(), when] {
    const auto self = weak.lock();
    if (self && self->next_turn_ == when) self->turn();
  });
}

void Loop::turn() {
  next_turn_.reset();
  letter_turn_asked_ = false;
  now_ = clock_.now();
  for (env::Task* task : std::exchange(letters_, {})) task->run();
  wheel_.advance(clock_.now());
  ask_for_turns();
}

bool Loop::drain() {
  for (int rounds = 0; !letters_.empty(); ++rounds) {
    if (rounds == 1000) return false;
    for (env::Task* task : std::exchange(letters_, {})) task->run();
  }
  return true;
}

}  // namespace moldau::sim
