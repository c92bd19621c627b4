// The classic protocol's half, as Java's eager consumer speaks it with its embedded consumer protocol: it
// gives up everything before it joins again, and the leader shares all partitions out.
#include <algorithm>

#include "sim/owner.h"
#include "wire/gen/consumer_protocol.h"
#include "wire/gen/heartbeat.h"
#include "wire/gen/leave_group.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace moldau::sim {
namespace {

using wire::ErrorCode;

constexpr std::int16_t kEmbedded = 1;  // version of subscriptions and assignments
// A join waits for members that are gone, be it over two rebalances.
constexpr std::int32_t kLongestJoinMs = 2 * (Owner::kSessionMs + 1500);
// A leader that is not to share anything out does not know what there was to share.
const TopicPartitions kNobodyKnows{{"", -1}};
constexpr std::int16_t kFirstLeaveOfSeveral = 3;

template <typename Message>
Bytes embedded(const Message& message) {
  wire::Writer writer;
  writer.number(kEmbedded);
  encode(writer, kEmbedded, message);
  return writer.to_bytes();
}

Bytes encode_assignment(const TopicPartitions& partitions) {
  wire::ConsumerProtocolAssignment out;
  for (const auto& [topic, partition] : partitions) {
    if (out.assigned_partitions.empty() || out.assigned_partitions.back().topic != topic)
      out.assigned_partitions.push_back({.topic = topic, .partitions = {}});
    out.assigned_partitions.back().partitions.push_back(partition);
  }
  return embedded(out);
}

std::optional<TopicPartitions> decode_assignment(ByteView bytes) {
  TopicPartitions partitions;
  if (bytes.empty()) return partitions;
  wire::Reader reader(bytes);
  const auto version = reader.number<std::int16_t>("version");
  wire::ConsumerProtocolAssignment read;
  if (version != kEmbedded || !decode(reader, kEmbedded, read)) return std::nullopt;
  for (const auto& topic : read.assigned_partitions)
    for (const std::int32_t partition : topic.partitions) partitions.emplace(topic.topic, partition);
  return partitions;
}

}  // namespace

void Owner::join() {
  wire::ConsumerProtocolSubscription subscription;
  for (const auto& [topic, commits] : book_.topics()) subscription.topics.emplace_back(topic);
  const Bytes metadata = embedded(subscription);
  wire::JoinGroupRequest request{.group_id = book_.group(),
                                 .session_timeout_ms = kSessionMs,
                                 .rebalance_timeout_ms = spec_.rebalance_ms,
                                 .member_id = id_,
                                 .protocol_type = "consumer",
                                 .protocols = {{.name = "range", .metadata = metadata}}};
  if (spec_.instance_id) request.group_instance_id = *spec_.instance_id;
  const Asked asked = now_asked();
  ask<wire::JoinGroupResponse>(
      spec_.join_version, request,
      [this, asked](const wire::JoinGroupResponse& response) { joined(asked, response); }, kLongestJoinMs,
      true, asked.times);
}

void Owner::joined(const Asked& asked, const wire::JoinGroupResponse& response) {
  if (outdated(asked)) return;
  const ErrorCode error = error_of(response.error_code);
  if (error == ErrorCode::kMemberIdRequired) {
    id_ = response.member_id;
    return go_on_soon(20);
  }
  if (error == ErrorCode::kRebalanceInProgress) return go_on_soon();  // the group has just gone over
  if (error != ErrorCode::kNone) return told(error);
  id_ = response.member_id;
  epoch_ = response.generation_id;
  phase_ = Phase::kJoined;
  sync(response);
}

void Owner::sync(const wire::JoinGroupResponse& response) {
  wire::SyncGroupRequest request{.group_id = book_.group(), .generation_id = epoch_, .member_id = id_};
  request.protocol_type = "consumer";
  request.protocol_name = "range";
  if (spec_.instance_id) request.group_instance_id = *spec_.instance_id;
  std::vector<Bytes> texts;
  texts.reserve(response.members.size());  // views into it must last
  planned_.reset();
  if (response.leader == id_) {
    const bool shares_out = !response.members.empty() && !response.skip_assignment;
    planned_ = shares_out ? all_partitions() : kNobodyKnows;
    std::vector<TopicPartitions> shares(shares_out ? response.members.size() : 0);
    std::size_t next = 0;
    for (const TopicPartition& partition : *planned_)
      if (shares_out) shares[next++ % shares.size()].insert(partition);
    for (std::size_t i = 0; i < shares.size(); ++i) {
      request.assignments.push_back({.member_id = response.members[i].member_id,
                                     .assignment = texts.emplace_back(encode_assignment(shares[i]))});
    }
  }
  const Asked asked = now_asked();
  ask<wire::SyncGroupResponse>(
      spec_.sync_version, request,
      [this, asked](const wire::SyncGroupResponse& response) { synced(asked, response); }, kLongestJoinMs,
      true, asked.times);
}

void Owner::synced(const Asked& asked, const wire::SyncGroupResponse& response) {
  if (outdated(asked)) {
    phase_ = Phase::kFound;
    return;
  }
  if (response.error_code != 0) {
    phase_ = Phase::kFound;
    return told(error_of(response.error_code));
  }
  const auto partitions = decode_assignment(response.assignment);
  if (!partitions) return world_.violate(name() + " cannot read its assignment");
  OwnerBook::Standing& known = standing();
  known.heard = asked.times->arrived;
  known.asked.clear();
  for (const TopicPartition& partition : *partitions) known.asked[partition] = known.heard;
  phase_ = Phase::kIn;
  tell_all_ = false;
  if (epochs_.empty() || epochs_.back() < epoch_) epochs_.push_back(epoch_);
  take(*partitions, asked.times->answered);
  assigned_ = held_;
  seen_ = all_partitions();
  go_on_soon();
}

void Owner::classic_heartbeat() {
  wire::HeartbeatRequest request{.group_id = book_.group(), .generation_id = epoch_, .member_id = id_};
  if (spec_.instance_id) request.group_instance_id = *spec_.instance_id;
  const Asked asked = now_asked();
  ask<wire::HeartbeatResponse>(
      spec_.classic_heartbeat_version, request,
      [this, asked](const wire::HeartbeatResponse& response) {
        if (outdated(asked)) return;
        if (response.error_code != 0) return told(error_of(response.error_code));
        tell_all_ = false;
        // Nobody joins again without it before its rebalance's time is over, from here on.
        OwnerBook::Standing& known = standing();
        known.heard = asked.times->arrived;
        for (auto& [partition, since] : known.asked) since = known.heard;
        book_.heard(number_);
        // A leader that sees other partitions than those that it has shared out has them shared out again.
        if (planned_ && world_.broker() != nullptr && *planned_ != all_partitions()) revokes_ = true;
        go_on_soon(settled_ ? 300 : kPaceMs);
      },
      0, true, asked.times);
}

void Owner::leave_classic() {
  world_.note([&] { return name() + " (" + id_ + ") leaves"; });
  const std::string id = id_;
  wire::LeaveGroupRequest request;
  request.group_id = book_.group();
  const std::int16_t version = spec_.instance_id ? kFirstLeaveOfSeveral : 1;
  if (!spec_.instance_id) request.member_id = id;
  if (spec_.instance_id)
    request.members.push_back({.member_id = id, .group_instance_id = std::string_view(*spec_.instance_id)});
  start_anew(true);
  ask<wire::LeaveGroupResponse>(version, request,
                                [this](const wire::LeaveGroupResponse&) { go_on_soon(500); });
}

}  // namespace moldau::sim
