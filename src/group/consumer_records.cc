#include "group/consumer_records.h"

#include "wire/gen/consumer_group_records.h"

namespace moldau::group {
namespace {

using wire::ConsumerGroupCurrentMemberAssignmentKey;
using wire::ConsumerGroupCurrentMemberAssignmentValue;
using wire::ConsumerGroupMemberMetadataKey;
using wire::ConsumerGroupMemberMetadataValue;
using wire::ConsumerGroupTargetAssignmentMemberKey;
using wire::ConsumerGroupTargetAssignmentMemberValue;

constexpr std::int16_t kVersion = 0;

std::vector<ConsumerGroupCurrentMemberAssignmentValue::TopicPartitions> to_topics(
    const EpochAssignment& assignment) {
  std::vector<ConsumerGroupCurrentMemberAssignmentValue::TopicPartitions> topics;
  for (const auto& [topic, partitions] : assignment) {
    auto& added = topics.emplace_back();
    added.topic_id = topic;
    added.assignment_epochs.emplace();
    for (const auto& [partition, epoch] : partitions) {
      added.partitions.push_back(partition);
      added.assignment_epochs->push_back(epoch);
    }
  }
  return topics;
}

}  // namespace

Record consumer_epoch_record(std::string_view group, std::int32_t epoch, std::int64_t metadata_hash) {
  return make_record(wire::ConsumerGroupMetadataKey{.group_id = group},
                     wire::ConsumerGroupMetadataValue{.epoch = epoch, .metadata_hash = metadata_hash},
                     kVersion);
}

Record consumer_member_record(std::string_view group, const ConsumerMember& member) {
  ConsumerGroupMemberMetadataValue value{
      .instance_id = member.instance_id,
      .rack_id = member.rack_id,
      .client_id = member.client_id,
      .client_host = member.client_host,
      .subscribed_topic_names = {member.topics.begin(), member.topics.end()},
      .subscribed_topic_regex = member.regex,
      .rebalance_timeout_ms = member.rebalance_timeout_ms,
      .server_assignor = member.assignor,
      .classic_member_metadata = std::nullopt};
  if (member.classic) {
    auto& classic = value.classic_member_metadata.emplace();
    classic.session_timeout_ms = member.classic->session_timeout_ms;
    for (const Protocol& offer : member.classic->protocols) {
      classic.supported_protocols.push_back({.name = offer.name, .metadata = offer.metadata});
    }
  }
  return make_record(ConsumerGroupMemberMetadataKey{.group_id = group, .member_id = member.id}, value,
                     kVersion);
}

Record consumer_current_record(std::string_view group, const ConsumerMember& member) {
  const ConsumerGroupCurrentMemberAssignmentValue value{
      .member_epoch = member.epoch,
      .previous_member_epoch = member.previous_epoch,
      .state = static_cast<std::int8_t>(member.state),
      .assigned_partitions = to_topics(member.assigned),
      .partitions_pending_revocation = to_topics(member.revoking)};
  return make_record(ConsumerGroupCurrentMemberAssignmentKey{.group_id = group, .member_id = member.id},
                     value, kVersion);
}

Record consumer_target_record(std::string_view group, std::string_view member, const Assignment& target) {
  ConsumerGroupTargetAssignmentMemberValue value;
  for (const auto& [topic, partitions] : target) {
    value.topic_partitions.push_back({.topic_id = topic, .partitions = partitions});
  }
  return make_record(ConsumerGroupTargetAssignmentMemberKey{.group_id = group, .member_id = member}, value,
                     kVersion);
}

Record consumer_target_epoch_record(std::string_view group, std::int32_t epoch, std::int64_t at_ms) {
  return make_record(wire::ConsumerGroupTargetAssignmentMetadataKey{.group_id = group},
                     wire::ConsumerGroupTargetAssignmentMetadataValue{.assignment_epoch = epoch,
                                                                      .assignment_timestamp = at_ms},
                     kVersion);
}

Record consumer_regex_record(std::string_view group, std::string_view regex, const ResolvedRegex& resolved) {
  return make_record(
      wire::ConsumerGroupRegularExpressionKey{.group_id = group, .regular_expression = regex},
      wire::ConsumerGroupRegularExpressionValue{.topics = {resolved.topics.begin(), resolved.topics.end()},
                                                .version = resolved.version,
                                                .timestamp = resolved.at_ms},
      kVersion);
}

Record consumer_epoch_tombstone(std::string_view group) {
  return make_tombstone(wire::ConsumerGroupMetadataKey{.group_id = group});
}
Record consumer_partition_metadata_tombstone(std::string_view group) {
  return make_tombstone(wire::ConsumerGroupPartitionMetadataKey{.group_id = group});
}
Record consumer_member_tombstone(std::string_view group, std::string_view member) {
  return make_tombstone(ConsumerGroupMemberMetadataKey{.group_id = group, .member_id = member});
}
Record consumer_current_tombstone(std::string_view group, std::string_view member) {
  return make_tombstone(ConsumerGroupCurrentMemberAssignmentKey{.group_id = group, .member_id = member});
}
Record consumer_target_tombstone(std::string_view group, std::string_view member) {
  return make_tombstone(ConsumerGroupTargetAssignmentMemberKey{.group_id = group, .member_id = member});
}
Record consumer_target_epoch_tombstone(std::string_view group) {
  return make_tombstone(wire::ConsumerGroupTargetAssignmentMetadataKey{.group_id = group});
}
Record consumer_regex_tombstone(std::string_view group, std::string_view regex) {
  return make_tombstone(
      wire::ConsumerGroupRegularExpressionKey{.group_id = group, .regular_expression = regex});
}

void add_member_tombstones(std::vector<Record>& records, std::string_view group, std::string_view member) {
  records.push_back(consumer_current_tombstone(group, member));
  records.push_back(consumer_target_tombstone(group, member));
  records.push_back(consumer_member_tombstone(group, member));
}

}  // namespace moldau::group
