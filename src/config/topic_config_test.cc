// Precedence and units. The verdicts on proposed settings are compared with Kafka's in recorded_test.cc.
#include "config/topic_config.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/describe.h"

namespace moldau::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(TopicConfig, Defaults) {
  const TopicConfig config = resolve_topic(BrokerValues(), {});
  EXPECT_TRUE(config.cleanup_delete);
  EXPECT_FALSE(config.cleanup_compact);
  EXPECT_EQ(config.compression, Compression::kAsProduced);
  EXPECT_EQ(config.retention_ms, 604'800'000);
  EXPECT_EQ(config.retention_bytes, -1);
  EXPECT_EQ(config.segment_ms, 604'800'000);
  EXPECT_EQ(config.segment_jitter_ms, 0);
  EXPECT_EQ(config.segment_bytes, 1 << 30);
  EXPECT_EQ(config.max_message_bytes, 1'048'588);
  EXPECT_EQ(config.flush_ms, INT64_MAX);
  EXPECT_EQ(config.timestamp_before_max_ms, INT64_MAX);
  EXPECT_EQ(config.timestamp_after_max_ms, 3'600'000);
  EXPECT_EQ(config.min_insync_replicas, 1);
  EXPECT_EQ(config.min_cleanable_dirty_ratio, 0.5);
}

TEST(TopicConfig, ATopicsOwnSettingsWinOverEveryLayer) {
  BrokerValues values(Layer{{"log.segment.bytes", "2000000"}});
  EXPECT_EQ(resolve_topic(values, {}).segment_bytes, 2'000'000);
  values.set_dynamic_default({{"log.segment.bytes", "3000000"}});
  EXPECT_EQ(resolve_topic(values, {}).segment_bytes, 3'000'000);
  values.set_dynamic_broker({{"log.segment.bytes", "4000000"}});
  EXPECT_EQ(resolve_topic(values, {}).segment_bytes, 4'000'000);
  EXPECT_EQ(resolve_topic(values, {{"segment.bytes", " 5000000"}}).segment_bytes, 5'000'000);
  EXPECT_EQ(
      resolve_topic(values, {{"segment.bytes", "5000000"}, {"internal.segment.bytes", "100"}}).segment_bytes,
      100);
}

