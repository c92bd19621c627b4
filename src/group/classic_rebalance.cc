// From one generation to the next: who joins is waited for, who does not come is left out.
#include <algorithm>

#include "group/classic_protocol.h"

namespace moldau::group {

using State = ClassicGroup::State;

constexpr std::size_t kReasonBytes = 255;  // JoinGroupRequest.maybeTruncateReason

std::string because(std::optional<std::string_view> reason) {
  return reason && !reason->empty() ? ": " + std::string(reason->substr(0, kReasonBytes)) : "";
}

std::string describe(const ClassicGroup& group) {
  return "group " + group.name() + " in state " + std::string(group.state_name()) + " with generation " +
         std::to_string(group.generation());
}

void ClassicProtocol::rebalance_or_complete(Step step, ClassicGroup& group, std::string_view why) {
  group.is(State::kPreparingRebalance) ? maybe_complete_join(step, group)
                                       : prepare_rebalance(step, group, why);
}

// A group that was empty waits a while for others that start at the same time
// (group.initial.rebalance.delay.ms).
void ClassicProtocol::prepare_rebalance(Step step, ClassicGroup& group, std::string_view why) {
  // Who has waited for its share may have outlived its session: from now on it has to be heard of again.
  for (const auto& [id, member] : group.members()) {
    if (!member->syncing) continue;
    refuse_sync(step, *member->syncing, ErrorCode::kRebalanceInProgress);
    member->syncing.reset();
    keep_alive(step, *member);
  }
  // What they were given last they may have until they are given anew: who takes the group over counts on it.
  group.sync_deadline.clear();
  step.decision.notes.push_back("Preparing to rebalance " + describe(group) + ": " + std::string(why));
  const bool initial = group.is(State::kEmpty);
  group.go_to(State::kPreparingRebalance, step.wall_ms());
  group.initial_wait_left_ms.reset();
  if (!initial) {
    group.join_deadline.set(step.in_ms(group.rebalance_timeout_ms()));
    return maybe_complete_join(step, group);
  }
  const std::int64_t delay_ms = step.context.config.group_initial_rebalance_delay_ms;
  group.initial_wait_left_ms = std::max<std::int64_t>(group.rebalance_timeout_ms() - delay_ms, 0);
  group.new_member_added = false;
  if (delay_ms <= 0) return complete_join(step, group);
  group.join_deadline.set(step.in_ms(delay_ms));
}

void ClassicProtocol::maybe_complete_join(Step step, ClassicGroup& group) {
  if (!group.initial_wait_left_ms && group.all_have_joined()) complete_join(step, group);
}

void ClassicProtocol::initial_wait_over(Step step, ClassicGroup& group) {
  const std::int64_t left_ms = *group.initial_wait_left_ms;
  if (!group.new_member_added || left_ms == 0) return complete_join(step, group);
  const std::int64_t delay_ms =
      std::min<std::int64_t>(step.context.config.group_initial_rebalance_delay_ms, left_ms);
  group.new_member_added = false;
  group.initial_wait_left_ms = std::max<std::int64_t>(left_ms - delay_ms, 0);
  group.join_deadline.set(step.in_ms(delay_ms));
}

void ClassicProtocol::complete_join(Step step, ClassicGroup& group) {
  group.join_deadline.clear();
  group.initial_wait_left_ms.reset();
  Members missing;
  for (const auto& [id, member] : group.members())
    if (!member->joining && !member->instance_id) missing.push_back(id);
  for (const std::string& id : missing) {
    step.decision.notes.push_back("member " + id + " has not joined " + describe(group) +
                                  " in time: removed");
    group.remove(id);
  }
  if (!group.members().empty() && !group.elect_joined_leader()) {
    // Only static members are left, and none has come back yet.
    return group.join_deadline.set(step.in_ms(group.rebalance_timeout_ms()));
  }
  group.next_generation(step.wall_ms());
  step.decision.notes.push_back("Stabilized " + describe(group) +
                                ", members: " + std::to_string(group.members().size()));
  if (group.members().empty()) return step.decision.records.push_back(group.to_record());
  for (const auto& [id, member] : group.members()) {
    group.unsynced().insert(id);
    member->is_new = false;
    keep_alive(step, *member);
    if (!member->joining) continue;
    tell_generation(step, group, *member, *member->joining);
    group.set_joining(*member, std::nullopt);
  }
  group.sync_deadline.set(step.in_ms(group.rebalance_timeout_ms()));
}

// Who has joined and does not ask for its work keeps it from being done.
void ClassicProtocol::sync_wait_over(Step step, ClassicGroup& group) {
  if (!group.is(State::kCompletingRebalance) && !group.is(State::kStable)) return;
  const Members late(group.unsynced().begin(), group.unsynced().end());
  if (late.empty()) return;
  for (const std::string& id : late) remove_member(step, group, id);
  prepare_rebalance(step, group,
                    std::to_string(late.size()) + " members have not asked for their assignment in time");
}

void ClassicProtocol::session_over(Step step, ClassicGroup& group, std::string_view member_id) {
  if (const auto pending = group.pending().find(member_id); pending != group.pending().end()) {
    group.pending().erase(pending);
    if (group.is(State::kPreparingRebalance)) maybe_complete_join(step, group);
    return;
  }
  const ClassicMember* member = group.find(member_id);
  // Who waits for an answer cannot send heartbeats; unless it does not even know its id.
  if (member == nullptr || (member->waits() && !member->is_new)) return;
  step.decision.notes.push_back("member " + member->id + " of " + describe(group) +
                                " was not heard of in time: removed");
  const std::string why = "removing member " + member->id + " whose session is over";
  remove_member(step, group, member_id);
  after_removal(step, group, why);
}

void ClassicProtocol::remove_member(Step step, ClassicGroup& group, std::string_view member_id) {
  const auto member = group.remove(member_id);
  if (member->joining) refuse_join(step, *member->joining, ErrorCode::kUnknownMemberId, "");
  if (member->syncing) refuse_sync(step, *member->syncing, ErrorCode::kUnknownMemberId);
}

void ClassicProtocol::after_removal(Step step, ClassicGroup& group, std::string_view why) {
  switch (group.state()) {
    case State::kEmpty:
      break;
    case State::kPreparingRebalance:
      maybe_complete_join(step, group);
      break;
    case State::kCompletingRebalance:
    case State::kStable:
      prepare_rebalance(step, group, why);
      break;
  }
}

void ClassicProtocol::keep_alive(Step step, ClassicMember& member) {
  member.session.set(step.in_ms(member.session_timeout_ms));
}

void ClassicProtocol::committed(Step step, std::string_view group_name, std::string_view member_id) {
  auto* group = groups_.find_as<ClassicGroup>(group_name);
  if (group == nullptr || group->is(State::kCompletingRebalance)) return;
  ClassicMember* member = group->find(member_id);
  if (member != nullptr && !member->waits()) keep_alive(step, *member);
}

void ClassicProtocol::due(Step step, const Due& due) {
  auto* group = groups_.find_as<ClassicGroup>(due.group);
  if (group == nullptr) return;
  switch (due.kind) {
    case Due::Kind::kSession:
      return session_over(step, *group, due.member);
    case Due::Kind::kSync:
      return sync_wait_over(step, *group);
    case Due::Kind::kJoin:
      if (!group->is(State::kPreparingRebalance)) return;
      return group->initial_wait_left_ms ? initial_wait_over(step, *group) : complete_join(step, *group);
    default:
      return;
  }
}

void ClassicProtocol::adopt(Step step, ClassicGroup& group, bool rebalance) {
  for (const auto& [id, member] : group.members()) keep_alive(step, *member);
  if (rebalance) prepare_rebalance(step, group, "it was a consumer group");
}

void ClassicProtocol::loaded(Step step, ClassicGroup& group) {
  for (const auto& [id, member] : group.members()) keep_alive(step, *member);
  const auto most = static_cast<std::size_t>(step.context.config.group_max_size);
  if (group.members().size() > most)
    return prepare_rebalance(step, group, "it has more members than it may have");
  if (!group.members().empty() && group.leader().empty())
    prepare_rebalance(step, group, "it was a consumer group");
}

}  // namespace moldau::group
