#include "config/topic_config.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "config/contains.h"

namespace moldau::config {
namespace {

std::unexpected<Error> invalid(std::string message) { return fail(ErrorKind::kInvalid, std::move(message)); }

const std::string* usable_override(const ConfigDef& definition, const Layer& overrides) {
  const auto at = overrides.find(definition.name);
  return at != overrides.end() && parse(definition, at->second) ? &at->second : nullptr;
}

// Typed values in effect for one topic.
class TopicValues {
 public:
  TopicValues(const BrokerValues& values, const Layer& overrides) : values_(values), overrides_(overrides) {}

  std::optional<Value> value(std::string_view name) const {
    const ConfigDef* definition = find(Scope::kTopic, name);
    CHECK(definition != nullptr, std::string(name) + " is no topic configuration");
    const auto text = effective_text(*definition, values_, overrides_);
    if (!text) return std::nullopt;
    auto parsed = convert(*definition, *text);
    CHECK(parsed.has_value(), parsed.error().message);
    return *std::move(parsed);
  }
  bool flag(std::string_view name) const { return std::get<bool>(value(name).value()); }
  std::int64_t number(std::string_view name) const { return std::get<std::int64_t>(value(name).value()); }
  std::int32_t number32(std::string_view name) const { return static_cast<std::int32_t>(number(name)); }
  double real(std::string_view name) const { return std::get<double>(value(name).value()); }
  std::string text(std::string_view name) const { return std::get<std::string>(value(name).value()); }
  std::vector<std::string> list(std::string_view name) const {
    return std::get<std::vector<std::string>>(value(name).value());
  }
  bool given(std::string_view name) const { return overrides_.contains(name); }
  const BrokerValues& broker() const { return values_; }

