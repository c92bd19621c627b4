#include "config/describe.h"

#include <algorithm>
#include <array>
#include <set>

#include "config/topic_config.h"

namespace moldau::config {
namespace {

// All names that may set `name`, the most important first (DynamicBrokerConfig.brokerConfigSynonyms).
std::vector<std::string_view> broker_names(std::string_view name) {
  const ConfigDef* definition = find(Scope::kBroker, name);
  if (definition && !definition->synonyms.empty())
    return {definition->synonyms.begin(), definition->synonyms.end()};
  if (const auto base = definition ? std::nullopt : listener_base_name(name)) return {name, *base};
  return {name};
}

// The lists of Kafka's static defaults, as text: null ones are absent.
std::optional<std::string> default_text(std::string_view name) {
  const ConfigDef* definition = find(Scope::kBroker, name);
  if (!definition || !definition->default_value) return std::nullopt;
  return std::string(*definition->default_value);
}

std::optional<std::string> text_in(const BrokerValues& values, Source source, std::string_view name) {
  if (source == Source::kDefault) return default_text(name);
  const Layer& layer = source == Source::kDynamicBroker          ? values.dynamic_broker()
                       : source == Source::kDynamicDefaultBroker ? values.dynamic_default()
                                                                 : values.statics();
  const auto at = layer.find(name);
  return at == layer.end() ? std::nullopt : std::optional(at->second);
}

std::vector<Synonym> broker_synonyms(const BrokerValues& values, std::string_view name, bool sensitive) {
  constexpr std::array kOrder = {Source::kDynamicBroker, Source::kDynamicDefaultBroker, Source::kStaticBroker,
                                 Source::kDefault};
  std::vector<Synonym> all;
  for (Source source : kOrder)
    for (std::string_view synonym : broker_names(name))
      if (auto text = text_in(values, source, synonym)) {
        if (all.empty() && synonym != name) continue;
        all.push_back({std::string(synonym), sensitive ? std::nullopt : std::move(text), source});
      }
  return all;
}

// The value as its type prints it; as it stands where no type is known.
std::string canonical(const ConfigDef* definition, std::string_view text) {
  if (!definition) return std::string(text);
  const auto parsed = parse(*definition, text);
  return parsed ? to_text(*parsed) : std::string(text);
}

ConfigRow start_row(std::string_view name, const ConfigDef* definition) {
  return {.name = std::string(name),
          .value = std::nullopt,
          .source = Source::kDefault,
          .sensitive = !definition || definition->sensitive(),
          .read_only = false,
          .type = definition ? definition->type : Type::kUnknown,
          .synonyms = {},
          .documentation = definition ? definition->documentation : std::nullopt};
}

void finish_row(ConfigRow& row) {
  row.source = row.synonyms.empty() ? Source::kDefault : row.synonyms.front().source;
  if (row.sensitive) row.value = std::nullopt;
}

const ConfigDef* definition_of(std::string_view name) {
  const ConfigDef* definition = find_broker(name);
  return definition ? definition : find(Scope::kBrokerQuota, name);
}

ConfigRow broker_row(const BrokerValues& values, std::string_view name) {
  const ConfigDef* definition = definition_of(name);
  ConfigRow row = start_row(name, definition);
  if (const auto found = values.find(name); found.text) row.value = canonical(definition, *found.text);
  const ConfigDef* exact = find(Scope::kBroker, name);
  row.read_only = !exact || exact->update == Update::kReadOnly;
  row.synonyms = broker_synonyms(values, name, row.sensitive);
  finish_row(row);
  return row;
}

// A row of a topic or group: its own setting, then what the broker's names say.
ConfigRow entity_row(const ConfigDef& definition, const BrokerValues& values, const Layer& overrides,
                     Source source, std::optional<std::string> value) {
  ConfigRow row = start_row(definition.name, &definition);
  row.value = std::move(value);
  if (overrides.contains(definition.name)) row.synonyms.push_back({row.name, row.value, source});
  if (!definition.synonyms.empty())
    for (Synonym& synonym : broker_synonyms(values, definition.synonyms.front(), row.sensitive))
      row.synonyms.push_back(std::move(synonym));
  else if (source == Source::kGroup && definition.default_value)
    row.synonyms.push_back({row.name, std::string(*definition.default_value), Source::kDefault});
  finish_row(row);
  return row;
}

std::vector<ConfigRow> describe_entity(Scope scope, Source source, const BrokerValues& values,
                                       const Layer& overrides) {
  std::vector<ConfigRow> rows;
  for (const ConfigDef& definition : definitions(scope)) {
    if ((definition.hidden || definition.retired()) && !overrides.contains(definition.name)) continue;
    rows.push_back(
        entity_row(definition, values, overrides, source, effective_text(definition, values, overrides)));
  }
  return rows;
}

}  // namespace

std::vector<ConfigRow> describe_broker(const BrokerValues& values) {
  std::set<std::string_view> names;
  for (const ConfigDef& definition : definitions(Scope::kBroker))
    if (!definition.hidden && !definition.retired()) names.insert(definition.name);
  for (const Layer* layer : {&values.statics(), &values.dynamic_default(), &values.dynamic_broker()})
    for (const auto& [name, text] : *layer) names.insert(name);
  std::vector<ConfigRow> rows;
  for (std::string_view name : names) rows.push_back(broker_row(values, name));
  return rows;
}

std::vector<ConfigRow> describe_broker_defaults(const BrokerValues& values) {
  std::vector<ConfigRow> rows;
  for (const auto& [name, text] : values.dynamic_default()) {
    ConfigRow row = broker_row(values, name);
    std::erase_if(row.synonyms, [](const Synonym& s) { return s.source != Source::kDynamicDefaultBroker; });
    row.value = text;
    finish_row(row);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<ConfigRow> describe_topic(const BrokerValues& values, const Layer& overrides) {
  return describe_entity(Scope::kTopic, Source::kTopic, values, overrides);
}

Source source_in_effect(const ConfigRow& topic_row, const BrokerValues& values) {
  const ConfigDef* definition = find(Scope::kTopic, topic_row.name);
  Source source = topic_row.source;
  if (definition == nullptr || source != Source::kDefault) return source;
  for (const std::string_view name : definition->synonyms)
    if (values.given(name)) source = std::min(source, values.find(name).source);  // stronger ones are smaller
  return source;
}

std::vector<ConfigRow> describe_group(const BrokerValues& values, const Layer& overrides) {
  return describe_entity(Scope::kGroup, Source::kGroup, values, overrides);
}

std::vector<ConfigRow> describe_client_metrics(const Layer& overrides) {
  return describe_entity(Scope::kClientMetrics, Source::kClientMetrics, BrokerValues(), overrides);
}

}  // namespace moldau::config
