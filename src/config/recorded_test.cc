// What Apache Kafka 4.3.1 answered to DescribeConfigs and to IncrementalAlterConfigs, told again by us.
// tests/golden/config: setup = the settings it ran with; describe = all rows; alter = proposals in order and
// its verdicts.
#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include "config/describe.h"
#include "config/dynamic_update.h"
#include "config/load.h"
#include "config/topic_config.h"
#include "tests/support/golden.h"

namespace moldau::config {
namespace {

Layer layer(const boost::json::object& setup, std::string_view key) {
  Layer result;
  for (const auto& [name, value] : setup.at(key).as_object())
    result[std::string(name)] = value.as_string().c_str();
  return result;
}

struct Machine {
  BrokerValues values;
  Layer topic, group, client_metrics;

  Machine() {
    golden::for_each("config/setup", [&](const boost::json::object& setup) {
      std::vector<std::string> overrides;
      for (const auto& [name, text] : layer(setup, "statics")) overrides.push_back(name + "=" + text);
      auto loaded = load("none", "", overrides);
      EXPECT_TRUE(loaded.has_value()) << loaded.error().message;
      values = std::move(loaded->values);
      EXPECT_THAT(values.set_dynamic_broker(layer(setup, "dynamic_broker")), testing::IsEmpty());
      EXPECT_THAT(values.set_dynamic_default(layer(setup, "dynamic_default")), testing::IsEmpty());
      topic = layer(setup, "topic"), group = layer(setup, "group"),
      client_metrics = layer(setup, "client-metrics");
    });
  }

