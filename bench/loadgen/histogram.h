// A latency histogram of log-linear buckets: 128 buckets for each power of two, so a percentile is at most
// 1/128 above the true value; the largest value is kept exactly. Values are nanoseconds up to 2^42 (73
// minutes); greater ones count as 2^42. Adding costs one increment and never allocates. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace moldau::bench {

class Histogram {
 public:
  // Negative values count as 0: a reply cannot precede its intended time by more than the clock's resolution.
  void add(std::int64_t value_ns, std::uint64_t times = 1);
  void clear() { *this = Histogram{}; }

  std::uint64_t count() const { return count_; }
  std::int64_t max() const { return max_; }
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  // The smallest bucket bound that at least fraction * count() values do not exceed; 0 when empty.
  // REQUIRES: 0 <= fraction <= 1.
  std::int64_t quantile(double fraction) const;

 private:
  static constexpr int kLinearBits = 7;
  static constexpr int kValueBits = 42;
  static constexpr std::size_t kBuckets = (kValueBits - kLinearBits + 1) << kLinearBits;

  static std::size_t bucket_of(std::uint64_t value);
  static std::uint64_t last_value_in(std::size_t bucket);

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  double sum_ = 0;
  std::int64_t max_ = 0;
};

}  // namespace moldau::bench
