// The monotonic clock, and this process's place on the machine. Nanoseconds.
#pragma once

#include <cstdint>
#include <ctime>

namespace moldau::bench {

inline constexpr std::int64_t kSecond = 1'000'000'000;

inline std::int64_t clock_ns(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return t.tv_sec * kSecond + t.tv_nsec;
}
inline std::int64_t now_ns() { return clock_ns(CLOCK_MONOTONIC); }
inline std::int64_t wall_ms() { return clock_ns(CLOCK_REALTIME) / 1'000'000; }

}  // namespace moldau::bench
