// Settings of topics, brokers, groups and client-metrics subscriptions. (Kafka: ConfigurationControlManager,
// ControllerConfigurationValidator, ConfigAdminManager)
#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <set>

#include "config/dynamic_update.h"
#include "config/topic_config.h"
#include "controller/controller.h"
#include "controller/decision.h"
#include "controller/topic_name.h"
#include "metadata/records.h"

namespace moldau::controller {
namespace {

using metadata::ConfigMap;
using metadata::ResourceType;

constexpr std::size_t kMaxValueBytes = 32767;
constexpr std::string_view kMinIsr = "min.insync.replicas";

using Refusal = std::optional<ApiError>;
Refusal invalid(std::string why) { return api_error(ErrorCode::kInvalidConfig, std::move(why)); }
Refusal bad_request(std::string why) { return api_error(ErrorCode::kInvalidRequest, std::move(why)); }

config::Scope scope_of(ResourceType type) {
  switch (type) {
    case ResourceType::kTopic:
      return config::Scope::kTopic;
    case ResourceType::kGroup:
      return config::Scope::kGroup;
    case ResourceType::kClientMetrics:
      return config::Scope::kClientMetrics;
    default:
      return config::Scope::kBroker;
  }
}

const config::ConfigDef* definition_of(const Resource& resource, std::string_view name) {
  return resource.type == ResourceType::kBroker ? config::find_broker(name)
                                                : config::find(scope_of(resource.type), name);
}

Refusal refuse_broker_name(const std::string& name) {
  if (name.empty()) return std::nullopt;
  std::int32_t id = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (error != std::errc{} || end != name.data() + name.size())
    return bad_request("Unable to parse broker name as a base 10 number.");
  return id < 0 ? bad_request("Invalid negative broker ID.") : std::nullopt;
}

Refusal refuse_topic(const Decision& decision, const std::string& name, const ConfigMap& proposed) {
  if (name.empty()) return bad_request("Default topic resources are not allowed.");
  if (auto why = invalid_topic_name(name))
    return api_error(ErrorCode::kInvalidTopicException, std::move(*why));
  if (const Status status = config::validate_topic(decision.values, proposed); !status)
    return invalid(status.error().message);
  return std::nullopt;
}

Refusal refuse_group(const Decision& decision, const std::string& name, const ConfigMap& proposed) {
  if (name.empty()) return bad_request("Default group resources are not allowed.");
  if (const Status status = config::validate_group(decision.values, proposed); !status)
    return invalid(status.error().message);
  return std::nullopt;
}

Refusal refuse_client_metrics(const std::string& name, const ConfigMap& proposed) {
  if (name.empty()) return bad_request("Subscription name can't be empty");
  if (const Status status = config::validate_client_metrics(proposed); !status) {
    return status.error().kind == ErrorKind::kUnsupported ? bad_request(status.error().message)
                                                          : invalid(status.error().message);
  }
  return std::nullopt;
}

// While eligible leader replicas are in use, min.insync.replicas is one number for the whole cluster
// (KIP-966).
Refusal refuse_min_isr(const Decision& decision, const Resource& resource, const ConfigMap& before,
                       const ConfigMap& proposed) {
  if (!decision.elr_enabled() || resource.type != ResourceType::kBroker) return std::nullopt;
  const auto was = before.find(kMinIsr), is = proposed.find(kMinIsr);
  if (!resource.name.empty() && is != proposed.end() && (was == before.end() || was->second != is->second))
    return invalid("Broker-level min.insync.replicas cannot be altered while ELR is enabled.");
  if (resource.name.empty() && was != before.end() && is == proposed.end())
    return invalid("Cluster-level min.insync.replicas cannot be removed while ELR is enabled.");
  return std::nullopt;
}

Refusal refuse_broker(const Decision& decision, const Resource& resource, const ConfigMap& before,
                      const ConfigMap& proposed) {
  if (auto refused = refuse_broker_name(resource.name)) return refused;
  const auto target = resource.name.empty() ? config::Target::kAllBrokers : config::Target::kOneBroker;
  // What was set before the rules became so is not this request's fault.
  ConfigMap changed;
  for (const auto& [name, value] : proposed) {
    const auto was = before.find(name);
    if (config::is_dynamic(name) || was == before.end() || was->second != value) changed.emplace(name, value);
  }
  if (const Status status = config::validate_broker_update(decision.values, target, changed); !status)
    return bad_request(status.error().message);
  return refuse_min_isr(decision, resource, before, proposed);
}

// `proposed` is all that would be set afterwards.
Refusal refuse(const Decision& decision, const Resource& resource, const ConfigMap& before,
               const ConfigMap& proposed) {
  for (const auto& [name, value] : proposed)
    if (value.size() > kMaxValueBytes)
      return invalid(
          "The configuration value cannot be added because it exceeds the maximum value size of 32767 "
          "bytes.");
  switch (resource.type) {
    case ResourceType::kTopic:
      return refuse_topic(decision, resource.name, proposed);
    case ResourceType::kBroker:
      return refuse_broker(decision, resource, before, proposed);
    case ResourceType::kGroup:
      return refuse_group(decision, resource.name, proposed);
    case ResourceType::kClientMetrics:
      return refuse_client_metrics(resource.name, proposed);
    default:
      return bad_request(fmt::format("Unknown resource type {}", static_cast<int>(resource.type)));
  }
}

Refusal refuse_missing(const Decision& decision, const Resource& resource) {
  if (resource.type == ResourceType::kTopic && decision.image.find_topic(resource.name) == nullptr)
    return api_error(ErrorCode::kUnknownTopicOrPartition,
                     fmt::format("The topic '{}' does not exist.", resource.name));
  if (resource.type == ResourceType::kBroker && !resource.name.empty()) {
    std::int32_t id = 0;
    std::from_chars(resource.name.data(), resource.name.data() + resource.name.size(), id);
    if (decision.image.find_broker(BrokerId{id}) == nullptr)
      return api_error(ErrorCode::kBrokerIdNotRegistered,
                       fmt::format("No broker with id {} found.", resource.name));
  }
  return std::nullopt;
}

// The value as it would be set, or nothing if it goes back to its default.
struct Change {
  std::string name;
  std::optional<std::string> value;
};

// Adds the records that turn `before` into what `changes` say, if all of it may be.
ApiError alter(Decision& decision, const Resource& resource, const std::vector<Change>& changes) {
  const ConfigMap& before = decision.image.config(resource.type, resource.name);
  ConfigMap proposed = before;
  std::vector<Bytes> records;
  for (const Change& change : changes) {
    const auto was = before.find(change.name);
    const bool same =
        change.value ? was != before.end() && was->second == *change.value : was == before.end();
    if (change.value) {
      proposed.insert_or_assign(change.name, *change.value);
    } else {
      proposed.erase(change.name);
    }
    // Brokers read their settings again (key stores, say) even if the text is the same: KAFKA-14136.
    if (!same || resource.type == ResourceType::kBroker)
      records.push_back(metadata::config_record(resource, change.name, change.value));
  }
  if (auto refused = refuse(decision, resource, before, proposed)) return *refused;
  if (auto missing = refuse_missing(decision, resource)) return *missing;
  std::ranges::move(records, std::back_inserter(decision.records));
  return {};
}

// The elements that a list setting has: its own, else its default's.
std::vector<std::string> list_in_effect(const Decision& decision, const Resource& resource,
                                        const config::ConfigDef& definition) {
  const ConfigMap& own = decision.image.config(resource.type, resource.name);
  std::string text;
  if (const auto set = own.find(definition.name); set != own.end()) {
    text = set->second;
  } else if (resource.type != ResourceType::kBroker) {
    text = config::effective_text(definition, decision.values, {}).value_or("");
  } else {
    text = std::string(decision.values.find(definition.name).text.value_or(""));
  }
  std::vector<std::string> parts = config::split_list(text);
  std::erase(parts, "");
  return parts;
}

Refusal combine(const Decision& decision, const Resource& resource,
                const IncrementalAlterConfigs::Operation& operation, std::vector<Change>& changes) {
  const bool append = operation.operation == static_cast<std::int8_t>(ConfigOperation::kAppend);
  const config::ConfigDef* definition = definition_of(resource, operation.name);
  if (definition == nullptr || definition->type != config::Type::kList)
    return invalid(fmt::format("Can't {} to key {} because its type is not LIST.",
                               append ? "APPEND" : "SUBTRACT", operation.name));
  std::vector<std::string> parts = list_in_effect(decision, resource, *definition);
  for (std::string& part : config::split_list(operation.value.value_or(""))) {
    const bool there = std::ranges::find(parts, part) != parts.end();
    if (!append)
      std::erase(parts, part);
    else if (!there)
      parts.push_back(std::move(part));
  }
  changes.push_back({operation.name, config::join(parts, ",")});
  return std::nullopt;
}

template <typename Entries, typename NameOf>
Refusal refuse_repeated(const Entries& entries, NameOf name_of) {
  std::set<std::string_view> seen;
  for (const auto& entry : entries)
    if (!seen.insert(name_of(entry)).second) return bad_request("Error due to duplicate config keys");
  return std::nullopt;
}

Refusal refuse_nulls(const std::vector<std::string>& names) {
  if (names.empty()) return std::nullopt;
  return bad_request("Null value not supported for : " + config::join(names, ", "));
}

Refusal operations_to_changes(const Decision& decision, const IncrementalAlterConfigs::Entry& entry,
                              std::vector<Change>& changes) {
  using Operation = IncrementalAlterConfigs::Operation;
  if (auto refused = refuse_repeated(entry.operations, [](const Operation& o) -> auto& { return o.name; }))
    return refused;
  std::vector<std::string> nulls;
  for (const Operation& operation : entry.operations)
    if (!operation.value && operation.operation != static_cast<std::int8_t>(ConfigOperation::kDelete))
      nulls.push_back(operation.name);
  if (auto refused = refuse_nulls(nulls)) return refused;
  for (const Operation& operation : entry.operations) {
    switch (static_cast<ConfigOperation>(operation.operation)) {
      case ConfigOperation::kSet:
        changes.push_back({operation.name, operation.value});
        break;
      case ConfigOperation::kDelete:
        changes.push_back({operation.name, std::nullopt});
        break;
      case ConfigOperation::kAppend:
      case ConfigOperation::kSubtract:
        if (auto refused = combine(decision, entry.resource, operation, changes)) return refused;
        break;
      default:
        return bad_request(fmt::format("Unknown operations type {}", operation.operation));
    }
  }
  return std::nullopt;
}

// The legacy form names everything that shall be set; the rest goes.
Refusal whole_to_changes(const Decision& decision, const AlterConfigs::Entry& entry,
                         std::vector<Change>& changes) {
  if (auto refused = refuse_repeated(entry.configs, [](const NamedValue& c) -> auto& { return c.name; }))
    return refused;
  std::vector<std::string> nulls;
  for (const NamedValue& config : entry.configs)
    if (!config.value) nulls.push_back(config.name);
  if (auto refused = refuse_nulls(nulls)) return refused;
  std::set<std::string_view> named;
  for (const NamedValue& config : entry.configs) {
    changes.push_back({config.name, config.value});
    named.insert(config.name);
  }
  for (const auto& [name, value] : decision.image.config(entry.resource.type, entry.resource.name))
    if (!named.contains(name)) changes.push_back({name, std::nullopt});
  return std::nullopt;
}

template <typename Request, typename ToChanges>
Outcome<AlterConfigsReply> alter_all(Decision decision, const Request& request, ToChanges to_changes) {
  Outcome<AlterConfigsReply> outcome;
  std::map<Resource, int> named;
  for (const auto& entry : request.resources) ++named[entry.resource];
  for (const auto& entry : request.resources) {
    std::vector<Change> changes;
    ApiError error;
    if (named[entry.resource] > 1) {
      error = api_error(ErrorCode::kInvalidRequest, "Each resource must appear at most once.");
    } else if (auto refused = to_changes(decision, entry, changes)) {
      error = std::move(*refused);
    } else {
      error = alter(decision, entry.resource, changes);
    }
    outcome.reply.resources.push_back({entry.resource, std::move(error)});
  }
  if (decision.records.size() > kMaxRecordsPerRequest) {
    for (auto& entry : outcome.reply.resources)
      entry.error = api_error(ErrorCode::kPolicyViolation, std::string(kTooManyRecords));
  } else if (!request.validate_only) {
    outcome.records = std::move(decision.records);
  }
  return outcome;
}

}  // namespace

ApiError set_new_topic_config(Decision& decision, const NewTopic& topic, std::vector<Bytes>& records) {
  std::vector<std::string> nulls;
  ConfigMap proposed;
  for (const NamedValue& config : topic.configs) {
    if (config.value) {
      proposed.insert_or_assign(config.name, *config.value);
    } else {
      nulls.push_back(config.name);
    }
  }
  if (!nulls.empty())
    return *invalid("Null value not supported for topic configs: " + config::join(nulls, ","));
  const Resource resource{ResourceType::kTopic, topic.name};
  if (proposed.empty()) return {};
  if (auto refused = refuse(decision, resource, {}, proposed)) return *refused;
  for (const auto& [name, value] : proposed)
    records.push_back(metadata::config_record(resource, name, value));
  return {};
}

Outcome<AlterConfigsReply> Controller::handle(const IncrementalAlterConfigs& request, env::Instant,
                                              env::Random&) const {
  return alter_all(Decision(*image_, values_, options_), request, operations_to_changes);
}

Outcome<AlterConfigsReply> Controller::handle(const AlterConfigs& request, env::Instant, env::Random&) const {
  return alter_all(Decision(*image_, values_, options_), request, whole_to_changes);
}

}  // namespace moldau::controller
