// ConsumerGroupHeartbeat, versions 0 and 1: joining, staying, leaving.
#include <algorithm>
#include <chrono>
#include <set>

#include "base/fault.h"
#include "group/consumer_migration.h"
#include "group/consumer_protocol.h"
#include "wire/text.h"

namespace moldau::group {
namespace {

constexpr std::int16_t kFirstWithOwnIds = 1;  // KIP-1082: clients make up their ids
constexpr std::string_view kMustRejoin = "The member must abandon all its partitions and rejoin.";

using Request = wire::ConsumerGroupHeartbeatRequest;

std::optional<std::string> text(const std::optional<std::string_view>& view) {
  return view ? std::optional<std::string>(*view) : std::nullopt;
}

// As Java's String.trim() sees it.
bool blank(const std::optional<std::string_view>& text) {
  return text && std::ranges::all_of(*text, [](char c) { return static_cast<unsigned char>(c) <= ' '; });
}

Verdict<void> invalid(std::string message) { return refuse(ErrorCode::kInvalidRequest, std::move(message)); }

Verdict<void> check(const Context& context, const Request& request, std::int16_t version) {
  const std::int32_t epoch = request.member_epoch;
  if ((version >= kFirstWithOwnIds || epoch > 0 || epoch == kLeaveEpoch) && blank(request.member_id))
    return invalid("MemberId can't be empty.");
  if (blank(request.group_id)) return invalid("GroupId can't be empty.");
  if (blank(request.instance_id)) return invalid("InstanceId can't be empty.");
  if (blank(request.rack_id)) return invalid("RackId can't be empty.");
  if (epoch == 0) {
    if (request.rebalance_timeout_ms == -1)
      return invalid("RebalanceTimeoutMs must be provided in first request.");
    if (!request.topic_partitions || !request.topic_partitions->empty())
      return invalid("TopicPartitions must be empty when (re-)joining.");
    if (!request.subscribed_topic_names && !request.subscribed_topic_regex)
      return invalid(
          "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.");
  } else if (epoch == kStaticLeaveEpoch && !request.instance_id) {
    return invalid("InstanceId can't be null.");
  } else if (epoch < kStaticLeaveEpoch) {
    return invalid("MemberEpoch is invalid.");
  }
  if (!request.server_assignor) return {};
  std::string known;
  for (const std::string& configured : context.config.group_consumer_assignors) {
    const std::string_view name = assignor_name(configured);
    if (name.empty()) continue;
    if (*request.server_assignor == name) return {};
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  return refuse(ErrorCode::kUnsupportedAssignor, "ServerAssignor " + std::string(*request.server_assignor) +
                                                     " is not supported. Supported assignors: " + known +
                                                     ".");
}

bool is_subset(const OwnedPartitions* owned, const EpochAssignment& assigned) {
  return owned != nullptr && std::ranges::all_of(*owned, [&](const auto& topic) {
           const auto found = assigned.find(topic.topic_id);
           return found != assigned.end() && std::ranges::all_of(topic.partitions, [&](std::int32_t p) {
                    return found->second.contains(p);
                  });
         });
}

// Whoever comes with the epoch before, and with nothing that it has not, has missed an answer.
Verdict<void> check_epoch(const ConsumerMember& member, std::int32_t epoch, const OwnedPartitions* owned) {
  if (epoch == 0 || epoch == member.epoch) return {};
  const bool greater = epoch > member.epoch;
  if (!greater && fault_is(Fault::kTakeOldEpoch)) return {};
  if (!greater && epoch == member.previous_epoch && is_subset(owned, member.assigned)) return {};
  return refuse(ErrorCode::kFencedMemberEpoch,
                "The consumer group member has a " + std::string(greater ? "greater" : "smaller") +
                    " member epoch (" + std::to_string(epoch) +
                    ") than the one known by the group coordinator (" + std::to_string(member.epoch) + "). " +
                    std::string(kMustRejoin));
}

Refusal unknown_member(std::string_view member, std::string_view group) {
  return {ErrorCode::kUnknownMemberId,
          "Member " + std::string(member) + " is not a member of group " + std::string(group) + "."};
}

// The one that the instance is now, if it is who asks.
Verdict<const ConsumerMember*> static_member(const ConsumerGroup& group, std::string_view id,
                                             std::string_view instance_id) {
  const std::string instance(instance_id);
  const ConsumerMember* member = group.find_static(instance);
  if (member == nullptr)
    return refuse(ErrorCode::kUnknownMemberId, "Instance id " + instance + " is unknown.");
  if (member->id != id)
    return refuse(ErrorCode::kFencedInstanceId, "Static member " + std::string(id) + " with instance id " +
                                                    instance + " was fenced by member " + member->id + ".");
  return member;
}

const OwnedPartitions* owned_of(const Request& request) {
  return request.topic_partitions ? &*request.topic_partitions : nullptr;
}

// What the request says that the member wants; null in it means: as before.
void learn(ConsumerMember& member, const Request& request, const Caller& caller) {
  if (request.instance_id) member.instance_id = text(request.instance_id);
  if (request.rack_id) member.rack_id = text(request.rack_id);
  if (request.rebalance_timeout_ms != -1) member.rebalance_timeout_ms = request.rebalance_timeout_ms;
  if (request.server_assignor) member.assignor = text(request.server_assignor);
  if (request.subscribed_topic_names)
    member.topics = {request.subscribed_topic_names->begin(), request.subscribed_topic_names->end()};
  if (request.subscribed_topic_regex) member.regex = text(request.subscribed_topic_regex);
  member.client_id = caller.client_id;
  member.client_host = caller.client_host;
  member.classic.reset();
}

wire::ConsumerGroupHeartbeatResponse::Assignment to_wire(const EpochAssignment& assignment) {
  wire::ConsumerGroupHeartbeatResponse::Assignment out;
  for (const auto& [topic, partitions] : assignment) {
    auto& added = out.topic_partitions.emplace_back();
    added.topic_id = topic;
    for (const auto& [partition, epoch] : partitions) added.partitions.push_back(partition);
  }
  return out;
}

}  // namespace

void ConsumerProtocol::heartbeat(Step step, const Caller& caller, const Request& request) {
  Response response;
  const auto refused = [&](const Refusal& refusal) {
    step.decision.records.clear();
    response.error_code = code(refusal.error);
    const std::string why = wire::sayable(refusal.message);
    if (!why.empty()) response.error_message = why;
    step.decision.answer(caller.reply_to, response, true);
  };
  if (const auto valid = check(step.context, request, caller.reply_to.version); !valid)
    return refused(valid.error());
  if (request.member_epoch < 0) {
    const auto left = leave(step, request);
    if (!left) return refused(left.error());
    response.member_id = request.member_id;
    response.member_epoch = *left;
    return step.decision.answer(caller.reply_to, response);
  }
  const auto answered = beat(step, caller, request);
  if (!answered) return refused(answered.error());
  const ConsumerMember& member = answered->member;
  response.member_id = member.id;
  response.member_epoch = member.epoch;
  response.heartbeat_interval_ms =
      group_setting(step.context, request.group_id, "consumer.heartbeat.interval.ms",
                    step.context.config.group_consumer_heartbeat_interval_ms);
  if (answered->with_assignment) response.assignment = to_wire(member.assigned);
  step.decision.answer(caller.reply_to, response);
}

Verdict<ConsumerProtocol::Answered> ConsumerProtocol::beat(Step step, const Caller& caller,
                                                           const Request& request) {
  std::unique_ptr<ConsumerGroup> made;
  const auto found = group_for(step, request, made);
  if (!found) return std::unexpected(found.error());
  ConsumerGroup& group = **found;
  const auto max_size = static_cast<std::size_t>(step.context.config.group_consumer_max_size);
  if (group.members().size() >= max_size && !group.has_member(request.member_id))
    return refuse(ErrorCode::kGroupMaxSizeReached, "The consumer group has reached its maximum capacity of " +
                                                       std::to_string(max_size) + " members.");
  const std::string id =
      request.member_id.empty() ? step.context.random.uuid().to_string() : std::string(request.member_id);
  const OwnedPartitions* owned = owned_of(request);
  const auto before = member_for(step, group,
                                 {.id = id,
                                  .instance_id = request.instance_id,
                                  .joins = request.member_epoch == 0,
                                  .classic = false,
                                  .epoch = request.member_epoch,
                                  .owned = owned});
  if (!before) return std::unexpected(before.error());
  ConsumerMember wanted = *before;
  learn(wanted, request, caller);
  auto after = MemberUpdate(step, hashes_, group, *before).run(std::move(wanted), owned);
  if (!after) return std::unexpected(std::move(after.error()));
  if (!fits(step)) return refuse(ErrorCode::kUnknownServerError, "");
  if (auto* upgraded = groups_.find_as<ClassicGroup>(group.name())) welcome(step, *upgraded);
  keep_alive(step, group.name(), *after);
  watch_revocation(step, group.name(), *after, &*before);
  const bool full = request.rebalance_timeout_ms != -1 && owned != nullptr &&
                    (request.subscribed_topic_names || request.subscribed_topic_regex);
  const bool tell = request.member_epoch == 0 || full || before->assigned != after->assigned;
  return Answered{std::move(*after), tell};
}

// A group that is to be made comes into being when its records are applied.
Verdict<ConsumerGroup*> ConsumerProtocol::group_for(Step step, const Request& request,
                                                    std::unique_ptr<ConsumerGroup>& made) {
  const std::string name(request.group_id);
  const bool joins = request.member_epoch == 0;
  Group* group = groups_.find(name);
  if (group == nullptr && !joins)
    return refuse(ErrorCode::kGroupIdNotFound, "Consumer group " + name + " not found.");
  if (group != nullptr) {
    if (auto* consumer = groups_.find_as<ConsumerGroup>(name)) return consumer;
    const auto* classic = groups_.find_as<ClassicGroup>(name);
    if (!joins || classic == nullptr)
      return refuse(ErrorCode::kGroupIdNotFound, "Group " + name + " is not a consumer group.");
    if (!classic->empty()) {
      auto upgraded = upgrade(step.context, *classic, hashes_, step.decision.records);
      if (!upgraded) return std::unexpected(std::move(upgraded.error()));
      made = std::move(*upgraded);
      return made.get();
    }
    group->add_tombstones(step.decision.records);
  }
  made = std::make_unique<ConsumerGroup>(name);
  return made.get();
}

Verdict<ConsumerMember> ConsumerProtocol::member_for(Step step, const ConsumerGroup& group,
                                                     const Asker& asker) {
  if (asker.joins && asker.instance_id) {
    const ConsumerMember* previous = group.find_static(text(asker.instance_id));
    if (previous == nullptr) {
      const ConsumerMember* known = group.find(asker.id);
      return known != nullptr ? *known : ConsumerMember{.id = asker.id};
    }
    if (!asker.classic && !previous->classic && previous->epoch != kStaticLeaveEpoch)
      return refuse(ErrorCode::kUnreleasedInstanceId,
                    "Static member " + asker.id + " with instance id " + std::string(*asker.instance_id) +
                        " cannot join the group because the instance id is owned by " + previous->id +
                        " member.");
    // It takes the other's place, with all that one had.
    ConsumerMember heir = *previous;
    heir.id = asker.id;
    heir.epoch = heir.previous_epoch = 0;
    auto& records = step.decision.records;
    add_member_tombstones(records, group.name(), previous->id);
    records.push_back(consumer_member_record(group.name(), heir));
    records.push_back(consumer_target_record(group.name(), asker.id, group.target(previous->id)));
    records.push_back(consumer_current_record(group.name(), heir));
    return heir;
  }
  const ConsumerMember* member = group.find(asker.id);
  if (asker.instance_id) {
    const auto found = static_member(group, asker.id, *asker.instance_id);
    if (!found) return std::unexpected(found.error());
    member = *found;
  }
  if (member == nullptr && !asker.joins) return std::unexpected(unknown_member(asker.id, group.name()));
  if (member == nullptr) return ConsumerMember{.id = asker.id};
  if (asker.classic) return *member;
  if (const auto valid = check_epoch(*member, asker.epoch, asker.owned); !valid)
    return std::unexpected(valid.error());
  return *member;
}

// The epoch that is answered.
Verdict<std::int32_t> ConsumerProtocol::leave(Step step, const Request& request) {
  const std::string name(request.group_id);
  const Group* any = groups_.find(name);
  if (any == nullptr) return refuse(ErrorCode::kGroupIdNotFound, "Group " + name + " not found.");
  const ConsumerGroup* group = groups_.find_as<ConsumerGroup>(name);
  if (group == nullptr)
    return refuse(ErrorCode::kGroupIdNotFound, "Group " + name + " is not a consumer group.");
  const ConsumerMember* member = group->find(request.member_id);
  if (request.instance_id) {
    const auto found = static_member(*group, request.member_id, *request.instance_id);
    if (!found) return std::unexpected(found.error());
    member = *found;
  }
  if (member == nullptr) return std::unexpected(unknown_member(request.member_id, name));
  if (request.instance_id && request.member_epoch == kStaticLeaveEpoch) {
    // It comes back: what it has is kept for it until its session is over.
    ConsumerMember away = *member;
    away.epoch = kStaticLeaveEpoch;
    away.revoking.clear();
    for (auto& [topic, partitions] : away.assigned) {
      for (auto& [partition, since] : partitions) since = 0;
    }
    step.decision.records.push_back(consumer_current_record(name, away));
    return kStaticLeaveEpoch;
  }
  fence(step, *group, {member});
  return request.member_epoch;
}

// Members of a classic group that has become a consumer group: who waits is told to join again, and all have
// their session's time to do so.
void ConsumerProtocol::welcome(Step step, ClassicGroup& upgraded) {
  for (const auto& [id, member] : upgraded.members()) {
    if (member->joining) refuse_join(step, *member->joining, ErrorCode::kRebalanceInProgress, id);
    if (member->syncing) refuse_sync(step, *member->syncing, ErrorCode::kRebalanceInProgress);
    upgraded.set_joining(*member, std::nullopt);
    member->syncing.reset();
    clock(upgraded.name(), id).session.set(step.in_ms(member->session_timeout_ms));
  }
}

bool ConsumerProtocol::fits(Step step) {
  constexpr std::size_t kAround = 32;  // of a record; its headers and lengths
  std::size_t bytes = 0;
  for (const Record& record : step.decision.records) {
    bytes += record.key.size() + (record.value ? record.value->size() : 0) + kAround;
  }
  return bytes + 1024 <= step.context.max_batch_bytes;
}

void ConsumerProtocol::fence(Step step, const ConsumerGroup& group,
                             const std::vector<const ConsumerMember*>& members) {
  if (downgrades(step.context, group, members)) return go_back(step, group, members, nullptr, true);
  auto& records = step.decision.records;
  std::map<std::string, int> gone;  // regular expressions, and how many of these members wanted them
  TopicDemands demands = group.demands();
  for (const ConsumerMember* member : members) {
    add_member_tombstones(records, group.name(), member->id);
    for (const std::string& topic : member->topics) count_topic(demands, topic, -1, 0);
    if (member->has_regex()) ++gone[*member->regex];
  }
  for (const auto& [regex, count] : gone) {
    if (group.subscribers(regex) != count) continue;
    records.push_back(consumer_regex_tombstone(group.name(), regex));
    if (const auto found = group.resolved().find(regex); found != group.resolved().end()) {
      for (const std::string& topic : found->second.topics) count_topic(demands, topic, 0, -1);
    }
  }
  records.push_back(consumer_epoch_record(group.name(), group.epoch() + 1,
                                          hashes_.group_hash(demands, step.context.image)));
}

void ConsumerProtocol::due(Step step, const Due& due) {
  const ConsumerGroup* group = groups_.find_as<ConsumerGroup>(due.group);
  const ConsumerMember* member = group == nullptr ? nullptr : group->find(due.member);
  if (member == nullptr) return;
  const bool too_slow = due.kind == Due::Kind::kRevocation &&
                        member->epoch == clock(due.group, due.member).revocation_epoch &&
                        member->state == MemberState::kUnrevokedPartitions;
  if (due.kind == Due::Kind::kConsumer || too_slow) fence(step, *group, {member});
}

void ConsumerProtocol::loaded(Step step, const ConsumerGroup& group) {
  for (const auto& [id, member] : group.members()) {
    keep_alive(step, group.name(), member);
    watch_revocation(step, group.name(), member);
  }
}

ConsumerProtocol::Clock& ConsumerProtocol::clock(const std::string& group, const std::string& member) {
  auto& found = clocks_[group][member];
  if (!found) found = std::make_unique<Clock>(timers_, group, member);
  return *found;
}

void ConsumerProtocol::keep_alive(Step step, const std::string& group, const ConsumerMember& member) {
  const std::int32_t timeout_ms = member.classic
                                      ? member.classic->session_timeout_ms
                                      : group_setting(step.context, group, "consumer.session.timeout.ms",
                                                      step.context.config.group_consumer_session_timeout_ms);
  const bool early = !member.classic && fault_is(Fault::kEndSessionEarly);
  clock(group, member.id).session.set(step.in_ms(early ? timeout_ms / 2 : timeout_ms));
}

// It has its rebalance timeout to give back what it was told to, from the first time on that it was told.
// What it is told next, having given that back, has its own time, though the member's epoch stays.
void ConsumerProtocol::watch_revocation(Step step, const std::string& group, const ConsumerMember& member,
                                        const ConsumerMember* before) {
  Clock& waits = clock(group, member.id);
  if (member.state != MemberState::kUnrevokedPartitions || member.classic) return waits.revocation.clear();
  const bool told_more =
      before != nullptr && (before->revoking != member.revoking || before->assigned != member.assigned);
  if (!waits.revocation.is_set() || waits.revocation_epoch != member.epoch || told_more) {
    waits.revocation.set(step.in_ms(member.rebalance_timeout_ms));
    waits.revocation_epoch = member.epoch;
  }
}

}  // namespace moldau::group
