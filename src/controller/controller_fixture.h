// A controller whose decisions are applied at once, for its unit tests; and the same with one broker alive.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "controller/controller.h"
#include "metadata/features.h"
#include "metadata/records.h"
#include "simenv/clock.h"
#include "wire/errors.h"

namespace moldau::controller {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using wire::ErrorCode;

inline Uuid uuid(std::uint8_t first) {
  Uuid id;
  id.bytes[0] = first;
  id.bytes[15] = 200;
  return id;
}

struct Cluster : ::testing::Test {
  simenv::Random random{1};
  std::unique_ptr<Controller> controller;
  std::int64_t offset = 0;

  explicit Cluster(config::Layer statics = {}) {
    controller = std::make_unique<Controller>(
        Options{.default_num_partitions = 3, .static_broker_config = std::move(statics)},
        metadata::Image::empty("c"));
    std::vector<Bytes> features;
    for (const auto& feature : metadata::supported_features())
      if (feature.fresh > 0) features.push_back(metadata::feature_record(feature.name, feature.fresh));
    apply(features);
  }

  metadata::Changes apply(const std::vector<Bytes>& records) {
    const std::vector<ByteView> views(records.begin(), records.end());
    offset += static_cast<std::int64_t>(records.size());
    auto changes = controller->apply(views, {Offset{offset}, LeaderEpoch{1}, 0});
    EXPECT_TRUE(changes.has_value()) << changes.error().message;
    return changes ? *changes : metadata::Changes{};
  }

  template <typename Request>
  typename Request::Reply run(const Request& request) {
    auto outcome = controller->handle(request, {}, random);
    last_records = outcome.records.size();
    apply(outcome.records);
    return outcome.reply;
  }
  std::size_t last_records = 0;

  static std::vector<FeatureRange> all_features() {
    std::vector<FeatureRange> features;
    for (const auto& f : metadata::supported_features())
      features.push_back({std::string(f.name), f.min, f.max});
    return features;
  }

  RegisterBroker registration(std::int32_t id, std::uint8_t incarnation = 1) {
    RegisterBroker request;
    request.id = BrokerId{id};
    request.cluster_id = "c";
    request.incarnation_id = uuid(incarnation);
    request.endpoints = {{"PLAINTEXT", "localhost", 9092, 0}};
    request.features = all_features();
    request.log_dirs = {uuid(static_cast<std::uint8_t>(50 + id))};
    return request;
  }
  BrokerHeartbeat heartbeat(std::int32_t id, std::int64_t epoch) {
    BrokerHeartbeat beat;
    beat.id = BrokerId{id};
    beat.broker_epoch = epoch;
    beat.current_metadata_offset = Offset{offset};
    return beat;
  }
  std::int64_t start_broker(std::int32_t id, std::uint8_t incarnation = 1) {
    const auto reply = run(registration(id, incarnation));
    EXPECT_TRUE(reply.error.ok()) << reply.error.message;
    EXPECT_FALSE(run(heartbeat(id, reply.broker_epoch)).fenced);
    return reply.broker_epoch;
  }

  static NewTopic new_topic(std::string name, std::int32_t partitions = 1, std::int16_t factor = 1) {
    NewTopic topic;
    topic.name = std::move(name);
    topic.num_partitions = partitions;
    topic.replication_factor = factor;
    return topic;
  }
  CreateTopicsReply::Topic create(NewTopic topic, bool validate_only = false) {
    CreateTopics request;
    request.topics = {std::move(topic)};
    request.validate_only = validate_only;
    return run(request).topics.at(0);
  }
  void expect_refused(NewTopic topic, ErrorCode code, const std::string& message) {
    const auto reply = create(std::move(topic));
    EXPECT_EQ(reply.error.code, code) << wire::name(reply.error.code);
    EXPECT_EQ(reply.error.message, message);
    EXPECT_EQ(last_records, 0u);
  }
  static NewTopic manual(std::vector<ManualAssignment> assignments) {
    NewTopic topic = new_topic("manual", -1, -1);
    topic.assignments = std::move(assignments);
    return topic;
  }
  const metadata::Partition& partition(const std::string& topic, std::int32_t index = 0) {
    return *controller->image()->find_partition(topic, PartitionIndex{index});
  }
};

struct OneBroker : Cluster {
  std::int64_t epoch = start_broker(1);
};

}  // namespace moldau::controller
