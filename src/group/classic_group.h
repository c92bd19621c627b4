// A group of the classic protocol: members join, one of them, the leader, gives everybody work, and whenever
// somebody comes or goes they join again.
//
//                 member joins                       all have joined, or the time is over
//     Empty ────────────────────▶ PreparingRebalance ────────────────────▶ CompletingRebalance
//       ▲  [prepare_rebalance]      │         ▲ ▲       [complete_join]         │        │
//       │                           │         │ └── a member comes, goes or ────┘        │ the leader's
//       └── nobody has joined ──────┘         │     changes [prepare_rebalance]          │ SyncGroup
//           [complete_join]                   └──────────── Stable ◀────────────────────┘ [sync]
//
// A group without members and without offsets is forgotten: its tombstone is applied and it is gone (Kafka's
// state Dead).
//
// Always holds: a leader is a member; a member waits for at most one answer to JoinGroup and one to
// SyncGroup; `generation` grows with each completed join. The log keeps a group as it became stable, or empty
// (GroupMetadataValue); what lies between lives in memory only. (Kafka: ClassicGroup.)
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "group/group.h"
#include "group/timers.h"
#include "wire/gen/group_records.h"
#include "wire/gen/join_group.h"

namespace moldau::group {

// One way of giving out work that a member can do ("range"), with what it says to the leader.
struct Protocol {
  std::string name;
  Bytes metadata;

  bool operator==(const Protocol&) const = default;
};
std::vector<Protocol> protocols_of(const wire::JoinGroupRequest& request);

struct ClassicMember {
  ClassicMember(Timers& timers, std::string_view group, std::string_view member_id)
      : id(member_id), session(timers, {Due::Kind::kSession, std::string(group), std::string(member_id)}) {}

  std::string id;
  std::optional<std::string> instance_id;  // static membership (KIP-345)
  std::string client_id, client_host;
  std::int32_t rebalance_timeout_ms = 0, session_timeout_ms = 0;
  std::vector<Protocol> protocols;
  Bytes assignment;
  bool is_new = false;  // has not had its first answer: nobody knows its id yet
  std::optional<ReplyTo> joining, syncing;
  Deadline session;

  // What it says under `protocol`; empty if it does not know it.
  ByteView metadata(std::string_view protocol) const;
  bool waits() const { return joining || syncing; }
};

class ClassicGroup final : public Group {
 public:
  static constexpr Type kType = Type::kClassic;
  enum class State : std::uint8_t { kEmpty, kPreparingRebalance, kCompletingRebalance, kStable };
  using Members = std::map<std::string, std::unique_ptr<ClassicMember>, std::less<>>;

  ClassicGroup(Timers& timers, std::string name, std::int64_t now_ms);

  Type type() const override { return kType; }
  std::string_view state_name() const override;
  std::string_view protocol_type() const override { return view(protocol_type_); }
  bool empty() const override { return members_.empty(); }
  bool has_member(std::string_view id) const override { return members_.contains(id); }
  ErrorCode check_commit(const Committer& committer) const override;
  ErrorCode check_offset_fetch(std::string_view, std::int32_t) const override { return ErrorCode::kNone; }
  ErrorCode check_delete() const override;
  ErrorCode check_offset_delete() const override;
  bool subscribed_to(std::string_view topic) const override;
  std::optional<Ageing> ageing() const override;
  void add_tombstones(std::vector<Record>& records) const override;

  State state() const { return state_; }
  State previous_state() const { return previous_state_; }
  bool is(State state) const { return state_ == state; }
  void go_to(State state, std::int64_t now_ms);
  std::int32_t generation() const { return generation_; }
  const std::optional<std::string>& protocol_name() const { return protocol_name_; }
  std::string_view protocol() const { return view(protocol_name_); }  // "" where none is chosen
  std::string_view leader() const { return view(leader_); }
  bool is_leader(std::string_view id) const { return leader_ && *leader_ == id; }

  // --- members ---------------------------------------------------------------------------------------------
  Members& members() { return members_; }
  const Members& members() const { return members_; }
  ClassicMember* find(std::string_view id);
  std::optional<std::string> static_member(std::string_view instance_id) const;
  // UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID; kNone if that is a member and, where it names an instance, the one
  // that the instance is now.
  ErrorCode check_member(std::string_view id, std::optional<std::string_view> instance_id) const;
  // The first becomes the leader. REQUIRES: nobody has its id.
  ClassicMember& add(std::unique_ptr<ClassicMember> member, std::string_view protocol_type);
  // Another leader is chosen where it was that. The member's answers, if it waits, are the caller's affair.
  std::unique_ptr<ClassicMember> remove(std::string_view id);
  // The same static member, under another id.
  ClassicMember& rename(std::string_view old_id, std::unique_ptr<ClassicMember> renamed);
  void set_protocols(ClassicMember& member, std::vector<Protocol> protocols);
  void set_joining(ClassicMember& member, std::optional<ReplyTo> reply_to);
  std::size_t joining() const { return joining_; }
  bool all_have_joined() const { return joining_ == members_.size() && pending_.empty(); }
  // The leader has not come back: one who has takes its place. False if nobody has.
  bool elect_joined_leader();
  // The group must be rebalanced, and its record says so to who loads it.
  void depose_leader() { leader_.reset(); }
  std::int32_t rebalance_timeout_ms() const;  // the longest of its members

  // Ids that were given out and have not been used yet (KIP-394).
  std::map<std::string, std::unique_ptr<Deadline>, std::less<>>& pending() { return pending_; }
  // Members that have joined and have not asked for their assignment.
  std::set<std::string, std::less<>>& unsynced() { return unsynced_; }

  // --- protocols -------------------------------------------------------------------------------------------
  // Whether somebody with these may join: a protocol is left that everybody knows.
  bool supports(std::string_view protocol_type, const std::vector<Protocol>& protocols) const;
  // What most members like best among those that all know. REQUIRES: not empty.
  std::string select_protocol() const;
  // A new generation of those who are members now.
  void next_generation(std::int64_t now_ms);

  // --- the log ---------------------------------------------------------------------------------------------
  Record to_record() const;
  // As the log tells it.
  static Result<std::unique_ptr<ClassicGroup>> from_record(Timers& timers, std::string_view name,
                                                           const wire::GroupMetadataValue& value);

  Deadline join_deadline, sync_deadline;
  // While a group that was empty waits for its first members: how long it may go on doing so.
  std::optional<std::int64_t> initial_wait_left_ms;
  bool new_member_added = false;

 private:
  static std::string_view view(const std::optional<std::string>& text) {
    return text ? std::string_view(*text) : std::string_view();
  }
  void count(const ClassicMember& member, int by);
  void learn_topics();

  State state_ = State::kEmpty, previous_state_ = State::kEmpty;
  std::optional<std::int64_t> state_since_ms_;
  std::int32_t generation_ = 0;
  std::optional<std::string> protocol_type_, protocol_name_, leader_;
  Members members_;
  std::size_t joining_ = 0;
  std::map<std::string, std::string, std::less<>> static_members_;  // instance id → member id
  std::map<std::string, std::size_t, std::less<>> supported_;       // protocol → members that know it
  std::map<std::string, std::unique_ptr<Deadline>, std::less<>> pending_;
  std::set<std::string, std::less<>> unsynced_;
  std::optional<std::set<std::string, std::less<>>> topics_;  // nullopt: nobody knows
};

}  // namespace moldau::group
