// One partition on this broker: its log, who leads it, how far it is acknowledged, and who waits for it to
// move.
//
//             ┌────────── take_role(leader = self) ─────────┐
//   follower ◀┴── take_role(leader = other) ── leader ◀─────┘
//       │                                        │
//       └───────── go_offline(error) ──────────────┴──▶ offline (its directory failed, or its topic is gone)
//
// Always holds: log start <= high_watermark() <= log end; the high watermark never goes back while we lead;
// nothing at or above it is shown to consumers; an acknowledgement for acks=all names only records below it.
// Where flush.messages is 1, the high watermark also stays below what is not yet on stable storage.
//
// A plain machine: one thread at a time, guarded by an env::Serial (SharedPartition). It calls its waiters
// from inside; they may only take note and post to their loop. (Kafka: kafka.cluster.Partition.)
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "env/serial.h"
#include "log/log.h"
#include "metadata/image.h"
#include "wire/errors.h"

namespace moldau::replica {

class Partition;
using SharedPartition = env::Serial<Partition>;

enum class Isolation : std::int8_t { kReadUncommitted = 0, kReadCommitted = 1 };

// A fetch that waits for bytes. Called with the partition held, from any thread.
class FetchWaiter {
 public:
  virtual ~FetchWaiter() = default;
  virtual void advanced(std::uint64_t bytes) = 0;  // so many bytes more may be read now
  virtual void changed() = 0;                      // leadership, deletion, truncation: look again at once
};

// An append that waits for its acknowledgement; told exactly once. Called with the partition held, from any
// thread. Who is gone as soon as it was told, or must not be destroyed on that thread, hands in a pointer
// that owns nothing (unowned): the partition does not touch it afterwards.
class AckWaiter {
 public:
  virtual ~AckWaiter() = default;
  virtual void acknowledged(wire::ErrorCode error) = 0;
};

inline std::shared_ptr<AckWaiter> unowned(AckWaiter& waiter) { return {std::shared_ptr<void>(), &waiter}; }

// Who keeps the log of a partition (replica/replica_manager.h, over log::LogManager). Called with the
// partition held: it may only take note and leave work for other threads.
class LogKeeper {
 public:
  virtual ~LogKeeper() = default;
  // Bring what is in the page cache to the disk soon (all of it, or closed segments only); then
  // advance_high_watermark() is called.
  virtual void flush_soon(bool include_active) = 0;
  virtual void high_watermark_moved(Offset high_watermark) = 0;  // retention stays below it
  virtual void disk_failed(const Error& error) = 0;
  virtual void noticed(std::string line) = 0;  // for a person, who looks into the server's log
};

struct Appended {
  wire::ErrorCode error = wire::ErrorCode::kNone;
  std::string message;
  log::AppendInfo info;
  bool waits = false;  // the AckWaiter will be told later; else it is acknowledged, or refused, now
};

// One partition's part of a Fetch reply.
struct Read {
  wire::ErrorCode error = wire::ErrorCode::kNone;
  Offset high_watermark = kNoOffset;
  Offset last_stable_offset = kNoOffset;
  Offset log_start = kNoOffset;
  env::FileSlice slice;
  std::optional<log::EpochEndOffset> diverging;  // KIP-595: the follower's log went another way
  std::optional<std::vector<log::AbortedTransaction>> aborted;  // read_committed only
  BrokerId leader = kNoBroker;                                  // for NOT_LEADER_OR_FOLLOWER and the like
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  bool first_batch_cut = false;  // max_bytes, without min_one, was too small for the first batch
  bool more = false;             // behind the slice lies more that may be read now
  bool cold = false;             // nothing of this counts: ReadOptions::haste says what to read in first
};

struct ReadOptions {
  Offset from;
  std::int32_t current_leader_epoch = -1;  // -1: not checked (KIP-320)
  std::int32_t last_fetched_epoch = -1;    // -1: not checked
  std::uint64_t max_bytes = 0;
  bool min_one = false;  // at least one batch, whatever its size
  Isolation isolation = Isolation::kReadUncommitted;
  env::Haste* haste = nullptr;  // given: not to wait for a disk
};

class Partition {
 public:
  // `log` lives as long as `keeper` does.
  Partition(log::TopicPartition name, const Uuid& topic_id, BrokerId self, log::Log& log,
            std::shared_ptr<LogKeeper> keeper);

  const log::TopicPartition& name() const { return name_; }
  const Uuid& topic_id() const { return topic_id_; }
  log::Log& log() { return *log_; }
  const Uuid& directory() const { return directory_; }  // where the log lies, or lay when that failed
  bool offline() const { return offline_; }
  bool leads() const { return !offline_ && leader_ == self_; }
  BrokerId leader() const { return leader_; }
  LeaderEpoch leader_epoch() const { return leader_epoch_; }
  Offset high_watermark() const { return high_watermark_; }
  std::size_t in_sync_replicas() const { return isr_; }

