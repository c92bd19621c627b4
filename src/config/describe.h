// Configurations as DescribeConfigs reports them: value, source, and all synonyms in order of precedence
// (Kafka's ConfigHelper). A synonym list starts with the name that is asked for: what stands before it
// (log.retention.hours when log.retention.ms is asked) is left out, and a name whose list is empty counts as
// a default. Rows are ordered by name. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/definition.h"
#include "config/values.h"

namespace moldau::config {

struct Synonym {
  std::string name;
  std::optional<std::string> value;  // null where sensitive
  Source source;

  bool operator==(const Synonym&) const = default;
};

struct ConfigRow {
  std::string name;
  std::optional<std::string> value;  // null where sensitive
  Source source;
  bool sensitive;  // passwords, and whatever nobody knows
  bool read_only;
  Type type;
  std::vector<Synonym> synonyms;
  std::optional<std::string_view> documentation;
};

// Everything of one broker: hidden and retired names only if somebody set them.
std::vector<ConfigRow> describe_broker(const BrokerValues& values);
// What is set for all brokers (resource name "").
std::vector<ConfigRow> describe_broker_defaults(const BrokerValues& values);
// A topic or a group with its own settings, on a broker with `values`.
std::vector<ConfigRow> describe_topic(const BrokerValues& values, const Layer& overrides);
std::vector<ConfigRow> describe_group(const BrokerValues& values, const Layer& overrides);
// Of a topic's row, as CreateTopics tells it: the source of whichever of the broker's names gives the value
// (Kafka's KafkaConfigSchema), where DescribeConfigs calls what only a later name gives a default.
Source source_in_effect(const ConfigRow& topic_row, const BrokerValues& values);
std::vector<ConfigRow> describe_client_metrics(const Layer& overrides);

}  // namespace moldau::config
