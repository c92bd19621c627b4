// What the groups of one machine have committed: the part of the log with keys of types 0 and 1, folded.
//
// Commits of a transaction are kept apart until the log says how it ended:
//
//   apply(record, producer) ──▶ pending ──apply_end(committed)──▶ committed
//                                  └─────apply_end(aborted)────▶ gone
//
// (Kafka: OffsetMetadataManager, its replay half.)
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/uuid.h"
#include "group/decision.h"
#include "group/records.h"
#include "wire/gen/group_records.h"

namespace moldau::group {

struct Committed {
  std::int64_t offset = -1;
  std::int32_t leader_epoch = -1;
  std::string metadata{};
  std::int64_t commit_ms = -1;  // wall clock
  std::int64_t expire_ms = -1;  // -1: by offsets.retention.minutes; else what an old client asked for
  Uuid topic_id{};              // zero: not told

  bool operator==(const Committed&) const = default;
};

class Offsets {
 public:
  using Partitions = std::map<std::int32_t, Committed>;
  using Topics = std::map<std::string, Partitions, std::less<>>;

  // nullptr: nothing is committed.
  const Committed* find(std::string_view group, std::string_view topic, std::int32_t partition) const;
  const Topics* of_group(std::string_view group) const;
  const std::map<std::string, Topics, std::less<>>& all() const { return groups_; }
  // A transaction that has not ended has a commit for it.
  bool pending(std::string_view group, std::string_view topic, std::int32_t partition) const;
  bool pending(std::string_view group) const;

  void apply(const wire::OffsetCommitKey& key, const Committed& committed,
             std::optional<ProducerId> producer);
  void apply_tombstone(const wire::OffsetCommitKey& key);
  void apply_end(ProducerId producer, bool committed);

 private:
  struct Pending {
    std::string group;
    std::string topic;
    std::int32_t partition;
    Committed committed;
  };
  void put(std::string_view group, std::string_view topic, std::int32_t partition, Committed committed);

  std::map<std::string, Topics, std::less<>> groups_;
  std::map<ProducerId, std::vector<Pending>> pending_;
};

Record commit_record(std::string_view group, std::string_view topic, std::int32_t partition,
                     const Committed& committed);
Record commit_tombstone(std::string_view group, std::string_view topic, std::int32_t partition);

}  // namespace moldau::group
