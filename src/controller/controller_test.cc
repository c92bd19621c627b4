#include "controller/controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metadata/features.h"
#include "metadata/records.h"
#include "simenv/clock.h"
#include "wire/errors.h"
#include "wire/gen/metadata_records.h"

namespace moldau::controller {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using wire::ErrorCode;

Uuid uuid(std::uint8_t first) {
  Uuid id;
  id.bytes[0] = first;
  id.bytes[15] = 200;
  return id;
}

// A controller whose decisions are applied at once.
struct Cluster : testing::Test {
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

TEST_F(OneBroker, creates_topics_and_tells_what_they_are) {
  NewTopic topic = new_topic("t", -1, -1);
  topic.configs = {{"retention.ms", "1000"}};
  const auto reply = create(topic);
  ASSERT_TRUE(reply.error.ok()) << reply.error.message;
  EXPECT_EQ(reply.num_partitions, 3);
  EXPECT_EQ(reply.replication_factor, 1);
  const metadata::Topic* made = controller->image()->find_topic("t");
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(made->id, reply.id);
  EXPECT_EQ(made->partitions.size(), 3u);
  EXPECT_EQ(partition("t").leader, BrokerId{1});
  EXPECT_EQ(partition("t").directories.at(0), uuid(51));
  const auto config = std::ranges::find(reply.configs, "retention.ms", &EffectiveConfig::name);
  ASSERT_NE(config, reply.configs.end());
  EXPECT_EQ(config->value, "1000");
  EXPECT_EQ(config->source, 1);
  EXPECT_TRUE(std::ranges::is_sorted(reply.configs, {}, &EffectiveConfig::name));
}

TEST_F(OneBroker, validating_only_writes_nothing) {
  const auto reply = create(new_topic("t", 4), true);
  EXPECT_TRUE(reply.error.ok());
  EXPECT_EQ(reply.num_partitions, 4);
  EXPECT_EQ(last_records, 0u);
}

TEST_F(OneBroker, bad_names_are_refused_in_kafkas_words) {
  const auto refuse = [&](const std::string& name, const std::string& why) {
    expect_refused(new_topic(name), ErrorCode::kInvalidTopicException, "Topic name is invalid: " + why);
  };
  refuse("", "the empty string is not allowed");
  refuse(".", "'.' is not allowed");
  refuse("..", "'..' is not allowed");
  const std::string long_name(250, 'a');
  refuse(long_name, "the length of '" + long_name + "' is longer than the max allowed length 249");
  refuse("a b", "'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'");
  refuse("a/b", "'a/b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'");
  EXPECT_TRUE(create(new_topic(std::string(249, 'a'))).error.ok());
  expect_refused(new_topic("__cluster_metadata"), ErrorCode::kInvalidRequest,
                 "Creation of internal topic __cluster_metadata is prohibited.");
}

TEST_F(OneBroker, names_that_metrics_cannot_tell_apart_collide) {
  ASSERT_TRUE(create(new_topic("a.b")).error.ok());
  expect_refused(new_topic("a.b"), ErrorCode::kTopicAlreadyExists, "Topic 'a.b' already exists.");
  expect_refused(new_topic("a_b"), ErrorCode::kInvalidTopicException,
                 "Topic 'a_b' collides with existing topic: a.b");
  DeleteTopics gone;
  gone.topics = {{"a.b", {}}};
  EXPECT_TRUE(run(gone).topics.at(0).error.ok());
  EXPECT_TRUE(create(new_topic("a_b")).error.ok());
}

TEST_F(OneBroker, impossible_counts_are_refused) {
  expect_refused(new_topic("t", 0), ErrorCode::kInvalidPartitions,
                 "Number of partitions was set to an invalid non-positive value.");
  expect_refused(new_topic("t", -2), ErrorCode::kInvalidPartitions,
                 "Number of partitions was set to an invalid non-positive value.");
  expect_refused(new_topic("t", 1, 0), ErrorCode::kInvalidReplicationFactor,
                 "Replication factor must be larger than 0, or -1 to use the default value.");
  expect_refused(
      new_topic("t", 1, 3), ErrorCode::kInvalidReplicationFactor,
      "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached "
      "because only 1 broker(s) are registered or some brokers have all their log directories cordoned.");
  expect_refused(new_topic("t", 10'001), ErrorCode::kPolicyViolation,
                 "Excessively large number of partitions per request.");
  expect_refused(new_topic("t", 10'000), ErrorCode::kPolicyViolation,
                 "Unable to perform excessively large batch operation.");
}

TEST_F(OneBroker, manual_assignments_are_checked) {
  const auto at = [](std::int32_t partition, std::vector<BrokerId> brokers) {
    return ManualAssignment{PartitionIndex{partition}, std::move(brokers)};
  };
  const BrokerId one{1};
  const auto refuse = [&](std::vector<ManualAssignment> assignments, const std::string& why) {
    expect_refused(manual(std::move(assignments)), ErrorCode::kInvalidReplicaAssignment, why);
  };
  refuse({at(0, {one}), at(2, {one})}, "partitions should be a consecutive 0-based integer sequence");
  refuse({at(0, {one}), at(0, {one})}, "Found multiple manual partition assignments for partition 0");
  refuse({at(0, {BrokerId{7}})},
         "The manual partition assignment includes broker 7, but no such broker is registered.");
  refuse({at(0, {one, one})}, "The manual partition assignment includes the broker 1 more than once.");
  refuse({at(0, {})}, "The manual partition assignment includes an empty replica list.");
  NewTopic both = manual({at(0, {one})});
  both.num_partitions = 1;
  expect_refused(both, ErrorCode::kInvalidRequest,
                 "A manual partition assignment was specified, but numPartitions was not set to -1.");
  EXPECT_EQ(create(manual({at(1, {one}), at(0, {one})})).num_partitions, 2);
}

TEST_F(OneBroker, a_new_topics_settings_are_checked) {
  const auto with = [&](std::string name, std::optional<std::string> value) {
    NewTopic topic = new_topic("t");
    topic.configs = {{std::move(name), std::move(value)}};
    return topic;
  };
  expect_refused(with("retention.ms", "abc"), ErrorCode::kInvalidConfig,
                 "Invalid value abc for configuration retention.ms: Not a number of type LONG");
  expect_refused(with("foo", "1"), ErrorCode::kInvalidConfig, "Unknown topic config name: foo");
  expect_refused(with("retention.ms", std::nullopt), ErrorCode::kInvalidConfig,
                 "Null value not supported for topic configs: retention.ms");
}

TEST_F(OneBroker, a_name_given_twice_is_nobodys) {
  CreateTopics request;
  request.topics = {new_topic("t"), new_topic("t"), new_topic("u")};
  const auto reply = run(request);
  EXPECT_EQ(reply.topics[0].error.message, "Duplicate topic name.");
  EXPECT_EQ(reply.topics[1].error.code, ErrorCode::kInvalidRequest);
  EXPECT_TRUE(reply.topics[2].error.ok());
}

TEST_F(OneBroker, deletes_by_name_and_by_id) {
  create(new_topic("a"));
  const Uuid id = create(new_topic("b")).id;
  DeleteTopics request;
  request.topics = {{"a", {}},          {std::nullopt, id}, {"zzz", {}}, {std::nullopt, uuid(77)},
                    {std::nullopt, {}}, {"a", id}};
  const auto reply = run(request);
  const auto code = [&](int i) { return reply.topics.at(static_cast<std::size_t>(i)).error.code; };
  EXPECT_EQ(code(0), ErrorCode::kInvalidRequest);  // named again in the last one
  EXPECT_EQ(code(1), ErrorCode::kNone);
  EXPECT_EQ(reply.topics[1].name, "b");
  EXPECT_EQ(code(2), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(code(3), ErrorCode::kUnknownTopicId);
  EXPECT_EQ(code(4), ErrorCode::kInvalidRequest);
  EXPECT_EQ(code(5), ErrorCode::kInvalidRequest);
  EXPECT_EQ(controller->image()->topic_count(), 1u);
}

TEST_F(OneBroker, adds_partitions) {
  create(new_topic("t", 2));
  const auto ask = [&](const std::string& name, std::int32_t count,
                       std::optional<std::vector<std::vector<BrokerId>>> assignments = std::nullopt) {
    CreatePartitions request;
    request.topics = {{name, count, std::move(assignments)}};
    return run(request).topics.at(0).error;
  };
  EXPECT_EQ(ask("t", 2).message, "Topic already has 2 partition(s).");
  EXPECT_EQ(ask("t", 1).message, "The topic t currently has 2 partition(s); 1 would not be an increase.");
  EXPECT_EQ(ask("zzz", 3).code, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(ask("t", 4, {{{BrokerId{1}}}}).message,
            "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.");
  EXPECT_EQ(ask("t", 3, {{{BrokerId{7}}}}).code, ErrorCode::kInvalidReplicaAssignment);
  EXPECT_EQ(ask("t", 20'000).code, ErrorCode::kPolicyViolation);
  EXPECT_TRUE(ask("t", 5).ok());
  EXPECT_TRUE(ask("t", 6, {{{BrokerId{1}}}}).ok());
  EXPECT_EQ(controller->image()->find_topic("t")->partitions.size(), 6u);
  EXPECT_EQ(partition("t", 5).leader, BrokerId{1});
}

struct Configs : OneBroker {
  ApiError alter(metadata::ResourceType type, const std::string& name, ConfigOperation operation,
                 const std::string& key, std::optional<std::string> value) {
    IncrementalAlterConfigs request;
    request.resources = {{{type, name}, {{key, static_cast<std::int8_t>(operation), std::move(value)}}}};
    return run(request).resources.at(0).error;
  }
  const metadata::ConfigMap& config(const std::string& topic) {
    return controller->image()->config(metadata::ResourceType::kTopic, topic);
  }
  static constexpr auto kTopic = metadata::ResourceType::kTopic;
  static constexpr auto kBroker = metadata::ResourceType::kBroker;
  static constexpr auto kGroup = metadata::ResourceType::kGroup;
  static constexpr auto kMetrics = metadata::ResourceType::kClientMetrics;
  static constexpr auto kSet = ConfigOperation::kSet;
  static constexpr auto kDelete = ConfigOperation::kDelete;
  static constexpr auto kAppend = ConfigOperation::kAppend;
  static constexpr auto kSubtract = ConfigOperation::kSubtract;
  void SetUp() override { create(new_topic("a.b")); }
};

TEST_F(Configs, of_topics_are_set_appended_and_deleted) {
  EXPECT_EQ(alter(kTopic, "zzz", kSet, "retention.ms", "1").message, "The topic 'zzz' does not exist.");
  EXPECT_EQ(alter(kTopic, "zzz", kSet, "retention.ms", "1").code, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(alter(kTopic, "a b", kSet, "retention.ms", "1").code, ErrorCode::kInvalidTopicException);
  EXPECT_EQ(alter(kTopic, "", kSet, "retention.ms", "1").message, "Default topic resources are not allowed.");
  EXPECT_EQ(alter(kTopic, "a.b", kSet, "retention.ms", "x").code, ErrorCode::kInvalidConfig);
  EXPECT_EQ(alter(kTopic, "a.b", kSet, "retention.ms", std::nullopt).message,
            "Null value not supported for : retention.ms");
  EXPECT_TRUE(alter(kTopic, "a.b", kSet, "retention.ms", "77").ok());
  EXPECT_EQ(config("a.b").at("retention.ms"), "77");
  EXPECT_TRUE(alter(kTopic, "a.b", kSet, "retention.ms", "77").ok());
  EXPECT_EQ(last_records, 0u);
  EXPECT_TRUE(alter(kTopic, "a.b", kAppend, "cleanup.policy", "compact").ok());
  EXPECT_EQ(config("a.b").at("cleanup.policy"), "delete,compact");
  EXPECT_TRUE(alter(kTopic, "a.b", kSubtract, "cleanup.policy", "delete").ok());
  EXPECT_EQ(config("a.b").at("cleanup.policy"), "compact");
  EXPECT_EQ(alter(kTopic, "a.b", kAppend, "retention.ms", "1").message,
            "Can't APPEND to key retention.ms because its type is not LIST.");
  EXPECT_EQ(alter(kTopic, "a.b", kSubtract, "nosuch", "1").message,
            "Can't SUBTRACT to key nosuch because its type is not LIST.");
  EXPECT_TRUE(alter(kTopic, "a.b", kDelete, "retention.ms", "").ok());
  EXPECT_FALSE(config("a.b").contains("retention.ms"));
  EXPECT_TRUE(alter(kTopic, "a.b", kDelete, "nosuch", "").ok());
}

TEST_F(Configs, of_brokers_follow_what_may_change_while_running) {
  EXPECT_EQ(alter(kBroker, "1", kSet, "num.partitions", "2").code, ErrorCode::kInvalidRequest);
  EXPECT_THAT(alter(kBroker, "1", kSet, "num.partitions", "2").message,
              HasSubstr("Cannot update these configs dynamically: [num.partitions]"));
  EXPECT_TRUE(alter(kBroker, "1", kSet, "log.cleaner.threads", "2").ok());
  EXPECT_TRUE(alter(kBroker, "", kSet, "log.retention.ms", "99999").ok());
  EXPECT_EQ(alter(kBroker, "abc", kSet, "log.cleaner.threads", "2").message,
            "Unable to parse broker name as a base 10 number.");
  EXPECT_EQ(alter(kBroker, "-5", kSet, "log.cleaner.threads", "2").message, "Invalid negative broker ID.");
  EXPECT_EQ(alter(kBroker, "9", kSet, "log.cleaner.threads", "2").code, ErrorCode::kBrokerIdNotRegistered);
  EXPECT_EQ(alter(kBroker, "1", kSet, "min.insync.replicas", "1").message,
            "Broker-level min.insync.replicas cannot be altered while ELR is enabled.");
  EXPECT_TRUE(alter(kBroker, "", kSet, "min.insync.replicas", "1").ok());
  EXPECT_EQ(alter(kBroker, "", kDelete, "min.insync.replicas", "").message,
            "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.");
}

TEST_F(Configs, of_groups_and_subscriptions_are_checked) {
  EXPECT_EQ(alter(kGroup, "", kSet, "consumer.session.timeout.ms", "50000").message,
            "Default group resources are not allowed.");
  EXPECT_EQ(alter(kGroup, "g", kSet, "foo", "1").message, "Unknown group config name: foo");
  EXPECT_TRUE(alter(kGroup, "g", kSet, "consumer.session.timeout.ms", "50000").ok());
  EXPECT_EQ(alter(kMetrics, "m", kSet, "interval.ms", "1").code, ErrorCode::kInvalidRequest);
  EXPECT_EQ(alter(kMetrics, "", kSet, "interval.ms", "1000").message, "Subscription name can't be empty");
  EXPECT_TRUE(alter(kMetrics, "m", kSet, "interval.ms", "1000").ok());
  EXPECT_EQ(alter(static_cast<metadata::ResourceType>(99), "x", kSet, "a", "b").code,
            ErrorCode::kInvalidRequest);
}

TEST_F(Configs, repeated_keys_and_resources_are_refused) {
  IncrementalAlterConfigs request;
  request.resources = {{{kTopic, "a.b"}, {{"retention.ms", 0, "1"}, {"retention.ms", 0, "2"}}}};
  EXPECT_EQ(run(request).resources.at(0).error.message, "Error due to duplicate config keys");
  request.resources = {{{kTopic, "a.b"}, {{"retention.ms", 0, "1"}}},
                       {{kTopic, "a.b"}, {{"segment.ms", 0, "1"}}}};
  EXPECT_EQ(run(request).resources.at(1).error.message, "Each resource must appear at most once.");
  request.resources = {{{kTopic, "a.b"}, {{"retention.ms", 9, "1"}}}};
  EXPECT_EQ(run(request).resources.at(0).error.code, ErrorCode::kInvalidRequest);
}

TEST_F(Configs, the_old_form_replaces_everything) {
  alter(kTopic, "a.b", kSet, "retention.ms", "77");
  AlterConfigs request;
  request.resources = {{{kTopic, "a.b"}, {{"segment.ms", "5"}}}};
  request.validate_only = true;
  EXPECT_TRUE(run(request).resources.at(0).error.ok());
  EXPECT_TRUE(config("a.b").contains("retention.ms"));
  request.validate_only = false;
  EXPECT_TRUE(run(request).resources.at(0).error.ok());
  EXPECT_EQ(config("a.b"), (metadata::ConfigMap{{"segment.ms", "5"}}));
}

TEST_F(OneBroker, features_move_as_far_as_everybody_goes_along) {
  const auto ask = [&](const std::string& name, std::int16_t level, std::int8_t type) {
    UpdateFeatures request;
    request.updates = {{name, level, type}};
    return run(request).error;
  };
  const std::string intro = "The update failed for all features since the following feature had an error: ";
  EXPECT_EQ(
      ask("metadata.version", 31, 1).message,
      intro +
          "Invalid update version 31 for feature metadata.version. Local controller 1 only supports versions "
          "7-30");
  EXPECT_EQ(ask("metadata.version", 29, 1).message,
            intro +
                "Invalid update version 29 for feature metadata.version. Can't downgrade the version of this "
                "feature without setting the upgrade type to either safe or unsafe downgrade.");
  EXPECT_EQ(
      ask("metadata.version", 29, 2).message,
      intro +
          "Unsupported metadata.version downgrade from 30 to 29. Refusing to perform the requested downgrade "
          "because it might delete metadata information.");
  EXPECT_EQ(ask("foo.version", 1, 1).message,
            intro +
                "Invalid update version 1 for feature foo.version. Local controller 1 does not support this "
                "feature.");
  EXPECT_EQ(ask("group.version", 2, 1).code, ErrorCode::kInvalidUpdateVersion);
  EXPECT_TRUE(ask("metadata.version", 30, 1).ok());
  EXPECT_TRUE(ask("group.version", 0, 2).ok());
  EXPECT_EQ(controller->image()->feature("group.version"), 0);
  EXPECT_TRUE(ask("group.version", 1, 1).ok());
  EXPECT_EQ(controller->image()->feature("group.version"), 1);
  EXPECT_TRUE(ask("kraft.version", 1, 1).ok());
  EXPECT_FALSE(ask("kraft.version", 0, 2).ok());
}

TEST_F(OneBroker, producer_ids_come_in_blocks) {
  AllocateProducerIds request;
  request.broker = BrokerId{1};
  request.broker_epoch = epoch;
  EXPECT_EQ(run(request).first, 0);
  const auto second = run(request);
  EXPECT_EQ(second.first, 1000);
  EXPECT_EQ(second.count, 1000);
  request.broker_epoch = epoch + 1;
  EXPECT_EQ(run(request).error, ErrorCode::kStaleBrokerEpoch);
}

TEST_F(OneBroker, a_clean_restart_keeps_leaders_and_epochs) {
  create(new_topic("t"));
  BrokerHeartbeat stop = heartbeat(1, epoch);
  stop.want_shut_down = true;
  EXPECT_TRUE(run(stop).should_shut_down);
  EXPECT_TRUE(controller->image()->find_broker(BrokerId{1})->fenced);
  RegisterBroker again = registration(1, 2);
  again.previous_broker_epoch = epoch;
  EXPECT_FALSE(run(heartbeat(1, run(again).broker_epoch)).fenced);
  EXPECT_EQ(partition("t").leader, BrokerId{1});
  EXPECT_EQ(partition("t").leader_epoch, LeaderEpoch{0});
}

TEST_F(OneBroker, a_crash_begins_a_new_leader_epoch) {
  create(new_topic("t"));
  start_broker(1, 2);
  EXPECT_EQ(partition("t").leader, BrokerId{1});
  EXPECT_THAT(partition("t").isr, ElementsAre(BrokerId{1}));
  EXPECT_GT(partition("t").leader_epoch, LeaderEpoch{0});
  EXPECT_EQ(partition("t").leader_recovery_state, 0);
}

TEST_F(Cluster, a_broker_must_belong_here_and_know_the_features) {
  RegisterBroker request = registration(1);
  request.cluster_id = "other";
  EXPECT_EQ(run(request).error.message, "Expected cluster ID c, but got cluster ID other");
  request = registration(1);
  request.log_dirs.clear();
  EXPECT_EQ(run(request).error.message, "No directories specified in request");
  request = registration(1);
  request.log_dirs = {uuid(5), uuid(5)};
  EXPECT_EQ(run(request).error.message, "Duplicate directory ID in request");
  request = registration(1);
  request.log_dirs = {metadata::kDirectoryLost};
  EXPECT_EQ(run(request).error.message, "Reserved directory ID in request");
  request = registration(1);
  request.features = {{"metadata.version", 7, 29}};
  EXPECT_EQ(run(request).error.code, ErrorCode::kUnsupportedVersion);
  start_broker(1);
  request = registration(2);
  request.log_dirs = registration(1).log_dirs;
  EXPECT_THAT(run(request).error.message, HasSubstr("Broker 1 is already registered with directory"));
}

TEST_F(Cluster, nobody_alive_no_topic) {
  run(registration(1));
  expect_refused(new_topic("t"), ErrorCode::kInvalidReplicationFactor,
                 "Unable to replicate the partition 1 time(s): All brokers are currently fenced.");
}

TEST_F(Cluster, leadership_moves_when_a_broker_of_several_stops) {
  const std::int64_t first = start_broker(1);
  start_broker(2);
  ASSERT_TRUE(create(manual({{PartitionIndex{0}, {BrokerId{1}, BrokerId{2}}}})).error.ok());
  BrokerHeartbeat stop = heartbeat(1, first);
  stop.want_shut_down = true;
  run(stop);
  EXPECT_EQ(partition("manual").leader, BrokerId{2});
  EXPECT_THAT(partition("manual").isr, ElementsAre(BrokerId{2}));
  EXPECT_EQ(partition("manual").leader_epoch, LeaderEpoch{1});
}

TEST_F(Cluster, a_failed_directory_takes_leadership_from_its_partitions_only) {
  RegisterBroker request = registration(1);
  request.log_dirs = {uuid(51), uuid(61)};
  const auto epoch = run(request).broker_epoch;
  run(heartbeat(1, epoch));
  create(new_topic("t", 2));
  EXPECT_EQ(partition("t").directories.at(0), metadata::kDirectoryUnassigned);
  const Uuid id = controller->image()->find_topic("t")->id;
  AssignReplicasToDirs assign;
  assign.broker = BrokerId{1};
  assign.broker_epoch = epoch;
  assign.partitions = {{uuid(51), id, PartitionIndex{0}},
                       {uuid(61), id, PartitionIndex{1}},
                       {uuid(61), id, PartitionIndex{5}},
                       {uuid(61), uuid(3), PartitionIndex{0}}};
  const auto assigned = run(assign);
  EXPECT_EQ(assigned.partitions[0].error, ErrorCode::kNone);
  EXPECT_EQ(assigned.partitions[2].error, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(assigned.partitions[3].error, ErrorCode::kUnknownTopicId);
  EXPECT_EQ(partition("t", 1).directories.at(0), uuid(61));
  EXPECT_EQ(partition("t", 1).leader, BrokerId{1});
  BrokerHeartbeat beat = heartbeat(1, epoch);
  beat.offline_log_dirs = {uuid(61)};
  run(beat);
  EXPECT_EQ(partition("t", 0).leader, BrokerId{1});
  EXPECT_EQ(partition("t", 1).leader, kNoBroker);
  EXPECT_THAT(controller->image()->find_broker(BrokerId{1})->log_dirs, ElementsAre(uuid(51)));
  run(beat);
  EXPECT_EQ(last_records, 0u);
}

TEST_F(OneBroker, elections_are_held_where_they_are_needed) {
  create(new_topic("t"));
  ElectLeaders request;
  request.partitions = {{{"t", PartitionIndex{0}}, {"zzz", PartitionIndex{0}}, {"t", PartitionIndex{9}}}};
  const auto reply = run(request);
  EXPECT_EQ(reply.partitions[0].error.code, ErrorCode::kElectionNotNeeded);
  EXPECT_EQ(reply.partitions[1].error.message, "No such topic as zzz");
  EXPECT_EQ(reply.partitions[2].error.message, "No such partition as t-9");
  request.partitions.reset();
  EXPECT_TRUE(run(request).partitions.empty());
  request.election_type = 5;
  EXPECT_EQ(run(request).error.message, "Unknown election type 5");
}

TEST_F(OneBroker, a_broker_may_be_unregistered) {
  UnregisterBroker request;
  request.id = BrokerId{9};
  EXPECT_EQ(run(request).error.message, "Broker ID 9 is not currently registered");
  create(new_topic("t"));
  request.id = BrokerId{1};
  EXPECT_TRUE(run(request).error.ok());
  EXPECT_TRUE(controller->image()->brokers().empty());
  EXPECT_EQ(partition("t").leader, kNoBroker);
}

TEST_F(Cluster, topics_of_older_directories_are_taken_over) {
  AdoptTopics request;
  request.broker = BrokerId{1};
  request.topics = {
      {"old", {}, {{PartitionIndex{0}, uuid(51), LeaderEpoch{7}}}},
      {"older",
       uuid(9),
       {{PartitionIndex{0}, uuid(51), LeaderEpoch{0}}, {PartitionIndex{1}, uuid(52), LeaderEpoch{2}}}}};
  EXPECT_TRUE(run(request).error.ok());
  EXPECT_EQ(controller->image()->find_topic("older")->id, uuid(9));
  EXPECT_FALSE(controller->image()->find_topic("old")->id.is_zero());
  EXPECT_EQ(partition("old").leader_epoch, LeaderEpoch{7});
  EXPECT_EQ(partition("older", 1).directories.at(0), uuid(52));
  run(request);
  EXPECT_EQ(last_records, 0u);
}

}  // namespace
}  // namespace moldau::controller
