// One partition's log in Kafka's files: append, read, look up, truncate, retain, recover.
//
// A folder holds segments (files named by the offset of their first record); the last one is active and
// grows:
//
//   00000000000000000000.log .index .timeindex .txnindex   closed: never changes, only goes away
//   00000000000000004711.log                               active
//   00000000000000004711.snapshot                          producers as they were at that offset
//   leader-epoch-checkpoint, partition.metadata            which leader began where; the topic's id
//
// Always holds: start_offset() <= end_offset(); recovery_point() <= end_offset(); offsets grow from batch to
// batch; what append() acknowledged is in the operating system's hands, what lies below recovery_point() is
// on stable storage.
//
// A plain machine without threads: one thread at a time, the owner sees to that (env::Serial around the
// partition). Nothing here blocks on a sync: prepare_flush() says what to sync, anybody does it anywhere,
// complete_flush() takes note. File removals are handed out by take_removals(). Looking up may need a disk:
// who must not wait for it gives an env::Haste. The slice that read() returns is not touched here, its bytes
// are the shell's affair.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/uuid.h"
#include "env/connection.h"
#include "env/filesystem.h"
#include "log/file_cache.h"
#include "log/log_config.h"
#include "log/log_types.h"
#include "log/partition_name.h"

namespace moldau::log {

class LogState;    // log_state.h: what a Log is made of
struct Cleanable;  // clean_types.h
struct CleanSource;
struct Replacement;

class Log {
 public:
  // Makes the folder, its first segment at `start`, and partition.metadata if `topic_id` is not zero.
  static Result<std::unique_ptr<Log>> create(const LogContext& context, const std::string& folder,
                                             std::shared_ptr<const LogConfig> config, const Uuid& topic_id,
                                             std::int64_t now_ms, Offset start = Offset{0});

  // Opens what is there (LogLoader). After a clean shutdown this is a directory listing; the rest is read
  // when the log is first used. Else what lies behind options.recover_from is read and checked, and a torn
  // tail is cut at the last whole, valid batch: recovery() says what happened.
  static Result<std::unique_ptr<Log>> open(const LogContext& context, const std::string& folder,
                                           std::shared_ptr<const LogConfig> config,
                                           const OpenOptions& options);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // --- writing ---------------------------------------------------------------------------------------------

  // Appends whole batches that record::validate (or the leader) has found good. As leader: gives them the
  // next offsets and the leader epoch in place; checks the producer's epoch and sequence, answers a repeated
  // batch with its first offsets. As follower: takes offsets and epochs as they are. One write.
  // AppendInfo::error holds Kafka's verdict; an Error is the disk's (kNoSpace: try again later), and nothing
  // has changed then.
  Result<AppendInfo> append(MutableBytes batches, const AppendOptions& options);

  // The same for several jobs in order, written together where they fit one segment. A job refused leaves no
  // trace; if the disk fails, all jobs of that write do. Outcomes stand in the jobs.
  void append(std::span<AppendJob> jobs);

  // A new leader epoch begins at the end of the log (becoming leader).
  Status assign_epoch(LeaderEpoch epoch, Offset start);

  // Cuts records at and above `offset` away, for good when it returns. REQUIRES afterwards, before the next
  // append: the directory's checkpoints of recovery point and start are lowered (LogManager::truncate does
  // both).
  Status truncate_to(Offset offset);
  // Drops everything; the next record gets `offset`. The log start becomes `start` or `offset`.
  Status truncate_fully_and_start_at(Offset offset, std::optional<Offset> start = std::nullopt);

  // DeleteRecords and followers: records below `offset` are gone. OFFSET_OUT_OF_RANGE above the high
  // watermark; no-op if it is not an advance.
  Result<wire::ErrorCode> advance_start_offset(Offset offset, Offset high_watermark);

  // Retention by time, size and start offset (never at or above the high watermark). Returns the number of
  // segments taken out; their files wait in take_removals().
  Result<int> delete_old_segments(std::int64_t now_ms, Offset high_watermark);

  // Closes the active segment and begins a new one at the end. No-op while the active one is empty.
  Status roll(std::int64_t now_ms);

  // What compaction may do now, given its checkpoint, if there is one. Cheap, and reads nothing, where that
  // is too little to be worth it; nothing then.
  Result<std::optional<Cleanable>> cleanable(std::optional<Offset> cleaned_to, std::int64_t now_ms,
                                             Offset high_watermark);
  // What a round over `range` needs to know.
  Result<CleanSource> clean_source(const Cleanable& range);
  // Puts a new segment in the place of old ones. False, and nothing has changed: the log is no longer what
  // `source` says. The names are durable with the next sync of the folder.
  Result<bool> replace_segments(const CleanSource& source, Replacement& replacement, std::int64_t now_ms);

  void set_config(std::shared_ptr<const LogConfig> config);
  const LogConfig& config() const;

  // --- reading ---------------------------------------------------------------------------------------------
  // With `haste`: kWouldBlock, nothing has changed, and `haste` says what to read in before it is tried
  // again.

  // Batches from the one that holds `from`, below `upper_bound`, at most `max_bytes`, cut at a batch's end;
  // with `min_one` the first batch comes whole however large it is. At the end or at `upper_bound` the slice
  // is empty. OFFSET_OUT_OF_RANGE below start_offset() or above end_offset(). Copies nothing; never goes
  // beyond one segment.
  Result<ReadInfo> read(Offset from, std::uint64_t max_bytes, Offset upper_bound, bool min_one,
                        env::Haste* haste = nullptr);

