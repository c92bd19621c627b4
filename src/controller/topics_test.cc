#include "controller/controller_fixture.h"

namespace moldau::controller {
namespace {

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
