// A group of the consumer protocol (KIP-848): members say what they want, the coordinator decides who shall
// have what (the target), and leads each member there by itself (consumer_reconcile.h).
//
//              first member                 target computed for the group's epoch
//     Empty ───────────────▶ Assigning ─────────────────────────────────────────┐
//       ▲                     ▲   ▲                                             ▼
//       │      epoch bumped:  │   └───────────── epoch bumped ─────────── Reconciling
//       │      a member came, │                                                 │ every member has reached
//       │      went, changed; │                                                 ▼ the epoch of the target
//       │      or its topics  └───────────────── epoch bumped ───────────── Stable
//       └── the last member goes (from any state)
//
// The state is no field: it follows from the members, the group's epoch and that of the target.
//
// All but `checked` comes from the log and is changed by replay alone (consumer_replay.cc), whose records may
// come in any order that compaction leaves: a member may have a target before it has a subscription.
// Always holds: counts are those of the members. (Kafka: ConsumerGroup, ModernGroup.)
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "group/assignor.h"
#include "group/consumer_member.h"
#include "group/consumer_records.h"
#include "group/group.h"

namespace moldau::group {

// How many members want a topic by name, and how many resolved regular expressions name it.
struct TopicDemand {
  int by_name = 0, by_regex = 0;
};
using TopicDemands = std::map<std::string, TopicDemand, std::less<>>;

class ConsumerGroup final : public Group {
 public:
  static constexpr Type kType = Type::kConsumer;
  using Members = std::map<std::string, ConsumerMember, std::less<>>;
  template <typename T>
  using ByName = std::map<std::string, T, std::less<>>;

  using Group::Group;

  Type type() const override { return kType; }
  std::string_view state_name() const override;
  std::string_view protocol_type() const override { return "consumer"; }
  bool empty() const override { return members_.empty(); }
  bool has_member(std::string_view id) const override { return members_.contains(id); }
  ErrorCode check_commit(const Committer& committer) const override;
  ErrorCode check_commit_of(const Committer& committer, const Uuid& topic,
                            std::int32_t partition) const override;
  ErrorCode check_offset_fetch(std::string_view member_id, std::int32_t epoch) const override;
  ErrorCode check_delete() const override;
  ErrorCode check_offset_delete() const override { return ErrorCode::kNone; }
  bool subscribed_to(std::string_view topic) const override { return demands_.contains(topic); }
  std::optional<Ageing> ageing() const override { return Ageing{}; }
  void add_tombstones(std::vector<Record>& records) const override;

  const Members& members() const { return members_; }
  const ConsumerMember* find(std::string_view id) const;
  const ConsumerMember* find_static(const std::optional<std::string>& instance_id) const;
  std::int32_t epoch() const { return epoch_; }
  std::int64_t metadata_hash() const { return metadata_hash_; }
  const ByName<Assignment>& targets() const { return targets_; }
  const Assignment& target(std::string_view member) const;
  std::int32_t target_epoch() const { return target_epoch_; }
  std::int64_t target_at_ms() const { return target_at_ms_; }  // wall clock; 0: not known
  const TopicDemands& demands() const { return demands_; }
  const ByName<ResolvedRegex>& resolved() const { return resolved_; }
  int subscribers(std::string_view regex) const;
  const ByName<int>& assignor_votes() const { return assignor_votes_; }
  int classic_members() const { return classic_members_; }
  const ByName<int>& classic_protocols() const { return classic_protocols_; }
  // Whether any member has it, be it on the way back.
  bool taken(const Uuid& topic, std::int32_t partition) const;
  // Kafka before 4.1 wrote the topics down instead of their hash; such a record is to be deleted.
  bool has_partition_metadata() const { return has_partition_metadata_; }

  // --- replay ----------------------------------------------------------------------------------------------
  void put(ConsumerMember member);
  void remove(std::string_view member);
  void set_epoch(std::int32_t epoch, std::int64_t metadata_hash);
  void set_target(std::string_view member, Assignment target);
  void remove_target(std::string_view member);
  void set_target_epoch(std::int32_t epoch, std::int64_t at_ms);
  void put_resolved(std::string_view regex, ResolvedRegex resolved);
  void remove_resolved(std::string_view regex);
  void set_has_partition_metadata(bool has) { has_partition_metadata_ = has; }

  // Which metadata were compared with what the group knows, and the epoch that came of it. Not in the log.
  struct Checked {
    Offset metadata = kNoOffset;
    std::int32_t epoch = 0;
  };
  Checked checked{};
  Checked regexes_checked{};
  std::int64_t regexes_checked_ms = 0;  // wall clock

 private:
  void count(const ConsumerMember& member, int by);

  Members members_;
  std::int32_t epoch_ = 1;
  std::int64_t metadata_hash_ = 0;
  ByName<Assignment> targets_;
  std::int32_t target_epoch_ = -1;
  std::int64_t target_at_ms_ = 0;
  ByName<ResolvedRegex> resolved_;
  bool has_partition_metadata_ = false;

  // Follows from the above.
  ByName<std::string> static_members_;  // instance id → member id
  TopicDemands demands_;
  ByName<int> regexes_, assignor_votes_, classic_protocols_;
  int classic_members_ = 0;
  std::map<Uuid, std::map<std::int32_t, int>> owners_;
};

// Demands after one more, or one less.
void count_topic(TopicDemands& demands, std::string_view topic, int by_name, int by_regex);

}  // namespace moldau::group
