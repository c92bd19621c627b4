// What another process (the broker) has used so far, from /proc and its CPU clock; differences of two samples
// are what a run cost. Sampling walks the process's threads: do it at the ends of a run only.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace moldau::bench {

struct ProcessUsage {
  std::int64_t cpu_ns = 0;     // user and system, all threads, also those that have ended
  std::int64_t user_ns = 0;    // in steps of the kernel's tick (10 ms)
  std::int64_t system_ns = 0;  // likewise
  std::int64_t queued_ns = 0;  // time that live threads waited for a CPU: how noisy the machine was
  std::int64_t switches = 0;   // voluntary context switches of live threads: roughly, wakes
  std::int64_t threads = 0;
  std::int64_t rss_bytes = 0;
  std::int64_t peak_rss_bytes = 0;
};

// kNotFound when there is no such process or it may not be read.
Result<ProcessUsage> process_usage(int pid);

// Binds the calling thread to one CPU and lets timers fire without slack.
Status pin_to_cpu(int cpu);

// Raises the limit of open files to what the system allows.
void raise_file_limit();

}  // namespace moldau::bench
