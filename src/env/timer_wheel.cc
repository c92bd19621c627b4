#include "env/timer_wheel.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

namespace moldau::env {
namespace {

constexpr std::int64_t kLatest = std::numeric_limits<std::int64_t>::max() - TimerWheel::kTick.count();

// The tick that contains `i`; time before the origin counts as the origin.
std::uint64_t tick_at(Instant i) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(i.since_origin.count(), 0)) >>
         TimerWheel::kTickShift;
}

// The first tick that starts at or after `i`.
std::uint64_t tick_from(Instant i) {
  const std::int64_t ns = std::clamp<std::int64_t>(i.since_origin.count(), 0, kLatest);
  return (static_cast<std::uint64_t>(ns) + (1u << TimerWheel::kTickShift) - 1) >> TimerWheel::kTickShift;
}

Instant start_of(std::uint64_t tick) {
  return Instant{Duration(static_cast<std::int64_t>(tick << TimerWheel::kTickShift))};
}

}  // namespace

TimerWheel::TimerWheel(Instant now) : now_tick_(tick_at(now)), position_(now_tick_) {}

void TimerWheel::schedule(Timer& timer, Instant deadline) {
  cancel(timer);
  timer.deadline = start_of(std::max(tick_from(deadline), now_tick_ + 1));
  link(timer);
}

void TimerWheel::cancel(Timer& timer) {
  if (timer.scheduled) unlink(timer, slot_of(tick_at(timer.deadline)));
}

void TimerWheel::advance(Instant now) {
  const std::uint64_t tick = tick_at(now);
  if (tick <= now_tick_) return;
  now_tick_ = tick;
  while (!empty()) {
    const Slot slot = first_slot();
    if (slot.start > now_tick_) break;
    position_ = slot.start;
    if (slot.level == 0) {
      expire(slot);
    } else {
      spread(slot);
    }
  }
  position_ = now_tick_;
}

std::optional<Instant> TimerWheel::next_deadline() const {
  if (empty()) return std::nullopt;
  return start_of(first_slot().start);
}

TimerWheel::Slot TimerWheel::slot_of(std::uint64_t tick) const {
  const int level = (63 - std::countl_zero((tick ^ position_) | 1)) / kDigitBits;
  const int shift = level * kDigitBits;
  return {level, static_cast<int>((tick >> shift) & (kSlots - 1)), tick >> shift << shift};
}

TimerWheel::Slot TimerWheel::first_slot() const {
  const int level = std::countr_zero(used_levels_);
  const int index = std::countr_zero(used_slots_[static_cast<std::size_t>(level)]);
  const int shift = level * kDigitBits;
  const std::uint64_t above = position_ >> (shift + kDigitBits) << (shift + kDigitBits);
  return {level, index, above | (static_cast<std::uint64_t>(index) << shift)};
}

void TimerWheel::link(Timer& timer) {
  const Slot slot = slot_of(tick_at(timer.deadline));
  Timer*& first = first_[static_cast<std::size_t>(slot.level)][static_cast<std::size_t>(slot.index)];
  if (first == nullptr) {
    first = timer.wheel_next = timer.wheel_previous = &timer;
    used_slots_[static_cast<std::size_t>(slot.level)] |= std::uint64_t{1} << slot.index;
    used_levels_ |= 1u << slot.level;
  } else {
    Timer* last = first->wheel_previous;
    timer.wheel_next = first;
    timer.wheel_previous = last;
    last->wheel_next = first->wheel_previous = &timer;
  }
  timer.scheduled = true;
}

void TimerWheel::unlink(Timer& timer, const Slot& slot) {
  Timer*& first = first_[static_cast<std::size_t>(slot.level)][static_cast<std::size_t>(slot.index)];
  if (timer.wheel_next == &timer) {
    first = nullptr;
    auto& used = used_slots_[static_cast<std::size_t>(slot.level)];
    used &= ~(std::uint64_t{1} << slot.index);
    if (used == 0) used_levels_ &= ~(1u << slot.level);
  } else {
    timer.wheel_next->wheel_previous = timer.wheel_previous;
    timer.wheel_previous->wheel_next = timer.wheel_next;
    if (first == &timer) first = timer.wheel_next;
  }
  timer.wheel_next = timer.wheel_previous = nullptr;
  timer.scheduled = false;
}

void TimerWheel::expire(const Slot& slot) {
  // One by one: a timer called may cancel its neighbours. Nothing new comes here, see schedule.
  Timer*& first = first_[0][static_cast<std::size_t>(slot.index)];
  while (first != nullptr) {
    Timer& timer = *first;
    unlink(timer, slot);
    timer.expired();
  }
}

void TimerWheel::spread(const Slot& slot) {
  Timer*& first = first_[static_cast<std::size_t>(slot.level)][static_cast<std::size_t>(slot.index)];
  while (first != nullptr) {
    Timer& timer = *first;
    unlink(timer, slot);
    link(timer);
  }
}

}  // namespace moldau::env