  // What a read_committed reader of [from, upper) must hide: Fetch's aborted_transactions (KIP-98).
  Result<std::vector<AbortedTransaction>> aborted_transactions(Offset from, Offset upper,
                                                               env::Haste* haste = nullptr);

  // ListOffsets: the first record with a timestamp of at least `timestamp`, or the special values of
  // log_types.h. nullopt where Kafka answers "no such offset".
  Result<std::optional<TimestampOffset>> lookup(std::int64_t timestamp, env::Haste* haste = nullptr);
  // ListOffsets v0: at most `max_count` segment starts written before `timestamp`, newest first.
  Result<std::vector<Offset>> offsets_before(std::int64_t timestamp, std::size_t max_count,
                                             std::int64_t now_ms);

  // KIP-101/279: where `epoch` (or the largest before it) ended; kNoLeaderEpoch and kNoOffset if unknown.
  Result<EpochEndOffset> end_offset_for_epoch(LeaderEpoch epoch);
  Result<LeaderEpoch> latest_epoch();                   // kNoLeaderEpoch if none
  Result<LeaderEpoch> epoch_for_offset(Offset offset);  // of the record at `offset`
  Result<std::vector<EpochEntry>> epochs();

  // The end of what a read_committed reader may see, given the high watermark.
  Result<Offset> last_stable_offset(Offset high_watermark);
  Result<std::vector<ProducerStatus>> producers();  // DescribeProducers
  Result<bool> has_ongoing_transaction(ProducerId producer);
  // Forgets producers that were idle for producer.id.expiration.ms.
  void expire_producers(std::int64_t now_ms);

  // A log that was closed cleanly is looked into when it is first used, or now. Its end may move then: the
  // checkpoint that told of it may be old, or lie.
  Status look();
  // kWouldBlock where a look() now would wait for a disk; `haste` says for what. Nothing changes.
  Status can_look(env::Haste& haste);
  // What recovery has cut away and is not durable yet: run it before the log is served, or a power loss may
  // bring old bytes back behind new ones. Empty unless the log was opened with OpenOptions::leave_cuts.
  FlushWork take_cuts();
  // What a person should know of this log, one line each, and nobody has taken yet.
  std::vector<std::string> take_notes();

  // --- durability ------------------------------------------------------------------------------------------

  Offset recovery_point() const;          // everything below is on stable storage
  bool untouched() const;                 // since it was opened after a clean stop: closing writes nothing
  std::uint64_t unflushed_bytes() const;  // appended since the last flush, about
  // Whether flush.messages or flush.ms asks for a flush now.
  bool flush_due(std::int64_t now_ms) const;
  // What is to be synced so that everything below FlushWork::up_to is durable. Run it on any thread, then
  // complete. `include_active` = false: closed segments only (after a roll).
  Result<FlushWork> prepare_flush(bool include_active = true, bool one_by_one = true);
  void complete_flush(const FlushWork& done, std::int64_t now_ms);

  // Before a checkpoint: writes pending index entries and the producers to their files (no sync). As long as
  // the machine does not restart, recovery need not read what lies below the offset returned.
  Result<Offset> write_out();

  // Writes indexes, epochs and a producer snapshot, and syncs: after this Kafka opens the folder as cleanly
  // shut down. The log must not be used afterwards. close() blocks; or prepare, sync, complete_flush().
  Result<FlushWork> prepare_close(bool one_by_one = true);
  Status close();

  // Files to remove once `due_ms` (wall clock) has come. Renamed already; harmless if forgotten.
  std::vector<Removal> take_removals();
  // Frees indexes and buffers that were not used since the last call.
  void trim_memory();

  // --- facts -----------------------------------------------------------------------------------------------

  Offset start_offset() const;        // of the first record a reader may have (log start offset)
  Offset local_start_offset() const;  // of the first record on this disk
  Offset end_offset() const;          // of the next record
  std::uint64_t size_bytes() const;   // of the .log files
  std::size_t segment_count() const;
  Offset first_segment_base() const;
  Offset active_segment_base() const;
  const std::string& folder() const;
  Result<Uuid> topic_id();  // of partition.metadata; zero if there is none
  // Durable when it returns; or, without `durable`, as soon as the caller has synced the file system: a crash
  // before that may tear the file, which then counts as none.
  Status set_topic_id(const Uuid& id, bool durable = true);
  const RecoveryReport& recovery() const;
  // The folder has been renamed (deletion, moves between log directories).
  void moved_to(const std::string& folder);
  std::uint64_t truncations() const;  // since it was opened
  bool has_move_generation() const;   // the folder held that file when it was opened (future_log.h)
  // This log is a copy of `original`, up to the same end, and takes its place: it gets what is known of
  // producers and epochs, which may go back to records that are no longer there, and their files.
  Status take_over(Log& original);
  // The next record gets `offset`: nothing lies between the end and it. REQUIRES: not below the end.
  Status skip_to(Offset offset, std::int64_t now_ms);

 private:
  explicit Log(std::unique_ptr<LogState> state);
  std::unique_ptr<LogState> state_;
};

}  // namespace moldau::log
