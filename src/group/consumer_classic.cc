// Members that speak the classic protocol to a consumer group: JoinGroup, SyncGroup, Heartbeat and LeaveGroup
// in terms of KIP-848. A round of theirs:
//
//   Heartbeat ─▶ REBALANCE_IN_PROGRESS   there is something to give back, or to fetch
//   JoinGroup ─▶ generation              one step towards the target; what it owns stands in its subscription
//   SyncGroup ─▶ assignment              what it has now
//
// Who does not join, or does not sync, within its rebalance timeout is put out. Nobody waits for others:
// there is no leader. (Kafka: GroupMetadataManager.classicGroup…ToConsumerGroup.)
#include <algorithm>

#include "group/consumer_migration.h"
#include "group/consumer_protocol.h"

namespace moldau::group {
namespace {

constexpr std::int16_t kFirstWithKnownIds = 4;  // of JoinGroup, KIP-394
constexpr std::string_view kProtocolType = "consumer";

std::optional<std::string> text(const std::optional<std::string_view>& view) {
  return view ? std::optional<std::string>(*view) : std::nullopt;
}

// A protocol that all classic members know, if there are any.
bool supports(const ConsumerGroup& group, const wire::JoinGroupRequest& request) {
  if (request.protocol_type != kProtocolType) return false;
  return std::ranges::any_of(request.protocols, [&](const auto& protocol) {
    const auto found = group.classic_protocols().find(protocol.name);
    const int known = found == group.classic_protocols().end() ? 0 : found->second;
    return known == group.classic_members();
  });
}

// The member of the classic protocol that the request is from.
std::expected<const ConsumerMember*, ErrorCode> find_classic(
    const ConsumerGroup& group, std::string_view id, const std::optional<std::string_view>& instance) {
  const ConsumerMember* member = instance ? group.find_static(text(instance)) : group.find(id);
  if (member == nullptr) return std::unexpected(ErrorCode::kUnknownMemberId);
  if (member->id != id) return std::unexpected(ErrorCode::kFencedInstanceId);
  if (!member->classic) return std::unexpected(ErrorCode::kUnknownMemberId);
  return member;
}

}  // namespace

bool ConsumerProtocol::has(std::string_view name) const {
  const auto* group = groups_.find_as<ConsumerGroup>(name);
  return group != nullptr && !group->empty();
}

void ConsumerProtocol::make_room(Step step, const wire::JoinGroupRequest& request) {
  const auto* group = groups_.find_as<ConsumerGroup>(request.group_id);
  const bool opens = request.member_id.empty() && !request.protocol_type.empty() &&
                     !request.protocols.empty() &&
                     request.session_timeout_ms >= step.context.config.group_min_session_timeout_ms &&
                     request.session_timeout_ms <= step.context.config.group_max_session_timeout_ms;
  if (group == nullptr || !opens) return;
  group->add_tombstones(step.decision.records);
  groups_.remove(request.group_id);
}

void ConsumerProtocol::join(Step step, const Caller& caller, const wire::JoinGroupRequest& request) {
  auto* group = groups_.find_as<ConsumerGroup>(request.group_id);
  const std::string id =
      request.member_id.empty() ? step.context.random.uuid().to_string() : std::string(request.member_id);
  const auto refused = [&](ErrorCode error, std::string_view member) {
    step.decision.records.clear();
    refuse_join(step, caller.reply_to, error, member);
  };
  const auto& config = step.context.config;
  if (request.session_timeout_ms < config.group_min_session_timeout_ms ||
      request.session_timeout_ms > config.group_max_session_timeout_ms)
    return refused(ErrorCode::kInvalidSessionTimeout, request.member_id);
  if (config.group_consumer_migration_policy == "disabled")
    return refused(ErrorCode::kInconsistentGroupProtocol, "");
  if (group->members().size() >= static_cast<std::size_t>(config.group_consumer_max_size) &&
      !group->has_member(id))
    return refused(ErrorCode::kGroupMaxSizeReached, "");
  if (!supports(*group, request)) return refused(ErrorCode::kInconsistentGroupProtocol, "");
  const auto subscription = read_subscription(request.protocols.front().metadata, step.context.image);
  if (!subscription) return refused(ErrorCode::kInconsistentGroupProtocol, "");
  if (request.member_id.empty() && !request.group_instance_id &&
      caller.reply_to.version >= kFirstWithKnownIds)
    return refused(ErrorCode::kMemberIdRequired, id);

  const bool joins = request.member_id.empty() || !request.group_instance_id;
  auto before =
      member_for(step, *group, {.id = id, .instance_id = request.group_instance_id, .joins = joins});
  if (!before) return refused(before.error().error, "");
  ConsumerMember wanted = *before;
  if (request.group_instance_id) wanted.instance_id = text(request.group_instance_id);
  if (subscription->rack_id) wanted.rack_id = subscription->rack_id;
  if (request.rebalance_timeout_ms != -1) wanted.rebalance_timeout_ms = request.rebalance_timeout_ms;
  wanted.topics = subscription->topics;
  wanted.regex = "";
  wanted.client_id = caller.client_id;
  wanted.client_host = caller.client_host;
  wanted.classic = ClassicSide{request.session_timeout_ms, protocols_of(request)};

  const std::string protocol(request.protocols.front().name);
  wire::JoinGroupResponse response{.protocol_type = kProtocolType, .members = {}};
  response.protocol_name = protocol;
  response.member_id = id;
  const ConsumerMember* replaced = group->find_static(wanted.instance_id);
  if (replaced != nullptr && !replaced->classic && downgrades(step.context, *group, {replaced}, 1)) {
    // The last of the others was the same process, in its former version.
    step.decision.records.clear();
    response.generation_id = group->epoch();
    // Nobody has to join again if everybody has what the targets say, and no more; the one who is replaced
    // may be on leave, and has no epoch then.
    const bool settled = std::ranges::all_of(group->members(), [&](const auto& entry) {
      const auto& [member_id, member] = entry;
      if (&member != replaced) return member.reconciled_to(group->target_epoch());
      return member.revoking.empty() && without_epochs(member.assigned) == group->target(member_id);
    });
    const bool other_topics =
        replaced->topics != wanted.topics ||
        hashes_.group_hash(group->demands(), step.context.image) != group->metadata_hash();
    const bool stale = !settled || other_topics || group->target_epoch() < group->epoch();
    go_back(step, *group, {}, &wanted, stale);
    return step.decision.answer(caller.reply_to, response);
  }
  auto after = MemberUpdate(step, hashes_, *group, *before).run(std::move(wanted), &subscription->owned);
  if (!after) return refused(after.error().error, "");
  if (!fits(step)) return refused(ErrorCode::kUnknownServerError, "");
  Clock& waits = clock(group->name(), id);
  waits.joining.clear();
  waits.syncing.set(step.in_ms(after->rebalance_timeout_ms));
  keep_alive(step, group->name(), *after);
  watch_revocation(step, group->name(), *after);
  response.generation_id = after->epoch;
  step.decision.answer(caller.reply_to, response);
}

void ConsumerProtocol::sync(Step step, const Caller& caller, const wire::SyncGroupRequest& request) {
  const auto* group = groups_.find_as<ConsumerGroup>(request.group_id);
  const auto found = find_classic(*group, request.member_id, request.group_instance_id);
  if (!found) return refuse_sync(step, caller.reply_to, found.error());
  const ConsumerMember& member = **found;
  if (member.epoch != request.generation_id)
    return refuse_sync(step, caller.reply_to, ErrorCode::kIllegalGeneration);
  const Protocol& protocol = member.classic->protocols.front();
  if ((request.protocol_type && *request.protocol_type != kProtocolType) ||
      (request.protocol_name && *request.protocol_name != protocol.name))
    return refuse_sync(step, caller.reply_to, ErrorCode::kInconsistentGroupProtocol);
  Clock& waits = clock(group->name(), member.id);
  if (group->target_epoch() > member.epoch && member.state != MemberState::kUnrevokedPartitions) {
    if (!waits.joining.is_set()) waits.joining.set(step.in_ms(member.rebalance_timeout_ms));
    return refuse_sync(step, caller.reply_to, ErrorCode::kRebalanceInProgress);
  }
  waits.syncing.clear();
  keep_alive(step, group->name(), member);
  const Bytes assignment =
      write_assignment(without_epochs(member.assigned), protocol.metadata, step.context.image);
  wire::SyncGroupResponse response{.assignment = assignment};
  response.protocol_type = request.protocol_type;
  response.protocol_name = request.protocol_name;
  step.decision.answer(caller.reply_to, response);
}

void ConsumerProtocol::heartbeat(Step step, const Caller& caller, const wire::HeartbeatRequest& request) {
  const auto* group = groups_.find_as<ConsumerGroup>(request.group_id);
  const auto answer = [&](ErrorCode error) {
    step.decision.answer(caller.reply_to, wire::HeartbeatResponse{.error_code = code(error)},
                         error != ErrorCode::kNone);
  };
  const auto found = find_classic(*group, request.member_id, request.group_instance_id);
  if (!found) return answer(found.error());
  const ConsumerMember& member = **found;
  if (member.epoch != request.generation_id) return answer(ErrorCode::kIllegalGeneration);
  keep_alive(step, group->name(), member);
  const bool behind = member.epoch < group->target_epoch();
  const bool must_give = member.state == MemberState::kUnrevokedPartitions;
  const bool may_take =
      member.state == MemberState::kUnreleasedPartitions && !waits_for_others(*group, member);
  if (!behind && !must_give && !may_take) return answer(ErrorCode::kNone);
  Clock& waits = clock(group->name(), member.id);
  if (!waits.joining.is_set()) waits.joining.set(step.in_ms(member.rebalance_timeout_ms));
  answer(ErrorCode::kRebalanceInProgress);
}

// Something of its target is still with another.
bool ConsumerProtocol::waits_for_others(const ConsumerGroup& group, const ConsumerMember& member) {
  for (const auto& [topic, partitions] : group.target(member.id)) {
    const auto has = member.assigned.find(topic);
    for (const std::int32_t partition : partitions) {
      const bool its_own = has != member.assigned.end() && has->second.contains(partition);
      if (!its_own && group.taken(topic, partition)) return true;
    }
  }
  return false;
}

void ConsumerProtocol::leave(Step step, const Caller& caller, const wire::LeaveGroupRequest& request) {
  constexpr std::int16_t kFirstLeaveOfSeveral = 3;
  auto* group = groups_.find_as<ConsumerGroup>(request.group_id);
  std::vector<const ConsumerMember*> leaving;
  const auto leave_one = [&](std::string_view id, const std::optional<std::string_view>& instance) {
    const ConsumerMember* member = instance ? group->find_static(text(instance)) : group->find(id);
    if (member == nullptr) return ErrorCode::kUnknownMemberId;
    // An administrator names an instance without its member.
    if (instance && !id.empty() && member->id != id) return ErrorCode::kFencedInstanceId;
    if (std::ranges::find(leaving, member) == leaving.end()) leaving.push_back(member);
    return ErrorCode::kNone;
  };
  wire::LeaveGroupResponse response;
  bool error = false;
  if (caller.reply_to.version < kFirstLeaveOfSeveral) {
    const ErrorCode one = leave_one(request.member_id, std::nullopt);
    response.error_code = code(one);
    error = one != ErrorCode::kNone;
  }
  for (const auto& member : request.members) {
    const ErrorCode one = leave_one(member.member_id, member.group_instance_id);
    error = error || one != ErrorCode::kNone;
    if (one == ErrorCode::kNone)
      step.decision.notes.push_back("member " + std::string(member.member_id) + " leaves group " +
                                    group->name() + because(member.reason));
    response.members.push_back({.member_id = member.member_id,
                                .group_instance_id = member.group_instance_id,
                                .error_code = code(one)});
  }
  if (!leaving.empty()) fence(step, *group, leaving);
  step.decision.answer(caller.reply_to, response, error);
}

// The rest of the group is classic again. `group` is gone then.
void ConsumerProtocol::go_back(Step step, const ConsumerGroup& group,
                               const std::vector<const ConsumerMember*>& without, const ConsumerMember* heir,
                               bool rebalance) {
  auto made = downgrade(step.context, timers_, group, without, heir);
  group.add_tombstones(step.decision.records);
  // A rebalance that has begun is not in the log. Who loads the group begins it anew: it has no leader.
  if (rebalance) made->depose_leader();
  step.decision.records.push_back(made->to_record());
  step.decision.notes.push_back("group " + group.name() + " goes back to the classic protocol");
  ClassicGroup& classic = groups_.put(std::move(made));
  if (const auto found = clocks_.find(classic.name()); found != clocks_.end()) clocks_.erase(found);
  classic_.adopt(step, classic, rebalance);
}

}  // namespace moldau::group
