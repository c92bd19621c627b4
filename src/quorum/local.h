// The local quorum: one process, one voter, `__cluster_metadata-0` on its own disk, as Kafka's KRaft lays it
// out, so that either opens the other's directory.
//
//   bootstrap.checkpoint                              what a fresh cluster starts from (4.3 writes it; kept)
//   __cluster_metadata-0/
//     00000000000000000000.log .index .timeindex …    the log (src/log)
//     <20 digits>-<10 digits>.checkpoint              snapshots: end offset, epoch; header, records, footer
//     00000000000000000000-0000000000.checkpoint      the first one: kraft.version and the voters
//     quorum-state                                    JSON: who led last, and in which epoch
//     partition.metadata                              the topic id AAAAAAAAAAAAAAAAAAAAAQ
//
// Each start is a new epoch: it opens with one control batch of LeaderChange, and, where kraft.version is 1,
// KRaftVersion and KRaftVoters. Only then may anything be appended.
// Always holds: everything below the high watermark was synced; a torn tail was never acknowledged and is
// cut.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "env/clock.h"
#include "env/filesystem.h"
#include "quorum/quorum.h"

namespace moldau::quorum {

inline constexpr const char* kMetadataFolder = "__cluster_metadata-0";

struct LocalOptions {
  std::string directory;  // the log directory that holds __cluster_metadata-0: metadata.log.dir, or the first
  BrokerId node_id{1};
  Uuid directory_id;  // of `directory`, from its meta.properties
  // Where Kafka's controller would listen; written into the voters of a fresh directory.
  Voter::Endpoint controller_endpoint{"CONTROLLER", "localhost", 9093};
  std::uint64_t segment_bytes = 1u << 30;             // metadata.log.segment.bytes
  std::uint64_t bytes_between_snapshots = 20u << 20;  // metadata.log.max.record.bytes.between.snapshots
  std::int64_t snapshot_interval_ms = 3'600'000;      // metadata.log.max.snapshot.interval.ms; 0: never
  std::uint64_t max_retention_bytes = 100u << 20;     // metadata.max.retention.bytes
  std::int64_t max_retention_ms = 604'800'000;        // metadata.max.retention.ms
};

// What opening found, for the start-up's words.
struct LocalReport {
  // No broker has ever registered in this log: it was made now, or a first start did not get far. Partition
  // folders beside it are then from before there was a metadata log.
  bool fresh = false;
  std::uint64_t bytes_cut = 0;  // a torn tail
  std::string cut_reason;       // why, if bytes_cut > 0
  LeaderEpoch epoch{0};         // the one that this start began
  std::optional<SnapshotId> snapshot;
  std::vector<std::string> notes;  // other things a person should know, one line each
};

class LocalQuorum : public Quorum {
 public:
  // Shows everything that a start would replay (of a log without records: those of bootstrap.checkpoint) and
  // changes nothing, so that a start can be refused before it has done anything. The visitor's error, or
  // what open() would refuse: damage in the middle, other voters.
  static Status inspect(env::FileSystem& files, const env::Clock& clock, LocalOptions options,
                        const ReplayVisitor& visitor);
  // Opens the log, or makes it with `bootstrap` records (a fresh cluster's features) as its first ones.
  // kCorrupt: a log that lost more than a tail; kUnsupported: a voter set that is not this node alone.
  static Result<std::unique_ptr<LocalQuorum>> open(env::FileSystem& files, const env::Clock& clock,
                                                   LocalOptions options, std::span<const Bytes> bootstrap);
  virtual const LocalReport& report() const = 0;
  // Leaves the log as Kafka's clean stop does. Not to be used afterwards.
  virtual Status close() = 0;
};

}  // namespace moldau::quorum
