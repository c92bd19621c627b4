// Clients of the consumer protocol before a machine of the group coordinator.
#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "group/group_fixture.h"
#include "group/records.h"

namespace moldau::group {

using TopicPartition = std::pair<Uuid, std::int32_t>;

// What a client of the protocol does: it says what it owns whenever that changes, and takes what it is told.
struct Member {
  explicit Member(std::string name) : id(std::move(name)) {}

  std::string id;
  std::int32_t epoch = 0;
  std::optional<std::string> instance, rack, regex, assignor;
  std::vector<std::string> topics{"t"};
  std::set<TopicPartition> keep;  // will not be given back, come what may

  std::set<TopicPartition> owned{}, assigned{};
  bool told = false;               // the last answer had an assignment
  bool told_subscription = false;  // the coordinator knows what it wants
  std::vector<std::string> told_topics{};
  std::int32_t heartbeat_ms = 0;
  std::string message{};
};

class ConsumerTest : public GroupTest {
 protected:
  Uuid topic(std::string_view name) const {
    const metadata::Topic* found = image_->find_topic(name);
    CHECK(found != nullptr);
    return found->id;
  }
  std::set<TopicPartition> all_of(std::string_view name) const {
    std::set<TopicPartition> all;
    for (const auto& partition : image_->find_topic(name)->partitions)
      all.emplace(topic(name), partition.index.value);
    return all;
  }

  wire::ConsumerGroupHeartbeatRequest request_of(const Member& m) const {
    wire::ConsumerGroupHeartbeatRequest request{
        .group_id = "g", .member_id = m.id, .member_epoch = m.epoch, .rebalance_timeout_ms = 30'000};
    request.instance_id = m.instance;
    request.rack_id = m.rack;
    request.server_assignor = m.assignor;
    request.subscribed_topic_names = {m.topics.begin(), m.topics.end()};
    request.subscribed_topic_regex = m.regex;
    auto& partitions = request.topic_partitions.emplace();
    for (const auto& [id, partition] : m.owned) {
      if (partitions.empty() || partitions.back().topic_id != id)
        partitions.push_back({.topic_id = id, .partitions = {}});
      partitions.back().partitions.push_back(partition);
    }
    // A settled member says nothing but that it lives.
    if (m.epoch > 0 && m.told_subscription && m.told_topics == m.topics) {
      request.subscribed_topic_names.reset();
      request.subscribed_topic_regex.reset();
      request.server_assignor.reset();
      request.rebalance_timeout_ms = -1;
    }
    return request;
  }

  ErrorCode beat(Member& m) {
    m.owned = m.epoch == 0 ? std::set<TopicPartition>{} : m.assigned;
    if (m.epoch != 0) m.owned.insert(m.keep.begin(), m.keep.end());
    const auto response = answer<wire::ConsumerGroupHeartbeatResponse>(ask(request_of(m)));
    m.message = response.error_message.value_or("");
    m.told = response.assignment.has_value();
    if (response.error_code != 0) return static_cast<ErrorCode>(response.error_code);
    m.told_subscription = true;
    m.told_topics = m.topics;
    m.epoch = response.member_epoch;
    m.heartbeat_ms = response.heartbeat_interval_ms;
    if (!m.told) return ErrorCode::kNone;
    m.assigned.clear();
    for (const auto& one : response.assignment->topic_partitions) {
      for (const std::int32_t partition : one.partitions) m.assigned.emplace(one.topic_id, partition);
    }
    m.owned = m.assigned;
    m.owned.insert(m.keep.begin(), m.keep.end());
    return ErrorCode::kNone;
  }

  ErrorCode leave(Member& m, std::int32_t epoch = -1) {
    wire::ConsumerGroupHeartbeatRequest request{.group_id = "g", .member_id = m.id, .member_epoch = epoch};
    request.instance_id = m.instance;
    const auto response = answer<wire::ConsumerGroupHeartbeatResponse>(ask(request));
    m.message = response.error_message.value_or("");
    if (response.error_code == 0) m.epoch = response.member_epoch;
    return static_cast<ErrorCode>(response.error_code);
  }

  void settle(std::initializer_list<Member*> members) {
    for (int round = 0; round < 4; ++round) {
      for (Member* member : members) EXPECT_EQ(beat(*member), ErrorCode::kNone) << member->message;
    }
    EXPECT_EQ(state(), "Stable");
  }
  void join_both(Member& a, Member& b) {
    beat(a);
    pass(1000);
    settle({&b, &a});
  }

  wire::ConsumerGroupDescribeResponse::DescribedGroup describe() {
    return answer<wire::ConsumerGroupDescribeResponse>(
               ask(wire::ConsumerGroupDescribeRequest{.group_ids = {"g"}}))
        .groups.at(0);
  }
  Bytes describe_bytes() { return answers_.at(ask(wire::ConsumerGroupDescribeRequest{.group_ids = {"g"}})); }
  std::string state() { return std::string(describe().group_state); }

  void set_group_config(std::string_view group, std::string_view name, std::string_view value) {
    metadata::Delta delta(image_);
    CHECK(delta.apply(metadata::encode_record(
        wire::ConfigRecord{.resource_type = 32, .resource_name = group, .name = name, .value = value})));
    image_ = std::move(delta).finish({Offset{++metadata_offset_}, LeaderEpoch{1}, 1}).image;
  }
};

}  // namespace moldau::group
