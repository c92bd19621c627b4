// Runs many seeds in child processes, so that a seed that aborts (a CHECK), crashes or never ends is a
// failure of that seed and not of the run. Worlds are single-threaded; children share nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fault.h"

namespace moldau::sim {

struct Failure {
  std::uint64_t seed = 0;
  std::string why;
};

struct CrewReport {
  std::uint64_t passed = 0;
  std::vector<Failure> failures;  // in order of their seeds
  std::uint64_t events = 0, records_acked = 0, records_observed = 0, lives = 0;
  std::uint64_t taken = 0;       // partitions, by members of groups
  std::uint64_t cold_reads = 0;  // look-ups that found something gone from memory
};

// Seeds first to last, in `children` processes. Stops early behind the first failure if `until_first`.
CrewReport run_seeds(std::uint64_t first, std::uint64_t last, int children, Fault fault, bool until_first);

}  // namespace moldau::sim
