// What goes into a Log and comes out of it. Plain values; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "env/connection.h"
#include "env/filesystem.h"
#include "wire/errors.h"

namespace moldau::log {

class FileCache;

// What all logs of a process share.
struct LogContext {
  env::FileSystem* fs = nullptr;
  FileCache* files = nullptr;
};

// What recovery did. Empty after a clean start.
struct RecoveryReport {
  bool scanned = false;  // batches were read and checked
  std::uint32_t segments_scanned = 0;
  std::uint64_t bytes_scanned = 0;
  std::uint64_t bytes_dropped = 0;  // cut off, dropped segments included
  std::uint32_t segments_dropped = 0;
  Offset end_offset;  // where the log ends now
  std::uint32_t indexes_rebuilt = 0;
  std::string why;                 // of the cut: file, position, what was wrong; empty if nothing was dropped
  std::vector<std::string> notes;  // other things a person should know, one line each
};

struct OpenOptions {
  bool clean_shutdown = false;        // `.kafka_cleanshutdown` was there
  Offset recovery_point{0};           // of recovery-point-offset-checkpoint
  bool recovery_point_known = false;  // the partition had a line there
  // Where to begin checking after an unclean stop: the recovery point, or further on when the machine is
  // known not to have restarted (what was written is then still there). Never below the recovery point.
  Offset recover_from{0};
  // The directory's checkpoints were there and readable: no record of this log has gone but by compaction or
  // a loss.
  bool checkpoints_whole = false;
  // Compaction has been here, whatever the configuration says now: offsets may be missing between segments.
  bool compacted = false;
  Offset log_start{0};  // of log-start-offset-checkpoint, 0 if it has no line
  std::int64_t now_ms = 0;
  // Who opens many logs syncs what recovery has cut himself, all at once: Log::take_cuts().
  bool leave_cuts = false;
};

// Who appends (org.apache.kafka.storage.internals.log.AppendOrigin).
enum class AppendOrigin : std::uint8_t {
  kClient,       // a producer: offsets assigned, epochs and sequences checked
  kCoordinator,  // a coordinator or a transaction marker: offsets assigned, epochs checked, sequences not
  kFollower,     // from the leader: taken as it is
  kRaftLeader,   // the metadata quorum: offsets and epochs are in the batches already, as for a follower
};

struct AppendOptions {
  AppendOrigin origin = AppendOrigin::kClient;
  LeaderEpoch leader_epoch{0};  // stamped on the batches (kClient, kCoordinator)
  std::int64_t now_ms = 0;      // wall clock
  // KIP-890: the coordinator has confirmed the transaction, or verification is off. A transactional batch
  // that begins a transaction here is refused with INVALID_TXN_STATE when this is false.
  bool transaction_verified = true;
};

struct AppendInfo {
  wire::ErrorCode error = wire::ErrorCode::kNone;
  std::string message;              // why, when `error` is set
  Offset first_offset = kNoOffset;  // kNoOffset: magic 0 or 1 from a leader, or nothing to append
  Offset last_offset = kNoOffset;
  std::int64_t max_timestamp = -1;
  std::int64_t log_append_time_ms = -1;  // set where the batch carries LogAppendTime
  Offset log_start_offset;
  std::uint64_t bytes = 0;  // written
  bool duplicate = false;   // it was there already; the offsets are those of the first time
  bool flush_due = false;   // flush.messages asks for a sync before the acknowledgement is worth its name
  bool rolled = false;      // a segment was closed: flush it in the background (prepare_flush(false))
};

// One append of several that are written together. `batches` stay valid until the call returns.
struct AppendJob {
  MutableBytes batches;
  AppendOptions options;
  Result<AppendInfo> outcome{};
};

struct ReadInfo {
  wire::ErrorCode error = wire::ErrorCode::kNone;
  env::FileSlice slice;          // length 0 (and no file): nothing to read there
  Offset end_bound;              // no record of the slice has this offset or a larger one
  bool first_batch_cut = false;  // max_bytes (without min_one) was too small for the first batch
  Offset log_start_offset;
};

struct AbortedTransaction {
  ProducerId producer;
  Offset first_offset;
  bool operator==(const AbortedTransaction&) const = default;
};

// ListOffsets' special timestamps.
inline constexpr std::int64_t kLatestTimestamp = -1;    // end_offset(); isolation is the caller's affair
inline constexpr std::int64_t kEarliestTimestamp = -2;  // start_offset()
inline constexpr std::int64_t kMaxTimestamp = -3;       // the record with the largest timestamp (KIP-734)
inline constexpr std::int64_t kEarliestLocalTimestamp = -4;  // local_start_offset() (KIP-405)
inline constexpr std::int64_t kLatestTieredTimestamp = -5;   // KIP-1005
inline constexpr std::int64_t kEarliestPendingUpload = -6;   // KIP-1023

struct TimestampOffset {
  std::int64_t timestamp = -1;
  Offset offset;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  bool operator==(const TimestampOffset&) const = default;
};

struct EpochEntry {
  LeaderEpoch epoch;
  Offset start;
  bool operator==(const EpochEntry&) const = default;
};

struct EpochEndOffset {
  LeaderEpoch epoch = kNoLeaderEpoch;
  Offset end = kNoOffset;
  bool operator==(const EpochEndOffset&) const = default;
};

struct ProducerStatus {
  ProducerId producer;
  ProducerEpoch epoch;
  std::int32_t last_sequence = -1;
  std::int64_t last_timestamp = -1;
  std::int32_t coordinator_epoch = -1;
  Offset transaction_start = kNoOffset;  // kNoOffset: none open
};

// What to sync, ready to be taken to another thread. Two ways: run() syncs file by file. Or, for many logs at
// once: prepared with `one_by_one` = false, then one FileSystem::sync_all(). Either way what is not written
// yet is written when it is prepared, by the log's owner.
struct FlushWork {
  Offset from;   // the recovery point when it was prepared
  Offset up_to;  // durable below this once it is done
  bool one_by_one = true;
  std::vector<std::shared_ptr<env::File>> files{};
  std::string parent{};              // if not empty, synced: the folder's own name is new
  std::string folder{};              // if not empty, synced last: names in it are new
  std::optional<Offset> cut{};       // base of the segment whose truncation becomes durable with it
  Offset active_base{0};             // When this was prepared: where the active segment began,
  std::uint64_t bytes = 0;           // bytes that were unflushed,
  std::uint64_t truncations = 0;     // truncations of the log,
  std::uint64_t new_names = 0;       // files made in it,
  std::uint64_t epochs_version = 0;  // changes of its epochs.

  bool empty() const { return up_to <= from && files.empty() && folder.empty() && parent.empty() && !cut; }
  void begin() const;  // tells the files that run follows; may be called before other files are synced, too
  Status run(env::FileSystem& fs) const;
};

struct Removal {
  std::string path;
  std::int64_t due_ms = 0;
};

}  // namespace moldau::log
