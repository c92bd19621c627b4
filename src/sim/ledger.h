// What is known of every partition from outside: who wrote what, what the broker has told and shown. All
// invariants of records stand here.
//
//   acked     the broker told an offset for a record       must be there, at that offset, once where promised
//   observed  a reader saw a record at an offset           every later reader sees the same there
//   watched   log start, high watermark, end of the log    looked at after every event: they never go back in
//   one life restarted a new life of the broker                     the log is a prefix that holds all that
//   was promised
//
// A violation is a sentence; the first one ends the run. Knows nothing of the broker. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "env/clock.h"
#include "sim/death.h"
#include "sim/group_book.h"
#include "sim/owner_book.h"
#include "sim/payload.h"

namespace moldau::sim {

inline constexpr std::int64_t kNowhere = -1;

struct Partition;

struct Writer {
  std::uint32_t id = 0;
  std::string topic;
  std::int32_t partition = 0;
  bool once = true;            // no record of it may lie in the log twice
  bool ordered = false;        // idempotent: its records are dense and in order
  bool gaps = false;           // it has given up a batch whose fate it does not know
  bool transactional = false;  // of a transaction that never ends
  bool deletes = false;        // some of its records delete their key
  std::uint32_t sent = 0;      // records made so far
};

// One offset of a partition.
struct Known {
  std::optional<RecordId> id;
  std::int64_t timestamp = -1;  // -1: not known
  bool acked = false;
};

// What the broker's own partition says now.
struct Watched {
  std::int64_t start = 0, high_watermark = 0, end = 0, recovery_point = 0;
  std::int32_t leader_epoch = 0;
  bool operator==(const Watched&) const = default;
};

struct Topic {
  std::string name;
  Uuid id;
  bool created = false;  // acknowledged
  bool dying = false;    // its deletion was asked for: nothing of it is promised any more
  bool deleted = false;  // … and acknowledged
  std::int32_t partitions_promised = 0;
  std::map<std::string, std::string> configs;            // acknowledged
  std::map<std::string, std::string> configs_uncertain;  // asked for, not (yet) acknowledged
  bool flush_each = false;  // flush.messages=1: what is acknowledged survives a power loss
  bool retention = false;   // may lose its oldest segments
  bool compacted = false;   // may lose what a later record of the same key supersedes
  bool append_time = false;
  std::vector<std::unique_ptr<Partition>> partitions;
};

struct Partition {
  Topic* topic = nullptr;
  std::int32_t index = 0;
  std::vector<Known> log;                       // by offset
  std::map<RecordId, std::int64_t> where;       // of writers that write once
  std::int64_t acked_end = 0;                   // behind the last acknowledged record
  std::int64_t durable_end = 0;                 // behind what must survive a power loss
  std::int64_t delete_asked = 0;                // DeleteRecords, the furthest that was asked for
  std::int64_t first_transactional = kNowhere;  // of a transaction that never ends
  bool rotted = false;                          // a bit of a record's content was turned over on disk
  bool lost_something = false;                  // by power or rot: gaps in a writer's row are possible
  std::optional<Watched> watched;               // in this life
  std::optional<Death> died;  // how the lives ended since it was last watched; the worst of them
  std::int64_t end_ever = 0;  // the largest end in the life before, or in this one
  struct Reached {
    env::Instant when;
    std::int64_t high_watermark;
  };
  std::vector<Reached> reached;  // in this life, growing

  std::string name() const { return topic->name + "-" + std::to_string(index); }
  // When the high watermark first passed `offset` in this life.
  std::optional<env::Instant> readable_since(std::int64_t offset) const;
};

class Ledger {
 public:
  using Violate = std::function<void(std::string)>;
  explicit Ledger(Violate violate) : violate_(std::move(violate)) {}

  Topic& add_topic(const std::string& name);
  Topic* find(const std::string& name);
  Partition& partition(Topic& topic, std::int32_t index);
  const std::deque<std::unique_ptr<Topic>>& topics() const { return topics_; }

  GroupBook& add_group(const std::string& group, const Topic& topic, std::int32_t partitions) {
    return groups_.emplace_back(group, topic, partitions, violate_);
  }
  // A group whose members may subscribe to any of `topics`.
  OwnerBook& add_owners(const std::string& group, const std::vector<const Topic*>& topics);
  std::uint64_t partitions_taken() const;

  Writer& add_writer(const std::string& topic, std::int32_t partition);
  const Writer* writer(std::uint32_t id) const;

  // `count` records from `first` on were acknowledged; the first one lies at `base`.
  void acked(Partition& p, RecordId first, std::uint32_t count, std::int64_t base);
  // It was put there without a word to anybody.
  void written(Partition& p, std::int64_t offset, RecordId id) { learn(p, offset, id, "written to"); }
  // A reader saw this record. `timestamp` -1: not told.
  void observed(Partition& p, std::int64_t offset, RecordId id, std::int64_t timestamp);
  // The broker is gone; what it left is looked at when a later life is watched.
  void died(Death death);
  void watch(Partition& p, const Watched& now, env::Instant when);
  // Someone has read all of [start, end) and found `ids` there.
  void audited(Partition& p, std::int64_t start, const std::vector<std::optional<RecordId>>& ids);
  // The same of a compacted partition: the newest value of each key is there, and no older one comes back.
  void audited_compacted(Partition& p, std::int64_t start, const std::vector<std::optional<RecordId>>& ids);
  // Everything is done: what was acknowledged may be read.
  void must_be_whole(const Partition& p);
  // ListOffsets told `offset` (kNowhere: none) for `timestamp`, when the high watermark was `end`.
  void looked_up(Partition& p, std::int64_t timestamp, std::int64_t offset, std::int64_t end);

  // InitProducerId told this id: never before, and never again.
  void given(std::int64_t producer_id);

  void violate(std::string what) { violate_(std::move(what)); }
  std::uint64_t records_acked() const { return records_acked_; }
  std::uint64_t records_observed() const { return records_observed_; }

 private:
  bool deletes(RecordId id) const;
  bool may_be_deleted(const Partition& p, const Bytes& key) const;
  void learn(Partition& p, std::int64_t offset, RecordId id, const char* how);
  void restarted(Partition& p, const Watched& now, Death death);
  void forget_from(Partition& p, std::int64_t end);

  Violate violate_;
  std::deque<std::unique_ptr<Topic>> topics_;
  std::deque<Writer> writers_;
  std::deque<GroupBook> groups_;
  std::deque<OwnerBook> owners_;
  std::set<std::int64_t> producer_ids_;
  std::uint64_t records_acked_ = 0, records_observed_ = 0;
};

std::string to_string(RecordId id);
std::string to_string(const Watched& watched);

}  // namespace moldau::sim
