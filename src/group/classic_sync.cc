// SyncGroup, Heartbeat and LeaveGroup, every version.
#include "base/fault.h"
#include "group/classic_protocol.h"

namespace moldau::group {
namespace {

using State = ClassicGroup::State;
using wire::HeartbeatRequest;
using wire::HeartbeatResponse;
using wire::LeaveGroupRequest;
using wire::LeaveGroupResponse;
using wire::SyncGroupRequest;
using wire::SyncGroupResponse;

constexpr std::int16_t kFirstLeaveOfSeveral = 3;  // KIP-345
constexpr std::size_t kRoomForBatch = 1024;       // the batch's header, the key with the group's name

ErrorCode check_sync(const ClassicGroup& group, const SyncGroupRequest& request) {
  const ErrorCode unknown = group.check_member(request.member_id, request.group_instance_id);
  if (unknown != ErrorCode::kNone) return unknown;
  if (request.generation_id != group.generation()) return ErrorCode::kIllegalGeneration;
  const bool other_type = request.protocol_type && *request.protocol_type != group.protocol_type();
  const bool other_name = request.protocol_name && group.protocol_name() != *request.protocol_name;
  return other_type || other_name ? ErrorCode::kInconsistentGroupProtocol : ErrorCode::kNone;
}

}  // namespace

void refuse_sync(Step step, const ReplyTo& reply_to, ErrorCode error) {
  step.decision.answer(reply_to, SyncGroupResponse{.error_code = code(error)}, true);
}

void ClassicProtocol::sync(Step step, const Caller& caller, const SyncGroupRequest& request) {
  const auto refuse = [&](ErrorCode error) { refuse_sync(step, caller.reply_to, error); };
  if (request.group_id.empty()) return refuse(ErrorCode::kInvalidGroupId);
  auto* group = groups_.find_as<ClassicGroup>(request.group_id);
  if (group == nullptr) return refuse(ErrorCode::kUnknownMemberId);
  if (const ErrorCode wrong = check_sync(*group, request); wrong != ErrorCode::kNone) return refuse(wrong);
  ClassicMember& member = *group->find(request.member_id);
  switch (group->state()) {
    case State::kEmpty:
      return refuse(ErrorCode::kUnknownMemberId);
    case State::kPreparingRebalance:
      return refuse(ErrorCode::kRebalanceInProgress);
    case State::kStable:
      break;
    case State::kCompletingRebalance:
      if (member.syncing) refuse_sync(step, *member.syncing, ErrorCode::kRebalanceInProgress);
      member.syncing = caller.reply_to;
      group->unsynced().erase(member.id);
      if (group->is_leader(member.id)) give_assignments(step, request, *group);
      return;
  }
  group->unsynced().erase(member.id);
  if (group->unsynced().empty()) group->sync_deadline.clear();
  keep_alive(step, member);
  member.syncing = caller.reply_to;
  tell_assignment(step, *group, member);
}

// The leader has given everybody work: whoever has asked is told, as soon as it is written.
void ClassicProtocol::give_assignments(Step step, const SyncGroupRequest& request, ClassicGroup& group) {
  for (const auto& [id, member] : group.members()) member->assignment.clear();
  for (const auto& given : request.assignments) {
    ClassicMember* member = group.find(given.member_id);
    if (member != nullptr) member->assignment.assign(given.assignment.begin(), given.assignment.end());
  }
  if (group.to_record().value->size() + kRoomForBatch > step.context.max_batch_bytes)
    return refuse_assignments(step, group);
  group.go_to(State::kStable, step.wall_ms());
  step.decision.records.push_back(group.to_record());
  step.decision.notes.push_back("Assignment received from leader " + std::string(request.member_id) +
                                " for " + describe(group) +
                                ", members: " + std::to_string(group.members().size()));
  for (const auto& [id, member] : group.members()) {
    if (!member->syncing) continue;
    keep_alive(step, *member);
    tell_assignment(step, group, *member);
  }
  if (group.unsynced().empty()) group.sync_deadline.clear();
}

// What is written must be read again after a restart: a group that cannot be kept is told so at once.
void ClassicProtocol::refuse_assignments(Step step, ClassicGroup& group) {
  for (const auto& [id, member] : group.members()) {
    if (member->syncing) {
      refuse_sync(step, *member->syncing, ErrorCode::kUnknownServerError);
      keep_alive(step, *member);
    }
    member->syncing.reset();
    member->assignment.clear();
  }
  prepare_rebalance(step, group,
                    "what its members said and were given does not fit a record of __consumer_offsets, which "
                    "takes " +
                        std::to_string(step.context.max_batch_bytes) + " bytes (max.message.bytes)");
}

void ClassicProtocol::tell_assignment(Step step, ClassicGroup& group, ClassicMember& member) {
  SyncGroupResponse response;
  response.protocol_type = group.protocol_type();
  if (group.protocol_name()) response.protocol_name = *group.protocol_name();
  response.assignment =
      fault_is(Fault::kGiveTheWrongShare) ? group.members().begin()->second->assignment : member.assignment;
  step.decision.answer(*member.syncing, response);
  member.syncing.reset();
}

void ClassicProtocol::heartbeat(Step step, const Caller& caller, const HeartbeatRequest& request) {
  const auto answer = [&](ErrorCode error) {
    step.decision.answer(caller.reply_to, HeartbeatResponse{.error_code = code(error)},
                         error != ErrorCode::kNone);
  };
  if (request.group_id.empty()) return answer(ErrorCode::kInvalidGroupId);
  auto* group = groups_.find_as<ClassicGroup>(request.group_id);
  if (group == nullptr) return answer(ErrorCode::kUnknownMemberId);
  const ErrorCode unknown = group->check_member(request.member_id, request.group_instance_id);
  if (unknown != ErrorCode::kNone) return answer(unknown);
  if (request.generation_id != group->generation()) return answer(ErrorCode::kIllegalGeneration);
  if (group->is(State::kEmpty)) return answer(ErrorCode::kUnknownMemberId);
  keep_alive(step, *group->find(request.member_id));
  answer(group->is(State::kPreparingRebalance) ? ErrorCode::kRebalanceInProgress : ErrorCode::kNone);
}

void ClassicProtocol::leave(Step step, const Caller& caller, const LeaveGroupRequest& request) {
  LeaveGroupResponse response;
  auto* group = groups_.find_as<ClassicGroup>(request.group_id);
  const bool one = caller.reply_to.version < kFirstLeaveOfSeveral;
  bool left = false;
  if (request.group_id.empty()) {
    response.error_code = code(ErrorCode::kInvalidGroupId);
  } else if (one) {
    response.error_code = code(leave_one(step, group, {.member_id = request.member_id}, left));
  } else {
    for (const auto& member : request.members) {
      const ErrorCode error = leave_one(step, group, member, left);
      response.members.push_back({.member_id = member.member_id,
                                  .group_instance_id = member.group_instance_id,
                                  .error_code = code(error)});
    }
  }
  step.decision.answer(caller.reply_to, response, response.error_code != 0);
  if (left) after_removal(step, *group, "a member has left");
}

// An administrator names a static member without its id; a member names itself.
ErrorCode ClassicProtocol::leave_one(Step step, ClassicGroup* found,
                                     const LeaveGroupRequest::MemberIdentity& who, bool& left) {
  if (found == nullptr) return ErrorCode::kUnknownMemberId;
  ClassicGroup& group = *found;
  const auto& instance_id = who.group_instance_id;
  std::string id(who.member_id);
  if (id.empty() && instance_id) {
    const auto current = group.static_member(*instance_id);
    if (!current) return ErrorCode::kUnknownMemberId;
    id = *current;
  } else if (const auto pending = group.pending().find(id); pending != group.pending().end()) {
    if (instance_id) return ErrorCode::kUnknownMemberId;
    group.pending().erase(pending);
    left = true;
    return ErrorCode::kNone;
  }
  const ErrorCode unknown = group.check_member(id, instance_id);
  if (unknown != ErrorCode::kNone) return unknown;
  step.decision.notes.push_back("member " + id + " leaves " + describe(group) + because(who.reason));
  remove_member(step, group, id);
  left = true;
  return ErrorCode::kNone;
}

}  // namespace moldau::group
