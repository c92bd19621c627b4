// What passes between a log and those who compact it. Plain values; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "log/aborted_index.h"
#include "log/clean_filter.h"
#include "log/log_config.h"
#include "log/segment.h"

namespace moldau::log {

// How much there is to clean. (Kafka: OffsetsToClean, LogToClean)
//
//   start … first_dirty … end … active segment
//   └── clean ──┘└ dirty ┘└ too young, or not stable yet
struct Cleanable {
  Offset first_dirty, end;  // of what is dirty and may be cleaned; `end` begins a segment
  bool reset = false;       // the checkpoint was not of this log: all of it is dirty
  std::uint64_t clean_bytes = 0, dirty_bytes = 0;
  std::int64_t overdue_ms = 0;  // beyond max.compaction.lag.ms

  double ratio() const {
    const std::uint64_t all = clean_bytes + dirty_bytes;
    return all == 0 ? 0 : static_cast<double>(dirty_bytes) / static_cast<double>(all);
  }
};

// A closed segment as it was when the round began; its file does not change any more.
struct CleanSegment {
  Offset base;
  std::uint32_t size = 0;
  std::uint32_t index_bytes = 0, time_bytes = 0;
  std::int64_t modified_ms = 0;
};

// All that a round needs of its log, so that it can go on without it.
struct CleanSource {
  std::string folder;
  std::shared_ptr<const LogConfig> config;
  Cleanable range;
  std::vector<CleanSegment> segments{};  // from the first up to range.end
  std::uint32_t dirty_position = 0;      // of range.first_dirty, in its segment
  std::vector<AbortedEntry> aborted{};   // of the whole log
  LastRecords producers{};
  std::uint64_t truncations = 0;  // of the log: a later one has made this worthless
};

// One segment, whose files end in .cleaned and are on stable storage, for a row of old ones.
struct Replacement {
  Segment segment;
  std::vector<CleanSegment> old;
};

inline constexpr std::string_view kCleanedSuffix = ".cleaned", kSwapSuffix = ".swap";

}  // namespace moldau::log
