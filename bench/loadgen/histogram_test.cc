#include "loadgen/histogram.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <vector>

namespace moldau::bench {
namespace {

TEST(Histogram, an_empty_one_answers_zero) {
  const Histogram h;
  EXPECT_EQ(h.count(), 0U);
  EXPECT_EQ(h.quantile(0.99), 0);
  EXPECT_EQ(h.mean(), 0);
}

TEST(Histogram, small_values_are_exact) {
  Histogram h;
  for (int v = 0; v < 200; ++v) h.add(v);
  EXPECT_EQ(h.quantile(0), 0);
  EXPECT_EQ(h.quantile(0.5), 99);
  EXPECT_EQ(h.quantile(0.99), 197);
  EXPECT_EQ(h.quantile(1), 199);
  EXPECT_DOUBLE_EQ(h.mean(), 99.5);
}

// Against a sorted list: never below the true value, never more than 1/128 above.
TEST(Histogram, quantiles_are_close_at_every_magnitude) {
  std::vector<std::int64_t> values;
  std::uint64_t random = 1;
  Histogram h;
  for (int i = 0; i < 100'000; ++i) {
    random = random * 6364136223846793005ULL + 1442695040888963407ULL;
    const auto value = static_cast<std::int64_t>((random >> 24) >> (random % 40));
    values.push_back(value);
    h.add(value);
  }
  std::ranges::sort(values);
  for (const double q : {0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.99999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size())));
    const auto exact = static_cast<double>(values[rank - 1]);
    const auto found = static_cast<double>(h.quantile(q));
    EXPECT_GE(found, exact) << q;
    EXPECT_LE(found, exact * (1 + 1.0 / 128)) << q;
  }
  EXPECT_EQ(h.max(), values.back());
}

TEST(Histogram, the_bounds_of_a_power_of_two_do_not_overlap) {
  for (int bits = 8; bits < 41; ++bits) {
    Histogram below, at;
    below.add((std::int64_t{1} << bits) - 1);
    below.add(std::int64_t{1} << 41);  // so that the bucket's bound shows and not the maximum
    at.add(std::int64_t{1} << bits);
    at.add(std::int64_t{1} << 41);
    EXPECT_EQ(below.quantile(0.5), (std::int64_t{1} << bits) - 1);
    EXPECT_GE(at.quantile(0.5), std::int64_t{1} << bits);
  }
}

TEST(Histogram, what_is_out_of_range_counts_at_the_ends) {
  Histogram h;
  h.add(-5);
  h.add(INT64_MAX);
  EXPECT_EQ(h.count(), 2U);
  EXPECT_EQ(h.quantile(0.5), 0);
  EXPECT_EQ(h.max(), (std::int64_t{1} << 42) - 1);
  h.clear();
  EXPECT_EQ(h.count(), 0U);
}

TEST(Histogram, times_weigh) {
  Histogram h;
  h.add(10, 99);
  h.add(1000, 1);
  EXPECT_EQ(h.quantile(0.99), 10);
  EXPECT_EQ(h.quantile(0.999), 1000);
}

}  // namespace
}  // namespace moldau::bench
