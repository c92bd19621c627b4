// Which leader epoch began at which offset (KIP-101, KIP-279): the content of leader-epoch-checkpoint.
// Always holds: epochs and offsets both grow strictly from entry to entry. Owned by its Log.
// (Kafka: org.apache.kafka.storage.internals.epoch.LeaderEpochFileCache.)
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "log/log_types.h"

namespace moldau::log {

class EpochCache {
 public:
  // An entry of a later epoch, or of the same with an earlier start. Entries that contradict it (a larger or
  // equal epoch, a larger or equal start) go. Returns whether anything changed. REQUIRES: epoch, start >= 0.
  bool assign(LeaderEpoch epoch, Offset start);
  // The records from `end` on are gone.
  bool truncate_from_end(Offset end);
  // The records below `start` are gone: the epoch of `start` now begins there.
  bool truncate_from_start(Offset start);
  bool clear();

  std::optional<EpochEntry> latest() const;
  std::optional<EpochEntry> earliest() const;
  // Where `epoch`, or the largest one before it, ended. {kNoLeaderEpoch, kNoOffset} if that is not known.
  EpochEndOffset end_offset_for(LeaderEpoch epoch, Offset log_end) const;
  LeaderEpoch epoch_for(Offset offset) const;  // kNoLeaderEpoch below the first entry
  std::span<const EpochEntry> entries() const { return entries_; }

 private:
  std::vector<EpochEntry> entries_;
};

}  // namespace moldau::log
