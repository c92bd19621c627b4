// JoinGroup, SyncGroup, Heartbeat and LeaveGroup for groups of the classic protocol, and what happens to such
// groups when a time has come. The states stand in classic_group.h.
//
// A member that joins or asks for its assignment usually has to wait for others: its ReplyTo stays with it,
// and whichever decision lets it go on answers it. (Kafka: GroupMetadataManager, its classic half.)
#pragma once

#include "group/classic_group.h"
#include "group/decision.h"
#include "group/group.h"
#include "group/timers.h"
#include "wire/gen/heartbeat.h"
#include "wire/gen/join_group.h"
#include "wire/gen/leave_group.h"
#include "wire/gen/sync_group.h"

namespace moldau::group {

// One decision in the making.
struct Step {
  const Context& context;
  Decision& decision;

  std::int64_t wall_ms() const { return context.now.wall_ms; }
  env::Instant in_ms(std::int64_t ms) const { return context.now.steady + std::chrono::milliseconds(ms); }
};

class ClassicProtocol {
 public:
  ClassicProtocol(Groups& groups, Timers& timers) : groups_(groups), timers_(timers) {}

  void join(Step step, const Caller& caller, const wire::JoinGroupRequest& request);
  void sync(Step step, const Caller& caller, const wire::SyncGroupRequest& request);
  void heartbeat(Step step, const Caller& caller, const wire::HeartbeatRequest& request);
  void leave(Step step, const Caller& caller, const wire::LeaveGroupRequest& request);
  // A commit keeps its member alive, too.
  void committed(Step step, std::string_view group, std::string_view member_id);

  void due(Step step, const Due& due);
  // After a restart: everybody has a session's time to be heard of.
  void loaded(Step step, ClassicGroup& group);
  // A consumer group has become this one: stable, or with everybody joining again.
  void adopt(Step step, ClassicGroup& group, bool rebalance);

 private:
  using Members = std::vector<std::string>;

  // classic_join.cc
  void join_new(Step step, const Caller& caller, const wire::JoinGroupRequest& request, ClassicGroup& group);
  void join_again(Step step, const Caller& caller, const wire::JoinGroupRequest& request,
                  ClassicGroup& group);
  void join_as_instance(Step step, const Caller& caller, const wire::JoinGroupRequest& request,
                        ClassicGroup& group, const std::string& old_id, const std::string& new_id);
  void give_id(Step step, const Caller& caller, const wire::JoinGroupRequest& request, ClassicGroup& group,
               const std::string& id);
  void add_member(Step step, const Caller& caller, const wire::JoinGroupRequest& request, ClassicGroup& group,
                  std::string_view id);
  void update_member(Step step, const Caller& caller, const wire::JoinGroupRequest& request,
                     ClassicGroup& group, ClassicMember& member);
  void tell_generation(Step step, ClassicGroup& group, ClassicMember& member, const ReplyTo& reply_to);

  // classic_rebalance.cc
  void rebalance_or_complete(Step step, ClassicGroup& group, std::string_view why);
  void prepare_rebalance(Step step, ClassicGroup& group, std::string_view why);
  void maybe_complete_join(Step step, ClassicGroup& group);
  void complete_join(Step step, ClassicGroup& group);
  void initial_wait_over(Step step, ClassicGroup& group);
  void sync_wait_over(Step step, ClassicGroup& group);
  void session_over(Step step, ClassicGroup& group, std::string_view member_id);
  void remove_member(Step step, ClassicGroup& group, std::string_view member_id);
  void after_removal(Step step, ClassicGroup& group, std::string_view why);
  void keep_alive(Step step, ClassicMember& member);

  // classic_sync.cc
  void give_assignments(Step step, const wire::SyncGroupRequest& request, ClassicGroup& group);
  void refuse_assignments(Step step, ClassicGroup& group);
  void tell_assignment(Step step, ClassicGroup& group, ClassicMember& member);
  ErrorCode leave_one(Step step, ClassicGroup* found, const wire::LeaveGroupRequest::MemberIdentity& who,
                      bool& left);

  Groups& groups_;
  Timers& timers_;
};

// What JoinGroup and SyncGroup answer to somebody who is refused.
void refuse_join(Step step, const ReplyTo& reply_to, ErrorCode error, std::string_view member_id);
void refuse_sync(Step step, const ReplyTo& reply_to, ErrorCode error);
std::string describe(const ClassicGroup& group);
// ": REASON" as a member gave it (KIP-800), cut to Kafka's length; "" without one.
std::string because(std::optional<std::string_view> reason);

}  // namespace moldau::group
