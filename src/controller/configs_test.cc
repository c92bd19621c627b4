#include "controller/controller_fixture.h"

namespace moldau::controller {
namespace {

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

}  // namespace
}  // namespace moldau::controller
