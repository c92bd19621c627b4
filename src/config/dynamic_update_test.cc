// Dynamic layers as they come from the metadata log. Verdicts on proposals are compared with Kafka's in
// recorded_test.cc.
#include "config/dynamic_update.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>

namespace moldau::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(DynamicLayers, UnusableEntriesAreLeftOutAndNamed) {
  BrokerValues values;
  const auto complaints = values.set_dynamic_broker({{"log.segment.bytes", "x"},
                                                     {"message.max.bytes", "5"},
                                                     {"num.partitions", "7"},
                                                     {"of.a.plugin", "y"}});
  EXPECT_THAT(complaints, ElementsAre(HasSubstr("Invalid value x for configuration log.segment.bytes"),
                                      HasSubstr("num.partitions")));
  EXPECT_EQ(values.number("message.max.bytes"), 5);
  EXPECT_EQ(values.number("num.partitions"), 1);
  EXPECT_TRUE(values.dynamic_broker().contains("of.a.plugin"));
  EXPECT_THAT(values.set_dynamic_broker({}), IsEmpty());
  EXPECT_EQ(values.number("message.max.bytes"), 1'048'588);
}

TEST(DynamicLayers, Precedence) {
  BrokerValues values(Layer{{"num.io.threads", "2"}});
  EXPECT_EQ(values.find("num.io.threads").source, Source::kStaticBroker);
  values.set_dynamic_default({{"num.io.threads", "3"}});
  EXPECT_EQ(values.find("num.io.threads").source, Source::kDynamicDefaultBroker);
  values.set_dynamic_broker({{"num.io.threads", "4"}});
  EXPECT_EQ(values.number("num.io.threads"), 4);
  EXPECT_EQ(values.find("nobody.knows").source, Source::kUnknown);
  EXPECT_FALSE(values.given("message.max.bytes"));
}

TEST(DynamicLayers, QuotasAreSetDynamicallyOnly) {
  const char* name = "replica.alter.log.dirs.io.max.bytes.per.second";
  BrokerValues values(Layer{{name, "5"}});
  EXPECT_EQ(values.quota(name), std::numeric_limits<std::int64_t>::max());
  values.set_dynamic_default({{name, "7000000000"}});
  EXPECT_EQ(values.quota(name), 7'000'000'000);
  values.set_dynamic_broker({{name, "8"}});
  EXPECT_EQ(values.quota(name), 8);
}

TEST(DynamicUpdate, SeveralNamesInOneMessage) {
  EXPECT_EQ(validate_broker_update(BrokerValues(), Target::kOneBroker,
                                   {{"node.id", "1"}, {"log.dirs", "/a"}, {"num.io.threads", "9"}})
                .error()
                .message,
            "Cannot update these configs dynamically: [log.dirs, node.id]");
}

TEST(DynamicUpdate, ThreadPoolsAtMostDoubleOrHalve) {
  const BrokerValues values(Layer{{"num.io.threads", "8"}});
  const auto set = [&](const char* count) {
    return validate_broker_update(values, Target::kOneBroker, {{"num.io.threads", count}});
  };
  EXPECT_TRUE(set("4").has_value());
  EXPECT_TRUE(set("16").has_value());
  EXPECT_THAT(set("3").error().message, HasSubstr("value should be at least half the current value 8"));
  EXPECT_THAT(set("17").error().message,
              HasSubstr("value should not be greater than double the current value 8"));
}

TEST(DynamicUpdate, WhatIsDynamic) {
  for (const char* name : {"log.retention.ms", "ssl.keystore.location", "leader.replication.throttled.rate",
                           "listener.name.x.ssl.protocol"})
    EXPECT_TRUE(is_dynamic(name)) << name;
  for (const char* name : {"log.retention.hours", "advertised.listeners", "nobody.knows"})
    EXPECT_FALSE(is_dynamic(name)) << name;
}

}  // namespace
}  // namespace moldau::config
