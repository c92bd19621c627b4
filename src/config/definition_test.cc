#include "config/definition.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/suggest.h"
#include "config/table.h"

namespace moldau::config {
namespace {

std::string broker_error(std::string_view name, std::string_view text) {
  const auto parsed = parse(*find(Scope::kBroker, name), text);
  return parsed ? "" : parsed.error().message;
}

template <typename T>
T broker_value(std::string_view name, std::string_view text) {
  return std::get<T>(parse(*find(Scope::kBroker, name), text).value());
}

TEST(Definition, EveryDefaultHasItsType) {
  std::size_t defaults = 0;
  for (Scope scope :
       {Scope::kBroker, Scope::kTopic, Scope::kGroup, Scope::kClientMetrics, Scope::kBrokerQuota})
    for (const ConfigDef& definition : definitions(scope)) {
      EXPECT_EQ(find(scope, definition.name), &definition) << "the table is not in order";
      if (!definition.default_value) continue;
      EXPECT_TRUE(convert(definition, *definition.default_value).has_value()) << definition.name;
      ++defaults;
    }
  EXPECT_GT(defaults, 390u);
}

TEST(Definition, ForeignNamesAreOrderedAndOfNoBroker) {
  const auto names = foreign_names();
  EXPECT_TRUE(std::ranges::is_sorted(names, {}, &ForeignName::name));
  for (const ForeignName& foreign : names)
    EXPECT_EQ(find(Scope::kBroker, foreign.name), nullptr) << foreign.name;
  EXPECT_GT(names.size(), 200u);
}

TEST(Definition, Numbers) {
  EXPECT_EQ(broker_value<std::int64_t>("num.partitions", " +7\t"), 7);
  EXPECT_EQ(broker_value<std::int64_t>("log.retention.ms", "-1"), -1);
  EXPECT_EQ(broker_value<std::int64_t>("log.retention.ms", "9223372036854775807"), INT64_MAX);
  EXPECT_EQ(broker_error("num.partitions", "abc"),
            "Invalid value abc for configuration num.partitions: Not a number of type INT");
  EXPECT_EQ(broker_error("num.partitions", "-5"),
            "Invalid value -5 for configuration num.partitions: Value must be at least 1");
  for (std::string_view text : {"2147483648", "1.0", "", "0x10", "+-1", "1 2", "1_000"})
    EXPECT_EQ(
        broker_error("num.partitions", text),
        "Invalid value " + std::string(text) + " for configuration num.partitions: Not a number of type INT");
  EXPECT_THAT(broker_error("offsets.topic.replication.factor", "40000"),
              testing::EndsWith("Not a number of type SHORT"));
  EXPECT_THAT(broker_error("log.retention.ms", "9223372036854775808"),
              testing::EndsWith("Not a number of type LONG"));
}

TEST(Definition, Doubles) {
  EXPECT_EQ(broker_value<double>("log.cleaner.min.cleanable.ratio", ".25"), 0.25);
  EXPECT_EQ(broker_value<double>("log.cleaner.min.cleanable.ratio", "5e-1d"), 0.5);
  EXPECT_TRUE(std::isnan(broker_value<double>("log.cleaner.io.max.bytes.per.second", "NaN")));
  EXPECT_EQ(broker_value<double>("log.cleaner.io.max.bytes.per.second", "-Infinity"), -HUGE_VAL);
  for (std::string_view text : {"", "x", "nan", "inf", "1e", "--1", "d"})
    EXPECT_THAT(broker_error("log.cleaner.io.max.bytes.per.second", text),
                testing::EndsWith("Not a number of type DOUBLE"))
        << text;
}

TEST(Definition, DoublesArePrintedAsJavaDoes) {
  const std::pair<double, const char*> cases[] = {{0.5, "0.5"},
                                                  {1, "1.0"},
                                                  {0, "0.0"},
                                                  {-2.25, "-2.25"},
                                                  {0.001, "0.001"},
                                                  {0.0001, "1.0E-4"},
                                                  {9999999, "9999999.0"},
                                                  {1e7, "1.0E7"},
                                                  {2147483647.0, "2.147483647E9"},
                                                  {1.7976931348623157E308, "1.7976931348623157E308"},
                                                  {HUGE_VAL, "Infinity"}};
  for (const auto& [number, text] : cases) EXPECT_EQ(to_text(number), text);
}

TEST(Definition, BooleansAndChoices) {
  EXPECT_TRUE(broker_value<bool>("auto.create.topics.enable", " TRUE "));
  EXPECT_EQ(broker_error("auto.create.topics.enable", "yes"),
            "Invalid value yes for configuration auto.create.topics.enable: Expected value to be either true "
            "or false");
  EXPECT_EQ(broker_error("compression.type", "GZIP"),
            "Invalid value GZIP for configuration compression.type: String must be one of: uncompressed, "
            "zstd, lz4, snappy, gzip, producer");
  EXPECT_EQ(broker_error("group.consumer.migration.policy", "Upgrade"), "");
  EXPECT_THAT(broker_error("group.consumer.migration.policy", "x"),
              testing::HasSubstr("String must be one of (case insensitive): "));
}

TEST(Definition, Lists) {
  using List = std::vector<std::string>;
  EXPECT_EQ(broker_value<List>("log.dirs", " /a , /b b,/c "), (List{"/a", "/b b", "/c"}));
  EXPECT_EQ(broker_value<List>("log.dirs", "  "), List{});
  EXPECT_EQ(broker_value<List>("log.cleanup.policy", "delete,compact,delete"), (List{"delete", "compact"}));
  EXPECT_EQ(broker_error("log.cleanup.policy", "compact,"),
            "Configuration 'log.cleanup.policy' values must not be empty.");
}

TEST(Definition, NamesWithAListener) {
  EXPECT_EQ(listener_base_name("listener.name.client.ssl.keystore.type"), "ssl.keystore.type");
  EXPECT_EQ(listener_base_name("listener.name.client.scram-sha-256.sasl.jaas.config"), "sasl.jaas.config");
  EXPECT_EQ(listener_base_name("listener.name.client"), std::nullopt);
  EXPECT_EQ(find_broker("listener.name.client.ssl.keystore.type"), find(Scope::kBroker, "ssl.keystore.type"));
  EXPECT_EQ(find_broker("listener.name.client.nonsense"), nullptr);
}

TEST(Suggest, Distance) {
  EXPECT_EQ(edit_distance("abc", "abc", 4), 0u);
  EXPECT_EQ(edit_distance("abc", "acb", 4), 1u);  // neighbours swapped
  EXPECT_EQ(edit_distance("kitten", "sitting", 4), 3u);
  EXPECT_EQ(edit_distance("", "abc", 4), 3u);
  EXPECT_EQ(edit_distance("abcdefgh", "stuvwxyz", 4), 5u);
  EXPECT_EQ(edit_distance("a", "abcdefgh", 4), 5u);
}

TEST(Suggest, NearestName) {
  EXPECT_EQ(nearest_broker_config("num.partition"), "num.partitions");
  EXPECT_EQ(nearest_broker_config("listner"), "listeners");
  EXPECT_EQ(nearest_broker_config("log.retention.hour"), "log.retention.hours");
  EXPECT_EQ(nearest_broker_config("advertised.listener"), "advertised.listeners");
  EXPECT_EQ(nearest_broker_config("something.of.our.own"), std::nullopt);
  EXPECT_EQ(nearest_broker_config("x"), std::nullopt);
}

}  // namespace
}  // namespace moldau::config
