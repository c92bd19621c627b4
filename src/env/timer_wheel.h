// A hierarchical timing wheel: schedule, re-schedule and cancel in O(1), a few nanoseconds each.
//
// Time is counted in ticks of 2^20 ns (1.05 ms). Level 0 has one slot a tick, each level above 64 times
// coarser slots. A timer lies in the level of the highest 6-bit digit in which its tick differs from the
// wheel's position, in the slot of that digit; when the position reaches a coarse slot, its timers fall to
// finer ones:
//
//      level 2  |.|.|X|.|...      slot = 64*64 ticks
//      level 1  |.|.|.|X|...      slot = 64 ticks           position ──advance──▶
//      level 0  |.|X|.|X|...      slot = 1 tick
//
// Always: an occupied slot lies ahead of the position, and every timer of a finer level expires before any of
// a coarser one. A timer never expires early, and at most one tick late after advance. Timers of one tick
// expire in the order in which they were scheduled. Deterministic; owned by one thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "env/clock.h"
#include "env/loop.h"

namespace moldau::env {

class TimerWheel {
 public:
  static constexpr int kTickShift = 20;
  static constexpr Duration kTick{std::int64_t{1} << kTickShift};

  explicit TimerWheel(Instant now);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // A deadline that has passed expires with the next tick. Re-schedules a timer that is scheduled here.
  void schedule(Timer& timer, Instant deadline);
  void cancel(Timer& timer);  // no-op if not scheduled
  // Calls every timer whose deadline has come; they may schedule and cancel any timer of the wheel.
  void advance(Instant now);

  // When advance should be called next: never later than the earliest deadline's tick, but possibly earlier
  // (a coarse slot has to be spread). nullopt: nothing is scheduled.
  std::optional<Instant> next_deadline() const;
  bool empty() const { return used_levels_ == 0; }

 private:
  static constexpr int kDigitBits = 6;
  static constexpr int kSlots = 1 << kDigitBits;
  static constexpr int kLevels = 8;  // 48 bits of ticks: more than an Instant can hold

  struct Slot {
    int level;
    int index;
    std::uint64_t start;  // tick
  };

  Slot slot_of(std::uint64_t tick) const;
  Slot first_slot() const;  // REQUIRES: !empty()
  void link(Timer& timer);
  void unlink(Timer& timer, const Slot& slot);
  void expire(const Slot& slot);
  void spread(const Slot& slot);

  std::uint64_t now_tick_;  // of the last advance
  std::uint64_t position_;  // where the slots are counted from; lags behind now_tick_ only within advance
  std::uint32_t used_levels_ = 0;
  std::array<std::uint64_t, kLevels> used_slots_{};
  std::array<std::array<Timer*, kSlots>, kLevels> first_{};  // circular lists
};

}  // namespace moldau::env
