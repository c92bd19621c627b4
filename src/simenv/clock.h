// Virtual time and seeded randomness. One thread.
#pragma once

#include "env/clock.h"
#include "env/random.h"

namespace moldau::simenv {

// Moves only when told to. The wall clock can jump by itself, as real ones do.
class Clock final : public env::Clock {
 public:
  explicit Clock(std::int64_t wall_ms = 1'700'000'000'000) : wall_(std::chrono::milliseconds(wall_ms)) {}

  env::Instant now() const override { return {elapsed_}; }
  std::int64_t wall_ms() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(wall_).count();
  }
  void advance(env::Duration by) { elapsed_ += by, wall_ += by; }
  void advance_ms(std::int64_t by) { advance(std::chrono::milliseconds(by)); }
  void jump_wall_ms(std::int64_t by) { wall_ += std::chrono::milliseconds(by); }

 private:
  env::Duration elapsed_{};
  env::Duration wall_;
};

// xoshiro256**: the same numbers for the same seed, everywhere.
class Random final : public env::Random {
 public:
  explicit Random(std::uint64_t seed) {
    for (auto& word : state_) word = mix(seed += 0x9e3779b97f4a7c15);
  }

  std::uint64_t next() override {
    const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate(state_[3], 45);
    return result;
  }
  // True once in `n` times on average.
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  // Uniform in [low, high].
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }

 private:
  static std::uint64_t rotate(std::uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }
  static std::uint64_t mix(std::uint64_t z) {  // splitmix64's finalizer
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::uint64_t state_[4];
};

}  // namespace moldau::simenv
