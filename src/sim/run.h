// One seed from start to end:
//
//   boot ─▶ topics ─▶ clients at work, faults come and go ─▶ calm: everything gets done ─▶ all leave ─▶ audit
//        ─▶ clean stop ─▶ start ─▶ audit
//
// Plain functions; one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fault.h"

namespace moldau::sim {

struct Report {
  std::string why;  // empty: all is well
  std::vector<std::string> trace;
  std::uint64_t events = 0, records_acked = 0, records_observed = 0, lives = 0;
  std::uint64_t taken = 0;       // partitions, by members of groups
  std::uint64_t cold_reads = 0;  // look-ups that found something gone from memory
  bool ok() const { return why.empty(); }
};

// The same seed and fault give the same report, whatever ran before.
Report run_seed(std::uint64_t seed, bool tracing);

}  // namespace moldau::sim
