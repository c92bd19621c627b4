// The result of one run: named figures in order, printed as one line of JSON (for programs) or one per line
// (for people), and the figures that every mode shares.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loadgen/histogram.h"
#include "loadgen/process.h"

namespace moldau::bench {

class Report {
 public:
  void add(std::string_view name, std::string_view text);
  void add(std::string_view name, double value);
  void add(std::string_view name, std::int64_t value);
  // <prefix>_p50_us ... <prefix>_max_us. Nothing when the histogram is empty.
  void add_latency(std::string_view prefix, const Histogram& histogram);

  std::string json() const;
  std::string text() const;

 private:
  struct Field {
    std::string name;
    std::string value;  // as JSON
  };
  std::vector<Field> fields_;
};

// What was done between the two samples.
struct Work {
  std::int64_t requests = 0;
  std::int64_t records = 0;
  std::int64_t bytes = 0;  // record batches, headers included, in either direction
  std::int64_t elapsed_ns = 0;
};
void add_work(Report& report, const Work& work);
// The broker's CPU, absolute and for each GB (1e9 bytes), record and request; its memory, threads and wakes.
void add_usage(Report& report, const Work& work, const ProcessUsage& before, const ProcessUsage& after);

}  // namespace moldau::bench
