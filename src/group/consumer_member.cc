#include "group/consumer_member.h"

#include <algorithm>

namespace moldau::group {
namespace {

std::optional<std::string> text(const std::optional<std::string_view>& view) {
  return view ? std::optional<std::string>(*view) : std::nullopt;
}

// Records of Kafka before 4.2 have no epochs of partitions: then the member's counts, which is -2 for a
// static member on leave.
EpochAssignment learn_partitions(
    const std::vector<wire::ConsumerGroupCurrentMemberAssignmentValue::TopicPartitions>& topics,
    std::int32_t member_epoch) {
  EpochAssignment result;
  for (const auto& topic : topics) {
    if (topic.partitions.empty()) continue;
    const bool told = topic.assignment_epochs && topic.assignment_epochs->size() == topic.partitions.size();
    auto& partitions = result[topic.topic_id];
    for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
      partitions[topic.partitions[i]] = told ? (*topic.assignment_epochs)[i] : std::max(member_epoch, 0);
    }
  }
  return result;
}

std::optional<std::int32_t> find(const EpochAssignment& assignment, const Uuid& topic,
                                 std::int32_t partition) {
  const auto partitions = assignment.find(topic);
  if (partitions == assignment.end()) return std::nullopt;
  const auto found = partitions->second.find(partition);
  return found == partitions->second.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

std::optional<std::int32_t> ConsumerMember::assignment_epoch(const Uuid& topic,
                                                             std::int32_t partition) const {
  const auto found = find(assigned, topic, partition);
  return found ? found : find(revoking, topic, partition);
}

void ConsumerMember::learn(const wire::ConsumerGroupMemberMetadataValue& value) {
  instance_id = text(value.instance_id);
  rack_id = text(value.rack_id);
  client_id = value.client_id;
  client_host = value.client_host;
  topics.clear();
  for (const std::string_view topic : value.subscribed_topic_names) topics.emplace(topic);
  regex = text(value.subscribed_topic_regex);
  rebalance_timeout_ms = value.rebalance_timeout_ms;
  assignor = text(value.server_assignor);
  classic.reset();
  if (!value.classic_member_metadata) return;
  classic.emplace(value.classic_member_metadata->session_timeout_ms);
  for (const auto& protocol : value.classic_member_metadata->supported_protocols) {
    classic->protocols.push_back(
        {std::string(protocol.name), Bytes(protocol.metadata.begin(), protocol.metadata.end())});
  }
}

void ConsumerMember::learn(const wire::ConsumerGroupCurrentMemberAssignmentValue& value) {
  epoch = value.member_epoch;
  previous_epoch = value.previous_member_epoch;
  state = value.state >= 0 && value.state <= 2 ? MemberState{value.state} : MemberState::kUnknown;
  assigned = learn_partitions(value.assigned_partitions, epoch);
  revoking = learn_partitions(value.partitions_pending_revocation, epoch);
}

void ConsumerMember::forget_assignment() {
  epoch = previous_epoch = kLeaveEpoch;
  assigned.clear();
  revoking.clear();
}

}  // namespace moldau::group