 private:
  const BrokerValues& values_;
  const Layer& overrides_;
};

Compression compression_of(std::string_view name) {
  constexpr std::pair<std::string_view, Compression> kAll[] = {
      {"uncompressed", Compression::kNone}, {"gzip", Compression::kGzip}, {"snappy", Compression::kSnappy},
      {"lz4", Compression::kLz4},           {"zstd", Compression::kZstd},
  };
  const auto at = std::ranges::find(kAll, name, [](const auto& one) { return one.first; });
  return at == std::end(kAll) ? Compression::kAsProduced : at->second;
}

// before/after if anybody set them, else the older configuration of both (KIP-937).
std::int64_t timestamp_bound(const TopicValues& topic, const std::string& side) {
  constexpr std::string_view kBoth = "message.timestamp.difference.max.ms";
  const std::string name = "message.timestamp." + side + ".max.ms";
  if (topic.given(name)) return topic.number(name);
  if (topic.given(kBoth)) return topic.number(kBoth);
  const bool broker_has_only_both =
      topic.broker().given("log." + std::string(kBoth)) && !topic.broker().given("log." + name);
  return topic.number(broker_has_only_both ? kBoth : std::string_view(name));
}

void resolve_cleaning(const TopicValues& topic, TopicConfig& config) {
  const auto policy = topic.list("cleanup.policy");
  config.cleanup_delete = contains(policy, "delete");
  config.cleanup_compact = contains(policy, "compact");
  config.delete_retention_ms = topic.number("delete.retention.ms");
  config.file_delete_delay_ms = topic.number("file.delete.delay.ms");
  config.min_cleanable_dirty_ratio = topic.real("min.cleanable.dirty.ratio");
  config.min_compaction_lag_ms = topic.number("min.compaction.lag.ms");
  config.max_compaction_lag_ms = topic.number("max.compaction.lag.ms");
  config.retention_bytes = topic.number("retention.bytes");
  config.retention_ms = std::max<std::int64_t>(topic.number("retention.ms"), -1);
}

void resolve_segments(const TopicValues& topic, TopicConfig& config) {
  const auto internal = topic.value("internal.segment.bytes");
  config.segment_bytes =
      internal ? topic.number32("internal.segment.bytes") : topic.number32("segment.bytes");
  config.segment_index_bytes = topic.number32("segment.index.bytes");
  config.segment_ms = topic.number("segment.ms");
  config.segment_jitter_ms = topic.number("segment.jitter.ms");
  config.index_interval_bytes = topic.number32("index.interval.bytes");
  config.preallocate = topic.flag("preallocate");
  config.flush_messages = topic.number("flush.messages");
  config.flush_ms = topic.number("flush.ms");
}

void resolve_records(const TopicValues& topic, TopicConfig& config) {
  config.compression = compression_of(topic.text("compression.type"));
  config.gzip_level = topic.number32("compression.gzip.level");
  config.lz4_level = topic.number32("compression.lz4.level");
  config.zstd_level = topic.number32("compression.zstd.level");
  config.max_message_bytes = topic.number32("max.message.bytes");
  config.timestamp_type = topic.text("message.timestamp.type") == "LogAppendTime"
                              ? TimestampType::kLogAppendTime
                              : TimestampType::kCreateTime;
  config.timestamp_before_max_ms = timestamp_bound(topic, "before");
  config.timestamp_after_max_ms = timestamp_bound(topic, "after");
  config.min_insync_replicas = topic.number32("min.insync.replicas");
  config.unclean_leader_election = topic.flag("unclean.leader.election.enable");
  config.leader_throttled_replicas = topic.list("leader.replication.throttled.replicas");
  config.follower_throttled_replicas = topic.list("follower.replication.throttled.replicas");
}

Status parse_all(Scope scope, const Layer& overrides) {
  for (const auto& [name, text] : overrides)
    if (auto parsed = parse(*find(scope, name), text); !parsed) return std::unexpected(parsed.error());
  return {};
}

std::optional<std::string> unknown_name(Scope scope, const Layer& overrides) {
  for (const auto& [name, text] : overrides)
    if (!find(scope, name)) return name;
  return std::nullopt;
}

// consumer.session.timeout.ms lies between group.consumer.min.session.timeout.ms and …max…, where the broker
// has those.
Status check_group_bounds(const BrokerValues& values, const std::string& name, std::int64_t number) {
  const auto dot = name.find('.');
  const std::string kind = "group." + name.substr(0, dot);
  std::string rest = name.substr(dot);
  if (rest.starts_with(".num."))
    rest.erase(0, 4);  // streams.num.standby.replicas: group.streams.max.standby.replicas
  if (const std::string low = kind + ".min" + rest; find(Scope::kBroker, low) && number < values.number(low))
    return invalid(name + " must be greater than or equal to " + low);
  if (const std::string high = kind + ".max" + rest;
      find(Scope::kBroker, high) && number > values.number(high))
    return invalid(name + " must be less than or equal to " + high);
  return {};
}

Status check_group_sessions(const BrokerValues& values, const Layer& overrides) {
  for (const std::string kind : {"consumer", "share", "streams"}) {
    const std::string session = kind + ".session.timeout.ms", heartbeat = kind + ".heartbeat.interval.ms";
    const auto session_ms =
        parse_integer(trim(*effective_text(*find(Scope::kGroup, session), values, overrides)));
    const auto heartbeat_ms =
        parse_integer(trim(*effective_text(*find(Scope::kGroup, heartbeat), values, overrides)));
    if (*session_ms <= *heartbeat_ms) return invalid(session + " must be greater than " + heartbeat);
  }
  return {};
}

// Whether brackets and escapes of a regular expression are closed. The rest shows when it is compiled, for
// matching.
bool is_closed_pattern(std::string_view pattern) {
  int groups = 0;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && ++i == pattern.size()) return false;
    if (c == '\\') continue;
    if (in_class) {
      in_class = c != ']';
    } else if (c == '[') {
      in_class = true;
    } else if (c == '(') {
      ++groups;
    } else if (c == ')' && --groups < 0) {
      return false;
    }
  }
  return groups == 0 && !in_class;
}

// ClientMetricsConfigs: parameter=pattern, the parameter one of six.
bool is_match_pattern(std::string_view pattern) {
  constexpr std::array<std::string_view, 6> kParameters = {"client_instance_id",    "client_id",
                                                           "client_software_name",  "client_software_version",
                                                           "client_source_address", "client_source_port"};
  const auto equals = pattern.find('=');
  return equals != std::string_view::npos && contains(kParameters, trim(pattern.substr(0, equals))) &&
         is_closed_pattern(pattern.substr(equals + 1));
}

}  // namespace

