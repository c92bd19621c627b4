// The simulation finds every mistake that is made on purpose, and nothing where none is made.
#include <algorithm>
#include <gtest/gtest.h>
#include <string>

#include "sim/crew.h"
#include "sim/faults.h"
#include "sim/run.h"

namespace moldau::sim {
namespace {

constexpr int kChildren = 2;

TEST(Simulation, FindsNothingWhereNothingIsWrong) {
  const CrewReport report = run_seeds(1, 60, kChildren, Fault::kNone, false);
  for (const Failure& failure : report.failures)
    ADD_FAILURE() << "seed " << failure.seed << ": " << failure.why;
  EXPECT_EQ(report.passed, 60u);
  // A simulation that does nothing finds nothing.
  EXPECT_GT(report.records_acked, 60u * 5);
  EXPECT_GT(report.records_observed, 60u * 20);
  EXPECT_GT(report.lives, 60u * 2);
  EXPECT_GT(report.taken, 60u);
  EXPECT_GT(report.cold_reads, 60u);
}

TEST(Simulation, RepeatsExactly) {
  int with_owners = 0;  // a group of the consumer protocol, or one that migrates
  for (const std::uint64_t seed : {3, 7, 11, 2, 10}) {
    const Report first = run_seed(seed, true), second = run_seed(seed, true);
    EXPECT_EQ(first.trace, second.trace) << seed;
    EXPECT_GT(first.trace.size(), 20u);
    with_owners +=
        std::ranges::any_of(first.trace, [](const auto& line) { return line.contains("owner o0"); }) ? 1 : 0;
  }
  EXPECT_GE(with_owners, 2);
}

TEST(Simulation, EveryMistakeHasAName) {
  EXPECT_EQ(known_faults().size() + 1, static_cast<std::size_t>(Fault::kCount));
  for (const KnownFault& known : known_faults()) EXPECT_EQ(fault_named(known.name)->fault, known.fault);
}

class Mistake : public testing::TestWithParam<KnownFault> {};

TEST_P(Mistake, IsFoundWithinItsSeeds) {
  const CrewReport report = run_seeds(1, GetParam().seeds, kChildren, GetParam().fault, true);
  ASSERT_FALSE(report.failures.empty())
      << GetParam().name << " was not found in " << GetParam().seeds << " seeds";
  RecordProperty("found_by",
                 std::to_string(report.failures.front().seed) + ": " + report.failures.front().why);
}

INSTANTIATE_TEST_SUITE_P(All, Mistake, testing::ValuesIn(known_faults().begin(), known_faults().end()),
                         [](const auto& instance) {
                           std::string name(instance.param.name);
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace moldau::sim
