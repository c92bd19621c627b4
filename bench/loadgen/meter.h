// Starts and stops the counting of one run, and turns it into a report.
#pragma once

#include <optional>

#include "base/result.h"
#include "loadgen/clock.h"
#include "loadgen/options.h"
#include "loadgen/report.h"

namespace moldau::bench {

class Meter {
 public:
  explicit Meter(int pid) : pid_(pid) {}

  Status begin();
  Status end();
  // REQUIRES: end() has been called.
  double broker_cpu_s() const;
  bool counting() const { return before_.has_value(); }

  Work work;  // requests, records and bytes are the caller's to count; elapsed_ns is set by end()

  // The shared figures, behind whatever the caller has put in front.
  void report_to(Report& report) const;

 private:
  struct Sample {
    std::int64_t at_ns = 0;
    std::int64_t own_cpu_ns = 0;
    ProcessUsage broker;
  };
  Result<Sample> sample() const;

  int pid_;
  std::optional<Sample> before_;
  Sample after_;
};

}  // namespace moldau::bench