TEST(TopicConfig, FinerUnitsWin) {
  EXPECT_EQ(resolve_topic(BrokerValues(Layer{{"log.retention.hours", "2"}}), {}).retention_ms, 7'200'000);
  EXPECT_EQ(
      resolve_topic(BrokerValues(Layer{{"log.retention.hours", "2"}, {"log.retention.minutes", "3"}}), {})
          .retention_ms,
      180'000);
  EXPECT_EQ(resolve_topic(BrokerValues(Layer{{"log.retention.hours", "2"}, {"log.retention.ms", "7"}}), {})
                .retention_ms,
            7);
  EXPECT_EQ(resolve_topic(BrokerValues(Layer{{"log.retention.hours", "-1"}}), {}).retention_ms, -1);
  EXPECT_EQ(resolve_topic(BrokerValues(Layer{{"log.roll.hours", "1"}, {"log.roll.jitter.hours", "2"}}), {})
                .segment_ms,
            3'600'000);
  EXPECT_EQ(resolve_topic(BrokerValues(Layer{{"log.roll.jitter.hours", "2"}}), {}).segment_jitter_ms,
            7'200'000);
  EXPECT_EQ(resolve_topic(BrokerValues(Layer{{"log.flush.scheduler.interval.ms", "9"}}), {}).flush_ms, 9);
  EXPECT_EQ(
      resolve_topic(
          BrokerValues(Layer{{"log.flush.scheduler.interval.ms", "9"}, {"log.flush.interval.ms", "8"}}), {})
          .flush_ms,
      8);
}

TEST(TopicConfig, ALaterNameIsASourceForCreateTopicsAndNoneForDescribeConfigs) {
  BrokerValues values(Layer{{"log.retention.hours", "168"}, {"log.segment.bytes", "1048576"}});
  values.set_dynamic_default({{"log.retention.ms", "1000"}});
  const auto source = [](const BrokerValues& broker, std::string_view name, const Layer& own) {
    const auto rows = describe_topic(broker, own);
    const auto row = std::ranges::find(rows, name, &ConfigRow::name);
    return std::pair(row->source, source_in_effect(*row, broker));
  };
  const BrokerValues hours(values.statics());
  EXPECT_EQ(source(hours, "retention.ms", {}), std::pair(Source::kDefault, Source::kStaticBroker));
  EXPECT_EQ(source(hours, "retention.ms", {{"retention.ms", "5"}}),
            std::pair(Source::kTopic, Source::kTopic));
  EXPECT_EQ(source(values, "retention.ms", {}),
            std::pair(Source::kDynamicDefaultBroker, Source::kDynamicDefaultBroker));
  EXPECT_EQ(source(hours, "segment.bytes", {}), std::pair(Source::kStaticBroker, Source::kStaticBroker));
  EXPECT_EQ(source(hours, "flush.ms", {}), std::pair(Source::kDefault, Source::kDefault));
}

TEST(TopicConfig, Words) {
  const TopicConfig config =
      resolve_topic(BrokerValues(), {{"cleanup.policy", "compact, delete"},
                                     {"compression.type", "zstd"},
                                     {"message.timestamp.type", "LogAppendTime"},
                                     {"leader.replication.throttled.replicas", "0:1,1:2"},
                                     {"unclean.leader.election.enable", "True"}});
  EXPECT_TRUE(config.cleanup_delete && config.cleanup_compact && config.unclean_leader_election);
  EXPECT_EQ(config.compression, Compression::kZstd);
  EXPECT_EQ(config.timestamp_type, TimestampType::kLogAppendTime);
  EXPECT_THAT(config.leader_throttled_replicas, ElementsAre("0:1", "1:2"));
  const TopicConfig neither = resolve_topic(BrokerValues(), {{"cleanup.policy", ""}});
  EXPECT_FALSE(neither.cleanup_delete || neither.cleanup_compact);
}

TEST(TopicConfig, TheOlderBoundOnTimestamps) {
  const BrokerValues old(Layer{{"log.message.timestamp.difference.max.ms", "50"}});
  EXPECT_EQ(resolve_topic(old, {}).timestamp_before_max_ms, 50);
  EXPECT_EQ(resolve_topic(old, {}).timestamp_after_max_ms, 50);
  const BrokerValues both(
      Layer{{"log.message.timestamp.difference.max.ms", "50"}, {"log.message.timestamp.after.max.ms", "6"}});
  EXPECT_EQ(resolve_topic(both, {}).timestamp_before_max_ms, 50);
  EXPECT_EQ(resolve_topic(both, {}).timestamp_after_max_ms, 6);
  const Layer own = {{"message.timestamp.difference.max.ms", "7"}, {"message.timestamp.before.max.ms", "8"}};
  EXPECT_EQ(resolve_topic(both, own).timestamp_before_max_ms, 8);
  EXPECT_EQ(resolve_topic(both, own).timestamp_after_max_ms, 7);
}

TEST(TopicConfig, WhatDoesNotParseCountsAsAbsent) {
  std::vector<std::string> ignored;
  const TopicConfig config = resolve_topic(
      BrokerValues(), {{"retention.ms", "x"}, {"segment.ms", "5"}, {"of.the.future", "1"}}, &ignored);
  EXPECT_EQ(config.retention_ms, 604'800'000);
  EXPECT_EQ(config.segment_ms, 5);
  EXPECT_THAT(ignored,
              ElementsAre("Invalid value x for configuration retention.ms: Not a number of type LONG"));
}

TEST(TopicConfig, ABadTimestampBoundCountsAsAbsent) {
  EXPECT_EQ(
      resolve_topic(BrokerValues(), {{"message.timestamp.difference.max.ms", "x"}}).timestamp_after_max_ms,
      3'600'000);
}

TEST(TopicConfig, LagsAreComparedWithTheBrokers) {
  const BrokerValues values(Layer{{"log.cleaner.max.compaction.lag.ms", "100"}});
  EXPECT_TRUE(validate_topic(values, {{"min.compaction.lag.ms", "100"}}).has_value());
  EXPECT_EQ(validate_topic(values, {{"min.compaction.lag.ms", "101"}}).error().message,
            "conflict topic config setting min.compaction.lag.ms (101) > max.compaction.lag.ms (100)");
}

TEST(TopicConfig, SettingsWithoutEffectAreTold) {
  EXPECT_THAT(topic_warnings({{"message.format.version", "0.10.2"}, {"retention.ms", "1"}}),
              ElementsAre(HasSubstr("message.format.version=0.10.2")));
  EXPECT_THAT(topic_warnings({{"message.downconversion.enable", "true"}}), testing::IsEmpty());
  EXPECT_THAT(topic_warnings({{"message.downconversion.enable", "false"}}), testing::SizeIs(1));
}

TEST(GroupConfig, SessionsAreLongerThanHeartbeats) {
  const BrokerValues values(Layer{{"group.consumer.min.session.timeout.ms", "1"}});
  EXPECT_EQ(validate_group(values, {{"consumer.session.timeout.ms", "5000"}}).error().message,
            "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms");
  EXPECT_TRUE(validate_group(values, {{"consumer.session.timeout.ms", "5001"}}).has_value());
}

TEST(ClientMetrics, Patterns) {
  for (const char* good : {"client_id=a", "client_id=[a-z]+,client_source_port=\\[", "client_id=(a|b)"})
    EXPECT_TRUE(validate_client_metrics({{"match", good}}).has_value()) << good;
  for (const char* bad : {"client_id", "id=a", "client_id=(", "client_id=)", "client_id=\\", "client_id=[a"})
    EXPECT_EQ(validate_client_metrics({{"match", bad}}).error().message,
              "Illegal client matching pattern: " + std::string(bad));
}

}  // namespace
}  // namespace moldau::config
