#include "replica/move_throttle.h"

#include <algorithm>
#include <chrono>

namespace moldau::replica {

void MoveThrottle::State::pay(env::Instant now) {
  const std::chrono::duration<double> passed = now - since;
  since = std::max(since, now);
  if (passed.count() > 0) debt = std::max(0.0, debt - static_cast<double>(rate) * passed.count());
}

void MoveThrottle::set_rate(std::int64_t bytes_per_second, env::Instant now) {
  state_.with([&](State& s) {
    s.pay(now);
    s.rate = std::max<std::int64_t>(bytes_per_second, 0);
  });
}

std::uint64_t MoveThrottle::room(env::Instant now) {
  return state_.with([&](State& s) -> std::uint64_t {
    if (s.rate == kUnlimited) return kUnlimited;
    s.pay(now);
    const double left = static_cast<double>(s.rate) - s.debt;
    return left > 0 ? std::max<std::uint64_t>(static_cast<std::uint64_t>(left), 1) : 0;
  });
}

void MoveThrottle::copied(std::uint64_t bytes, env::Instant now) {
  state_.with([&](State& s) {
    if (s.rate == kUnlimited) return;
    s.pay(now);
    s.debt += static_cast<double>(bytes);
  });
}

}  // namespace moldau::replica
