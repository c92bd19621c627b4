// The records of consumer groups, applied. Compaction leaves them in any order, so each is taken for itself:
// a member may have an assignment before it has a subscription, and a tombstone may find nothing.
#include <algorithm>

#include "group/consumer_protocol.h"
#include "group/records.h"

namespace moldau::group {

using Value = std::optional<ByteView>;

bool ConsumerProtocol::is_key(std::int16_t type) {
  return (type >= wire::ConsumerGroupMetadataKey::kKey &&
          type <= wire::ConsumerGroupCurrentMemberAssignmentKey::kKey) ||
         type == wire::ConsumerGroupRegularExpressionKey::kKey;
}

Status ConsumerProtocol::apply(std::int16_t type, wire::Reader& key, const Value& value) {
  switch (type) {
    case wire::ConsumerGroupMetadataKey::kKey:
      return apply_epoch(key, value);
    case wire::ConsumerGroupPartitionMetadataKey::kKey:
      return apply_partition_metadata(key, value);
    case wire::ConsumerGroupMemberMetadataKey::kKey:
      return apply_member(key, value);
    case wire::ConsumerGroupTargetAssignmentMetadataKey::kKey:
      return apply_target_epoch(key, value);
    case wire::ConsumerGroupTargetAssignmentMemberKey::kKey:
      return apply_target(key, value);
    case wire::ConsumerGroupCurrentMemberAssignmentKey::kKey:
      return apply_current(key, value);
    default:
      CHECK(is_key(type));
      return apply_regex(key, value);
  }
}

// A group of another kind by that name has been given up: its tombstone came before, or it never had a
// record.
ConsumerGroup& ConsumerProtocol::made(std::string_view name) {
  if (auto* group = groups_.find_as<ConsumerGroup>(name)) return *group;
  return groups_.put(std::make_unique<ConsumerGroup>(std::string(name)));
}

Status ConsumerProtocol::apply_epoch(wire::Reader& reader, const Value& bytes) {
  TRY_ASSIGN(key, read_key<wire::ConsumerGroupMetadataKey>(reader));
  if (bytes) {
    TRY_ASSIGN(value, read_value<wire::ConsumerGroupMetadataValue>(*bytes));
    made(key.group_id).set_epoch(value.epoch, value.metadata_hash);
  } else if (groups_.find_as<ConsumerGroup>(key.group_id) != nullptr) {
    groups_.remove(key.group_id);
    if (const auto found = clocks_.find(key.group_id); found != clocks_.end()) clocks_.erase(found);
  }
  return {};
}

Status ConsumerProtocol::apply_partition_metadata(wire::Reader& reader, const Value& bytes) {
  TRY_ASSIGN(key, read_key<wire::ConsumerGroupPartitionMetadataKey>(reader));
  if (bytes) {
    made(key.group_id).set_has_partition_metadata(true);
  } else if (auto* group = groups_.find_as<ConsumerGroup>(key.group_id)) {
    group->set_has_partition_metadata(false);
  }
  return {};
}

Status ConsumerProtocol::apply_member(wire::Reader& reader, const Value& bytes) {
  TRY_ASSIGN(key, read_key<wire::ConsumerGroupMemberMetadataKey>(reader));
  if (bytes) {
    TRY_ASSIGN(value, read_value<wire::ConsumerGroupMemberMetadataValue>(*bytes));
    if (value.classic_member_metadata && value.classic_member_metadata->supported_protocols.empty())
      return fail(
          ErrorKind::kCorrupt,
          "ConsumerGroupMemberMetadataValue: classic_member_metadata: expected a protocol, found none");
    ConsumerGroup& group = made(key.group_id);
    const ConsumerMember* known = group.find(key.member_id);
    ConsumerMember member = known != nullptr ? *known : ConsumerMember{.id = std::string(key.member_id)};
    member.learn(value);
    group.put(std::move(member));
    return {};
  }
  if (auto* group = groups_.find_as<ConsumerGroup>(key.group_id)) group->remove(key.member_id);
  if (const auto clocks = clocks_.find(key.group_id); clocks != clocks_.end()) {
    if (const auto found = clocks->second.find(key.member_id); found != clocks->second.end())
      clocks->second.erase(found);
  }
  return {};
}

Status ConsumerProtocol::apply_target_epoch(wire::Reader& reader, const Value& bytes) {
  TRY_ASSIGN(key, read_key<wire::ConsumerGroupTargetAssignmentMetadataKey>(reader));
  if (bytes) {
    TRY_ASSIGN(value, read_value<wire::ConsumerGroupTargetAssignmentMetadataValue>(*bytes));
    made(key.group_id).set_target_epoch(value.assignment_epoch, value.assignment_timestamp);
  } else if (auto* group = groups_.find_as<ConsumerGroup>(key.group_id)) {
    group->set_target_epoch(-1, 0);
  }
  return {};
}

Status ConsumerProtocol::apply_target(wire::Reader& reader, const Value& bytes) {
  TRY_ASSIGN(key, read_key<wire::ConsumerGroupTargetAssignmentMemberKey>(reader));
  if (!bytes) {
    if (auto* group = groups_.find_as<ConsumerGroup>(key.group_id)) group->remove_target(key.member_id);
    return {};
  }
  TRY_ASSIGN(value, read_value<wire::ConsumerGroupTargetAssignmentMemberValue>(*bytes));
  Assignment target;
  for (auto& topic : value.topic_partitions) {
    if (topic.partitions.empty()) continue;
    std::ranges::sort(topic.partitions);
    target[topic.topic_id] = std::move(topic.partitions);
  }
  made(key.group_id).set_target(key.member_id, std::move(target));
  return {};
}

Status ConsumerProtocol::apply_current(wire::Reader& reader, const Value& bytes) {
  TRY_ASSIGN(key, read_key<wire::ConsumerGroupCurrentMemberAssignmentKey>(reader));
  ConsumerGroup* group = bytes ? nullptr : groups_.find_as<ConsumerGroup>(key.group_id);
  if (!bytes && (group == nullptr || !group->has_member(key.member_id))) return {};
  wire::ConsumerGroupCurrentMemberAssignmentValue value;
  if (bytes) {
    TRY_ASSIGN(read, read_value<wire::ConsumerGroupCurrentMemberAssignmentValue>(*bytes));
    value = std::move(read);
    group = &made(key.group_id);
  }
  const ConsumerMember* known = group->find(key.member_id);
  ConsumerMember member = known != nullptr ? *known : ConsumerMember{.id = std::string(key.member_id)};
  if (bytes) {
    member.learn(value);
  } else {
    member.forget_assignment();
  }
  group->put(std::move(member));
  return {};
}

Status ConsumerProtocol::apply_regex(wire::Reader& reader, const Value& bytes) {
  TRY_ASSIGN(key, read_key<wire::ConsumerGroupRegularExpressionKey>(reader));
  if (!bytes) {
    if (auto* group = groups_.find_as<ConsumerGroup>(key.group_id))
      group->remove_resolved(key.regular_expression);
    return {};
  }
  TRY_ASSIGN(value, read_value<wire::ConsumerGroupRegularExpressionValue>(*bytes));
  made(key.group_id)
      .put_resolved(key.regular_expression, {.topics = {value.topics.begin(), value.topics.end()},
                                             .version = value.version,
                                             .at_ms = value.timestamp});
  return {};
}

}  // namespace moldau::group
