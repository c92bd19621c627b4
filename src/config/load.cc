#include "config/load.h"

#include <algorithm>
#include <map>

#include "config/definition.h"
#include "config/punctuation.h"
#include "config/suggest.h"
#include "config/table.h"

namespace moldau::config {
namespace {

struct Setting {
  std::string value;
  std::string place;  // "server.properties:12", "--override a=b"
};
using Settings = std::map<std::string, Setting, std::less<>>;

std::unexpected<Error> refuse(const std::string& place, const std::string& message) {
  return fail(ErrorKind::kInvalid, place + ": " + message);
}

Status collect_overrides(std::span<const std::string> overrides, Settings& settings) {
  for (const std::string& text : overrides) {
    const auto equals = text.find('=');
    const std::string place = "--override " + text;
    if (equals == std::string::npos || trim(std::string_view(text).substr(0, equals)).empty())
      return refuse(place, "expected name=value");
    settings[std::string(trim(std::string_view(text).substr(0, equals)))] = {text.substr(equals + 1), place};
  }
  return {};
}

Settings collect(const Properties& file) {
  Settings settings;
  for (const auto& entry : file.entries()) settings[entry.key] = {entry.value, file.place(entry.line)};
  return settings;
}

// Texts whose words and separators are ASCII. Paths, passwords and names of people are not.
bool must_be_ascii(const ConfigDef& definition) {
  switch (definition.type) {
    case Type::kPassword:
    case Type::kClass:
      return false;
    case Type::kString:
      return !definition.check.choices.empty() || definition.name == "listener.security.protocol.map" ||
             definition.name == "max.connections.per.ip.overrides" ||
             definition.name.ends_with("listener.name") || definition.name == "zookeeper.connect" ||
             definition.name.ends_with("host.name");
    default:
      return true;
  }
}

Status check_punctuation(const std::string& name, const Setting& setting) {
  if (const auto found = find_look_alike(name))
    return refuse(setting.place, "in the name `" + name + "`: " + describe(*found));
  const ConfigDef* definition = find_broker(name);
  if (!definition || !must_be_ascii(*definition)) return {};
  if (const auto found = find_look_alike(setting.value))
    return refuse(setting.place, name + ": " + describe(*found));
  return {};
}

Status check_values(const Settings& settings) {
  for (const auto& [name, setting] : settings) {
    TRY(check_punctuation(name, setting));
    const ConfigDef* definition = find_broker(name);
    if (!definition) continue;
    if (const auto parsed = parse(*definition, setting.value); !parsed)
      return refuse(setting.place, parsed.error().message);
  }
  return {};
}

std::optional<std::string_view> foreign_role(std::string_view name) {
  const auto all = foreign_names();
  const auto at = std::ranges::lower_bound(all, name, {}, &ForeignName::name);
  if (at != all.end() && at->name == name) return at->role;
  if (name.starts_with("server.") && name.find_first_not_of("0123456789", 7) == std::string_view::npos)
    return "zookeeper server";
  for (std::string_view prefix : {"producer.", "consumer.", "admin."})
    if (name.starts_with(prefix)) return prefix.substr(0, prefix.size() - 1);
  return std::nullopt;
}

// Names that plugins define: there is no list of them.
bool of_a_plugin(std::string_view name) {
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{"rsm.config.", "rlmm.config.", "config.providers.",
                                              "confluent.", "metrics."},
      [&](std::string_view prefix) { return name.starts_with(prefix); });
}

std::optional<Notice> notice_about(const std::string& name, const Setting& setting) {
  using enum Notice::Level;
  if (const ConfigDef* definition = find_broker(name)) {
    if (name == "log.message.format.version" || name == "inter.broker.protocol.version")
      return Notice{
          kInfo, setting.place + ": " + name + " has no effect: every client and format version is served"};
    if (definition->retired() && !definition->documentation)
      return Notice{kInfo, setting.place + ": " + name + " is a configuration of Kafka up to " +
                               std::string(definition->last_version) + ", accepted and without effect"};
    return std::nullopt;
  }
  if (const auto role = foreign_role(name))
    return Notice{kInfo, setting.place + ": " + name + " belongs to the " + std::string(*role) +
                             ", a broker does not use it"};
  if (of_a_plugin(name)) return std::nullopt;
  const auto nearest = nearest_broker_config(name);
  return Notice{kWarning,
                setting.place + ": unknown configuration " + name +
                    (nearest ? ", did you mean " + std::string(*nearest) + "?" : ", it has no effect")};
}

// node.id and broker.id are two names of one thing.
void complete_identity(Layer& layer) {
  const auto node = layer.find("node.id"), broker = layer.find("broker.id");
  if (node != layer.end() && broker == layer.end()) layer["broker.id"] = node->second;
  if (broker != layer.end() && node == layer.end() && parse(*find(Scope::kBroker, "node.id"), broker->second))
    layer["node.id"] = broker->second;
}

// Where to point for a misfit: its own line, or that of another name for the same thing.
std::string place_of(const std::string& name, const Settings& settings, const std::string& origin) {
  if (const auto at = settings.find(name); at != settings.end()) return at->second.place;
  if (const ConfigDef* definition = find(Scope::kBroker, name))
    for (std::string_view synonym : definition->synonyms)
      if (const auto at = settings.find(synonym); at != settings.end()) return at->second.place;
  return origin;
}

}  // namespace

std::string Loaded::place(std::string_view name, std::string_view also) const {
  for (const std::string_view key : {name, also})
    if (const auto at = places.find(key); at != places.end()) return at->second + ": " + std::string(key);
  return origin + ": " + std::string(name);
}

Result<Loaded> load(std::string origin, std::string_view text, std::span<const std::string> overrides) {
  TRY_ASSIGN(file, Properties::parse(origin, text));
  Settings settings = collect(file);
  TRY(collect_overrides(overrides, settings));
  TRY(check_values(settings));
  Loaded loaded;
  loaded.origin = origin;
  Layer statics;
  for (const auto& [name, setting] : settings) {
    statics[name] = setting.value;
    loaded.places[name] = setting.place;
    if (auto notice = notice_about(name, setting)) loaded.notices.push_back(*std::move(notice));
  }
  complete_identity(statics);
  loaded.values = BrokerValues(std::move(statics));
  auto config = BrokerConfig::from(loaded.values);
  if (!config) return refuse(place_of(config.error().name, settings, origin), config.error().message);
  loaded.config = *std::move(config);
  for (std::string& doubt : doubts(loaded.config))
    loaded.notices.push_back({Notice::Level::kWarning, std::move(doubt)});
  return loaded;
}

}  // namespace moldau::config
