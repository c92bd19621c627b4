// Everything that the command line can say; each mode (modes.h) takes what it needs. Times in seconds as
// people type them; the modes turn them into nanoseconds.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "loadgen/connection.h"
#include "loadgen/frames.h"

namespace moldau::bench {

struct Options {
  Address address;
  int pid = 0;   // the broker's process, measured when > 0
  int cpu = -1;  // run on this CPU only, when >= 0

  // How the load comes.
  int connections = 1;
  int depth = 1;              // requests in flight on a connection, closed loop
  bool burst = false;         // send `depth` at once, then wait for all their replies
  double rate = 0;            // > 0: open loop, so many requests (end-to-end: records) a second in all
  double warmup_seconds = 0;  // the same load, before anything is counted
  double seconds = 10;        // the longest that the counted part sends
  std::int64_t requests = 0;  // > 0: the counted part ends after so many

  // What it works on.
  std::string topic = "bench";
  int topics = 1;      // > 1: <topic>-0000, <topic>-0001 ...
  int partitions = 1;  // of each topic
  std::vector<std::pair<std::string, std::string>> configs;

  // Produce.
  int batch_records = 16;
  int value_bytes = 1024;
  int acks = 1;
  int produce_version = 9;
  int partitions_per_request = 1;

  // Fetch.
  int fetch_version = 12;
  bool sessions = true;
  FetchLimits limits;

  // End to end: one batch every so often, with the records that fell due since.
  double tick_ms = 1;

  // Idle connections.
  double hold_seconds = 10;
};

// The names of all topics, in order.
std::vector<std::string> topic_names(const Options& options);

}  // namespace moldau::bench