  // What the metadata says of this partition. `checkpointed` is the high watermark that an earlier run left
  // behind.
  Status take_role(const metadata::Partition& state, std::optional<Offset> checkpointed = std::nullopt);
  // The log goes on in another directory: as it was, record for record (replica/log_mover.h), and durable.
  void move_to(log::Log& log, std::shared_ptr<LogKeeper> keeper, const Uuid& directory);
  void lies_in(const Uuid& directory) { directory_ = directory; }
  // The log must not be touched any more; all waiters are told `error`.
  void go_offline(wire::ErrorCode error);

  // NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, KAFKA_STORAGE_ERROR; kNone if we may
  // answer.
  wire::ErrorCode check_leader(std::int32_t current_leader_epoch = -1) const;

  // Appends validated batches (record::validate). acks: 0, 1, -1. `waiter` is kept, and told, only if the
  // result waits. `min_in_sync` above the number of replicas means all of them (Kafka's effectiveMinIsr).
  Appended append(MutableBytes batches, log::AppendOptions options, std::int16_t acks,
                  std::int32_t min_in_sync, std::shared_ptr<AckWaiter> waiter);
  // Tells a waiter REQUEST_TIMED_OUT if it still waits.
  void give_up(const AckWaiter* waiter);

  Read read(const ReadOptions& options);
  // Calls `waiter` from now on; at once, if the high watermark is no longer what the reader saw.
  void watch(const std::shared_ptr<FetchWaiter>& waiter, Offset seen_high_watermark);
  void unwatch(const FetchWaiter* waiter);

  // ListOffsets. No offset found: the optional is empty.
  struct Found {
    wire::ErrorCode error = wire::ErrorCode::kNone;
    std::optional<log::TimestampOffset> at;
    bool cold = false;  // nothing of this counts: `haste` says what to read in first
  };
  Found find_offset(std::int64_t timestamp, Isolation isolation, std::int32_t current_leader_epoch,
                    env::Haste* haste = nullptr);

  // DeleteRecords: `offset` -1 means the high watermark. Returns the new log start.
  struct Deleted {
    wire::ErrorCode error = wire::ErrorCode::kNone;
    Offset low_watermark = kNoOffset;
  };
  Deleted delete_records(Offset offset);

  // Followers' and our own progress into the high watermark; tells who waits. Called by whoever moved the
  // log.
  void advance_high_watermark();

  Result<Offset> last_stable_offset() { return log_->last_stable_offset(high_watermark_); }

 private:
  struct Waiting {
    Offset needs;  // the high watermark (or, for acks=1, the durable end) that acknowledges it
    bool all;
    std::size_t min_in_sync;  // for `all`, when the time has come (NOT_ENOUGH_REPLICAS_AFTER_APPEND)
    std::shared_ptr<AckWaiter> waiter;
  };

  // check_leader(), and that the log is what it was said to be: before anything is told of it.
  wire::ErrorCode ready(std::int32_t current_leader_epoch = -1);
  bool is_cold(env::Haste* haste) const;  // ready() would wait for a disk
  void tell_notes();
  bool acknowledges_durably() const { return log_->config().flush_messages == 1; }
  Offset local_end() const { return acknowledges_durably() ? log_->recovery_point() : log_->end_offset(); }
  void tell_acknowledged();
  void refuse_waiting(wire::ErrorCode error);
  void tell_changed();
  Read refuse(wire::ErrorCode error) const;
  std::optional<log::EpochEndOffset> divergence(const ReadOptions& options);

  log::TopicPartition name_;
  Uuid topic_id_;
  BrokerId self_;
  std::shared_ptr<LogKeeper> keeper_;
  log::Log* log_;
  Uuid directory_;

  BrokerId leader_ = kNoBroker;
  LeaderEpoch leader_epoch_{-1};
  std::size_t isr_ = 0, replicas_ = 0;
  Offset high_watermark_{0};
  bool end_known_ = false;  // the log was looked into since it was opened
  bool offline_ = false;
  wire::ErrorCode offline_error_ = wire::ErrorCode::kNone;
  std::uint64_t told_bytes_ = 0;  // of the log when the fetch waiters were last told

  // Fetches in the order in which they came, so a run can be repeated.
  struct Watchers {
    std::list<std::shared_ptr<FetchWaiter>> all;
    std::unordered_map<const FetchWaiter*, std::list<std::shared_ptr<FetchWaiter>>::iterator> places;
  };

  std::list<Waiting> waiting_;          // in order of offset; a list, for most partitions never have one
  std::unique_ptr<Watchers> watchers_;  // made for the first
};

}  // namespace moldau::replica
