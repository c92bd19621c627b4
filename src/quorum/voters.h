// Control records of the metadata log, and what they say about who votes. (KIP-595, KIP-630, KIP-853; Kafka:
// BatchAccumulator, KRaftControlRecordStateMachine.) Plain values and pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "quorum/quorum.h"
#include "record/record.h"

namespace moldau::quorum {

// What the control records so far have said.
struct VoterState {
  std::int16_t kraft_version = 0;
  std::vector<Voter> voters;                               // only where kraft_version is 1
  std::optional<std::int64_t> last_contained_timestamp{};  // of the last snapshot header, ms

  // Follows one control record. kCorrupt names what cannot be read.
  Status follow(const record::Record& record);
};

// One control batch: the leader of a new epoch says so, and repeats what the voters are.
Bytes leader_change_batch(BrokerId leader, const VoterState& voters, Offset base, LeaderEpoch epoch,
                          std::int64_t now_ms);
// How a snapshot begins (offsets from 0) and how it ends.
Bytes snapshot_header_batch(const VoterState& voters, std::int64_t last_contained_timestamp,
                            LeaderEpoch epoch, std::int64_t now_ms);
Bytes snapshot_footer_batch(Offset base, LeaderEpoch epoch, std::int64_t now_ms);

// A data batch of metadata records.
Bytes data_batch(std::span<const Bytes> values, Offset base, LeaderEpoch epoch, std::int64_t now_ms);

}  // namespace moldau::quorum
