// Reads the partitions of one Fetch within its byte limits, and watches them while it waits. Loop thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "replica/fetch_session.h"
#include "replica/replica_manager.h"

namespace moldau::broker {

// One wanted partition: where it is, or why not, and what was read last.
struct FetchPart {
  replica::FetchWish wish;
  replica::PartitionRef partition;  // nullptr: `unresolved` says why
  wire::ErrorCode unresolved = wire::ErrorCode::kNone;
  replica::Read read;
  Bytes converted;  // the slice in an older format, for old fetchers

  std::uint64_t size() const { return converted.empty() ? read.slice.length : converted.size(); }
};

struct FetchLimits {
  std::uint64_t max_bytes = 0;
  bool min_one = true;  // the first batch found comes whole even if it exceeds the limits (Fetch 3+)
  replica::Isolation isolation = replica::Isolation::kReadUncommitted;
};

// What reading everything once amounts to.
struct FetchRound {
  std::uint64_t bytes = 0;
  bool answer_now = false;  // an error, a diverging epoch: not to be held back
};

// With `haste`: where it says that something is missing afterwards, the round does not count.
FetchRound read_all(std::vector<FetchPart>& parts, const FetchLimits& limits, env::Haste* haste);

}  // namespace moldau::broker
