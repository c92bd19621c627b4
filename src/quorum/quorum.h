// The quorum: who may write metadata, and how it becomes durable. Behind this interface stand the local
// quorum (local.h: one process, its own disk), later ZooKeeper and Raft.
//
//   append ──▶ in the log, its offsets known ──sync, or other voters──▶ below the high watermark: it cannot
//   be
//                                                                        lost any more and may be told
//
// Always holds: what lies below the high watermark never changes. Records of one append become visible
// together or not at all. Values are metadata records with their framing (wire/record_frame.h).
// One thread at a time; the owner guards it (env::Serial). (Kafka: RaftClient.)
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/uuid.h"

namespace moldau::quorum {

// Everything up to, not including, `end`; the newest record was written in `epoch`.
struct SnapshotId {
  Offset end;
  LeaderEpoch epoch{0};

  auto operator<=>(const SnapshotId&) const = default;
};

struct Voter {
  struct Endpoint {
    std::string name, host;
    std::uint16_t port = 0;
    bool operator==(const Endpoint&) const = default;
  };
  BrokerId id;
  Uuid directory_id;  // zero where kraft.version is 0
  std::vector<Endpoint> endpoints;

  bool operator==(const Voter&) const = default;
};

// What DescribeQuorum tells.
struct QuorumState {
  BrokerId leader = kNoBroker;  // kNoBroker: none is known
  LeaderEpoch epoch{0};
  Offset high_watermark{0};
  Offset log_start{0}, log_end{0};
  std::int16_t kraft_version = 0;
  std::vector<Voter> voters;
  std::optional<SnapshotId> latest_snapshot;
};

// One batch of the log, or of a snapshot, in order. Control records are left out of `values`, so a batch may
// have none; offsets are those of the log.
struct ReplayedBatch {
  bool from_snapshot = false;
  Offset base_offset, last_offset;
  LeaderEpoch epoch{0};
  std::int64_t timestamp_ms = -1;  // of the batch; of a snapshot: of the last record that it contains
  std::vector<ByteView> values;    // good during the call
};
using ReplayVisitor = std::function<Status(const ReplayedBatch&)>;

class Quorum {
 public:
  virtual ~Quorum() = default;

  virtual QuorumState state() const = 0;
  // Whether this process may append, in state().epoch.
  virtual bool leads() const = 0;

  // Everything below the high watermark: the newest snapshot if there is one, then the batches behind it.
  // Stops with the visitor's error.
  virtual Status replay(const ReplayVisitor& visitor) = 0;

  // Appends records as one unit and returns the offset of the last one. They are acknowledged when the high
  // watermark lies above it. After an error nothing of them is in the log, or the quorum is broken():
  // then only reload() helps. REQUIRES: records is not empty.
  virtual Result<Offset> append(std::span<const Bytes> records, std::int64_t timestamp_ms) = 0;
  // Makes everything appended durable and moves the high watermark there, as far as this process alone can.
  virtual Status sync() = 0;
  virtual Offset high_watermark() const = 0;

  // Forgets what is not durable and opens the log again from its files.
  virtual Status reload() = 0;

  // Whether enough was appended, or long enough ago, since the last snapshot (metadata.log.max.record.bytes
  // .between.snapshots, metadata.log.max.snapshot.interval.ms).
  virtual bool wants_snapshot(std::int64_t now_ms) const = 0;
  // Writes a snapshot of everything up to and with `last_offset`, then drops older snapshots and the log that
  // they replace. `timestamp_ms` is that of the last record contained.
  // REQUIRES: last_offset is below the high watermark.
  virtual Status write_snapshot(Offset last_offset, LeaderEpoch epoch, std::int64_t timestamp_ms,
                                std::span<const Bytes> records, std::int64_t now_ms) = 0;
};

}  // namespace moldau::quorum