std::optional<std::string> effective_text(const ConfigDef& definition, const BrokerValues& values,
                                          const Layer& overrides) {
  if (const std::string* own = usable_override(definition, overrides))
    return to_text(*parse(definition, *own));
  if (!definition.synonyms.empty()) {
    const ConfigDef* broker = find(Scope::kBroker, definition.synonyms.front());
    CHECK(broker != nullptr);
    if (broker->synonyms.empty() && definition.synonyms.size() == 1) {
      const auto found = values.find(broker->name);
      if (!found.text) return std::nullopt;
      const auto parsed = parse(*broker, *found.text);
      return parsed ? to_text(*parsed) : std::string(*found.text);
    }
    const auto ms = values.first_in_ms(definition.synonyms);
    return ms ? std::optional(std::to_string(*ms)) : std::nullopt;
  }
  return definition.default_value ? std::optional(std::string(*definition.default_value)) : std::nullopt;
}

TopicConfig resolve_topic(const BrokerValues& values, const Layer& overrides,
                          std::vector<std::string>* ignored) {
  Layer usable;
  for (const auto& [name, text] : overrides) {
    const ConfigDef* definition = find(Scope::kTopic, name);
    if (!definition) continue;
    const auto parsed = parse(*definition, text);
    if (parsed)
      usable[name] = text;
    else if (ignored)
      ignored->push_back(parsed.error().message);
  }
  const TopicValues topic(values, usable);
  TopicConfig config;
  resolve_cleaning(topic, config);
  resolve_segments(topic, config);
  resolve_records(topic, config);
  return config;
}

Status validate_topic(const BrokerValues& values, const Layer& overrides) {
  if (const auto name = unknown_name(Scope::kTopic, overrides))
    return invalid("Unknown topic config name: " + *name);
  TRY(parse_all(Scope::kTopic, overrides));
  const TopicValues topic(values, overrides);
  const std::int64_t low = topic.number("min.compaction.lag.ms"),
                     high = topic.number("max.compaction.lag.ms");
  if (low > high)
    return invalid("conflict topic config setting min.compaction.lag.ms (" + std::to_string(low) +
                   ") > max.compaction.lag.ms (" + std::to_string(high) + ")");
  if (topic.flag("remote.storage.enable"))
    return invalid(
        "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log "
        "storage.");
  return {};
}

Status validate_group(const BrokerValues& values, const Layer& overrides) {
  if (const auto name = unknown_name(Scope::kGroup, overrides))
    return invalid("Unknown group config name: " + *name);
  TRY(parse_all(Scope::kGroup, overrides));
  for (const auto& [name, text] : overrides)
    if (find(Scope::kGroup, name)->type == Type::kInt)
      TRY(check_group_bounds(values, name, *parse_integer(trim(text))));
  return check_group_sessions(values, overrides);
}

Status validate_client_metrics(const Layer& overrides) {
  if (const auto name = unknown_name(Scope::kClientMetrics, overrides))
    return fail(ErrorKind::kUnsupported, "Unknown client metrics configuration: " + *name);
  TRY(parse_all(Scope::kClientMetrics, overrides));
  if (const auto at = overrides.find("interval.ms"); at != overrides.end()) {
    const auto ms = parse_integer(trim(at->second));
    if (*ms < 100 || *ms > 3'600'000)
      return fail(ErrorKind::kUnsupported,
                  "Invalid value " + std::to_string(*ms) +
                      " for interval.ms, interval must be between 100 and 3600000 (1 hour)");
  }
  if (const auto at = overrides.find("match"); at != overrides.end())
    for (const std::string& pattern : split_list(at->second))
      if (!is_match_pattern(pattern)) return invalid("Illegal client matching pattern: " + pattern);
  return {};
}

std::vector<std::string> topic_warnings(const Layer& overrides) {
  std::vector<std::string> warnings;
  if (const auto at = overrides.find("message.format.version"); at != overrides.end())
    warnings.push_back("message.format.version=" + at->second +
                       " is accepted and has no effect: logs are written in the current format, old clients "
                       "are served in theirs");
  if (const auto at = overrides.find("message.downconversion.enable");
      at != overrides.end() && trim(at->second) != "true")
    warnings.push_back("message.downconversion.enable=" + at->second +
                       " is accepted and has no effect: old clients are always served");
  return warnings;
}

}  // namespace moldau::config
