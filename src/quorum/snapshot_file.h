// Snapshots of the metadata log: files `<20 digits of the end offset>-<10 digits of the epoch>.checkpoint`,
// batches as in the log, offsets from 0:
//
//   control batch   SnapshotHeader (time of the last record contained), and where kraft.version is 1 also
//                   KRaftVersion and KRaftVoters
//   data batches    the records of an image
//   control batch   SnapshotFooter
//
// A snapshot is written as `.checkpoint.part`, synced, then renamed: what bears the name is whole. Blocking
// calls. (Kafka: RecordsSnapshotWriter, Snapshots)
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "env/filesystem.h"
#include "quorum/quorum.h"
#include "quorum/voters.h"

namespace moldau::quorum {

inline constexpr const char* kBootstrapName = "bootstrap.checkpoint";

std::string snapshot_name(const SnapshotId& id);
std::optional<SnapshotId> parse_snapshot_name(std::string_view name);

struct SnapshotEntry {
  SnapshotId id;
  std::uint64_t bytes = 0;
};
// Oldest first. What was never finished, or was about to be deleted, is removed.
Result<std::vector<SnapshotEntry>> list_snapshots(env::FileSystem& files, const std::string& folder);

// The bytes of a snapshot file. REQUIRES: no record is empty.
Bytes encode_snapshot(const VoterState& voters, std::int64_t last_contained_timestamp, LeaderEpoch epoch,
                      std::span<const Bytes> records, std::int64_t now_ms);
Status write_snapshot_file(env::FileSystem& files, const std::string& folder, const std::string& name,
                           ByteView content);

// Walks a snapshot: its control records into `voters`, its data to `visitor` (either may be null). kCorrupt
// if it does not begin with a header and end with a footer.
Status read_snapshot_file(env::FileSystem& files, const std::string& path, VoterState* voters,
                          const ReplayVisitor* visitor);

}  // namespace moldau::quorum
