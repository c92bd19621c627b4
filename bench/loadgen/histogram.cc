#include "loadgen/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"

namespace moldau::bench {

// Values below 256 have a bucket each. Above, a value of b bits keeps its 8 leading bits: bucket = 128 * (b -
// 8) + those bits, so the buckets of neighbouring powers of two join without a gap.
std::size_t Histogram::bucket_of(std::uint64_t value) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - kLinearBits - 1);
  return (static_cast<std::size_t>(shift) << kLinearBits) + (value >> shift);
}

std::uint64_t Histogram::last_value_in(std::size_t bucket) {
  if (bucket < (2U << kLinearBits)) return bucket;
  const std::size_t shift = (bucket >> kLinearBits) - 1;
  const std::uint64_t leading = bucket - (shift << kLinearBits);
  return ((leading + 1) << shift) - 1;
}

void Histogram::add(std::int64_t value_ns, std::uint64_t times) {
  const std::int64_t value = std::clamp<std::int64_t>(value_ns, 0, (std::int64_t{1} << kValueBits) - 1);
  buckets_[bucket_of(static_cast<std::uint64_t>(value))] += times;
  count_ += times;
  sum_ += static_cast<double>(value) * static_cast<double>(times);
  max_ = std::max(max_, value);
}

std::int64_t Histogram::quantile(double fraction) const {
  CHECK(fraction >= 0 && fraction <= 1);
  const auto rank = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += buckets_[bucket];
    if (seen >= rank) return std::min(static_cast<std::int64_t>(last_value_in(bucket)), max_);
  }
  return max_;
}

}  // namespace moldau::bench