  std::vector<ConfigRow> describe(std::string_view resource) const {
    if (resource == "broker") return describe_broker(values);
    if (resource == "broker-default") return describe_broker_defaults(values);
    if (resource == "topic") return describe_topic(values, topic);
    if (resource == "group") return describe_group(values, group);
    return describe_client_metrics(client_metrics);
  }
};

std::string_view source_name(Source source) {
  switch (source) {
    case Source::kTopic:
      return "DYNAMIC_TOPIC_CONFIG";
    case Source::kDynamicBroker:
      return "DYNAMIC_BROKER_CONFIG";
    case Source::kDynamicDefaultBroker:
      return "DYNAMIC_DEFAULT_BROKER_CONFIG";
    case Source::kStaticBroker:
      return "STATIC_BROKER_CONFIG";
    case Source::kDefault:
      return "DEFAULT_CONFIG";
    case Source::kGroup:
      return "DYNAMIC_GROUP_CONFIG";
    case Source::kClientMetrics:
      return "DYNAMIC_CLIENT_METRICS_CONFIG";
    default:
      return "?";
  }
}

std::string_view type_name(Type type) {
  constexpr std::string_view kNames[] = {"UNKNOWN", "BOOLEAN", "STRING", "INT",   "SHORT",
                                         "LONG",    "DOUBLE",  "LIST",   "CLASS", "PASSWORD"};
  return kNames[static_cast<std::size_t>(type)];
}

std::string shown(const std::optional<std::string>& text) { return text ? "'" + *text + "'" : "null"; }

// One row in one line, the same from both sides.
std::string line_of(const ConfigRow& row) {
  std::string line = row.name + "=" + shown(row.value) + " " + std::string(source_name(row.source)) + " " +
                     std::string(type_name(row.type)) + (row.sensitive ? " sensitive" : "") +
                     (row.read_only ? " read-only" : "");
  for (const Synonym& s : row.synonyms)
    line += " [" + s.name + "=" + shown(s.value) + " " + std::string(source_name(s.source)) + "]";
  return line;
}

std::optional<std::string> text_or_null(const boost::json::value& value) {
  return value.is_null() ? std::nullopt : std::optional<std::string>(value.as_string().c_str());
}

std::string line_of(const boost::json::object& row) {
  std::string line = std::string(golden::string(row, "name")) + "=" + shown(text_or_null(row.at("value"))) +
                     " " + std::string(golden::string(row, "source")) + " " +
                     std::string(golden::string(row, "type")) +
                     (golden::boolean(row, "sensitive") ? " sensitive" : "") +
                     (golden::boolean(row, "read_only") ? " read-only" : "");
  for (const auto& synonym : row.at("synonyms").as_array()) {
    const auto& s = synonym.as_array();
    line += " [" + std::string(s[0].as_string().c_str()) + "=" + shown(text_or_null(s[1])) + " " +
            s[2].as_string().c_str() + "]";
  }
  return line;
}

std::string only_in(const std::vector<std::string>& these, const std::vector<std::string>& others) {
  std::string lines;
  for (const std::string& line : these)
    if (std::ranges::find(others, line) == others.end()) lines += line + "\n";
  return lines;
}

TEST(Recorded, DescribeConfigs) {
  const Machine machine;
  std::map<std::string, std::vector<std::string>> kafka;
  golden::for_each("config/describe", [&](const boost::json::object& row) {
    kafka[std::string(golden::string(row, "resource"))].push_back(line_of(row));
  });
  ASSERT_EQ(kafka.size(), 5u);
  ASSERT_GT(kafka["broker"].size(), 330u);
  for (const auto& [resource, rows] : kafka) {
    std::vector<std::string> ours;
    for (const ConfigRow& row : machine.describe(resource)) ours.push_back(line_of(row));
    // A dynamic log.retention.ms makes Kafka show log.retention.hours as if it were not set; we show what is
    // set.
    std::erase_if(ours,
                  [](const std::string& row) { return row.starts_with("log.retention.hours='100' STATIC"); });
    std::vector<std::string> theirs = rows;
    std::erase_if(theirs,
                  [](const std::string& row) { return row.starts_with("log.retention.hours='168' STATIC"); });
    EXPECT_EQ(only_in(theirs, ours), "") << resource << ": only Kafka has";
    EXPECT_EQ(only_in(ours, theirs), "") << resource << ": only we have";
    EXPECT_EQ(ours.size(), theirs.size()) << resource;
  }
}

// Where we say something else on purpose: name=value → our text ("" = accepted).
const std::map<std::string, std::string>& deliberate() {
  static const std::map<std::string, std::string> all = {
      // Known until 3.9, accepted for those who still send them.
      {"message.format.version=2.0", ""},
      {"message.downconversion.enable=true", ""},
      {"message.timestamp.difference.max.ms=1", ""},
      // The same in readable words.
      {"num.io.threads=100",
       "Dynamic thread count update validation failed for num.io.threads=100, value should not be greater "
       "than double the "
       "current value 8"},
      {"max.connections.per.ip.overrides=abc",
       "Error parsing configuration property 'max.connections.per.ip.overrides': expected host:count, found "
       "`abc`"},
      {"max.connections.per.ip.overrides=127.0.0.1:x",
       "Error parsing configuration property 'max.connections.per.ip.overrides': expected host:count, found "
       "`127.0.0.1:x`"},
  };
  return all;
}

std::string expected_text(const boost::json::object& line, const std::string& first) {
  if (const auto at = deliberate().find(first); at != deliberate().end()) return at->second;
  std::string text(golden::string(line, "error"));
  if (text.empty()) return text;
  text = text.substr(text.find(": ") + 2);  // the exception's class
  constexpr std::string_view kScala = "requirement failed: ";
  return text.starts_with(kScala) ? text.substr(kScala.size()) : text;
}

Status verdict(const Machine& machine, std::string_view type, const std::string& resource,
               const Layer& proposed) {
  if (type == "TOPIC") return validate_topic(machine.values, proposed);
  if (type == "GROUP") return validate_group(machine.values, proposed);
  if (type == "CLIENT_METRICS") return validate_client_metrics(proposed);
  return validate_broker_update(machine.values, resource.empty() ? Target::kAllBrokers : Target::kOneBroker,
                                proposed);
}

TEST(Recorded, AlterConfigs) {
  const Machine machine;
  std::map<std::pair<std::string, std::string>, Layer> state;
  state[{"TOPIC", "t"}] = machine.topic;
  int compared = 0;
  golden::for_each("config/alter", [&](const boost::json::object& line) {
    const std::string type(golden::string(line, "alter")), resource(golden::string(line, "resource"));
    if (type == "GROUP" && resource.empty()) return;  // refused by name, before any setting is looked at
    Layer proposed = state[{type, resource}];
    std::string first;
    for (const auto& config : line.at("configs").as_array()) {
      const std::string text(config.as_string().c_str());
      if (first.empty()) first = text;
      proposed[text.substr(0, text.find('='))] = text.substr(text.find('=') + 1);
    }
    const auto ours = verdict(machine, type, resource, proposed);
    EXPECT_EQ(ours ? "" : ours.error().message, expected_text(line, first))
        << type << " " << resource << " " << first;
    if (golden::string(line, "error").empty()) state[{type, resource}] = proposed;
    ++compared;
  });
  EXPECT_GT(compared, 120);
}

}  // namespace
}  // namespace moldau::config
