// Time as the core sees it. Two clocks that must not be mixed: the wall (record timestamps, retention; may
// jump) and a monotonic one (deadlines; never goes back). Real ones in src/os, virtual ones in src/sim. Any
// thread.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace moldau::env {

using Duration = std::chrono::nanoseconds;

// A point of monotonic time. Instant - Instant is a Duration.
struct Instant {
  Duration since_origin{};

  constexpr auto operator<=>(const Instant&) const = default;
  friend constexpr Instant operator+(Instant i, Duration d) { return {i.since_origin + d}; }
  friend constexpr Duration operator-(Instant a, Instant b) { return a.since_origin - b.since_origin; }
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  virtual std::int64_t wall_ms() const = 0;  // milliseconds since 1970-01-01 UTC, as Kafka stores them
};

}  // namespace moldau::env
