#include "config/values.h"

#include "base/check.h"

namespace moldau::config {
namespace {

std::optional<std::string_view> look_up(const Layer& layer, std::string_view name) {
  const auto at = layer.find(name);
  return at == layer.end() ? std::nullopt : std::optional<std::string_view>(at->second);
}

std::int64_t ms_per_unit(std::string_view name) {
  if (name.ends_with(".hours")) return 3'600'000;
  if (name.ends_with(".minutes")) return 60'000;
  return 1;
}

// Why an entry of a dynamic layer cannot be used; nullopt if it can.
std::optional<std::string> unusable(const std::string& name, const std::string& text) {
  const ConfigDef* definition = find_broker(name);
  if (!definition) definition = find(Scope::kBrokerQuota, name);
  if (!definition) return std::nullopt;
  if (definition->update == Update::kReadOnly && find(Scope::kBroker, name) && !definition->retired())
    return "ignored the dynamic configuration " + name +
           ": it is read when a broker starts, from its file only";
  const auto parsed = parse(*definition, text);
  return parsed ? std::nullopt : std::optional("ignored a dynamic configuration: " + parsed.error().message);
}

}  // namespace

std::vector<std::string> BrokerValues::replace(Layer& layer, Layer with) {
  std::vector<std::string> complaints;
  std::erase_if(with, [&](const auto& entry) {
    auto why = unusable(entry.first, entry.second);
    if (!why) return false;
    complaints.push_back(*std::move(why));
    return true;
  });
  layer = std::move(with);
  return complaints;
}

BrokerValues::Found BrokerValues::find(std::string_view name) const {
  if (auto text = look_up(dynamic_broker_, name)) return {text, Source::kDynamicBroker};
  if (auto text = look_up(dynamic_default_, name)) return {text, Source::kDynamicDefaultBroker};
  if (auto text = look_up(statics_, name)) return {text, Source::kStaticBroker};
  if (const ConfigDef* definition = config::find(Scope::kBroker, name))
    return {definition->default_value, Source::kDefault};
  return {};
}

bool BrokerValues::given(std::string_view name) const {
  const Source source = find(name).source;
  return source != Source::kDefault && source != Source::kUnknown;
}

std::optional<Value> BrokerValues::value(std::string_view name, Type type) const {
  const ConfigDef* definition = config::find(Scope::kBroker, name);
  CHECK(definition != nullptr, std::string(name) + " is no broker configuration");
  CHECK(definition->type == type || (type == Type::kLong && definition->type != Type::kDouble),
        std::string(name) + " has another type");
  const Found found = find(name);
  if (!found.text) return std::nullopt;
  auto parsed =
      found.source == Source::kDefault ? convert(*definition, *found.text) : parse(*definition, *found.text);
  CHECK(parsed.has_value(), parsed.error().message);
  return *std::move(parsed);
}

bool BrokerValues::flag(std::string_view name) const {
  return std::get<bool>(value(name, Type::kBoolean).value());
}

std::optional<std::int64_t> BrokerValues::number_if_set(std::string_view name) const {
  auto found = value(name, Type::kLong);
  return found ? std::optional(std::get<std::int64_t>(*found)) : std::nullopt;
}

std::int64_t BrokerValues::quota(std::string_view name) const {
  const ConfigDef* definition = config::find(Scope::kBrokerQuota, name);
  CHECK(definition != nullptr, std::string(name) + " is no quota of brokers");
  auto text = look_up(dynamic_broker_, name);
  if (!text) text = look_up(dynamic_default_, name);
  const auto parsed =
      text ? parse(*definition, *text) : convert(*definition, definition->default_value.value());
  CHECK(parsed.has_value(), parsed.error().message);
  return std::get<std::int64_t>(*parsed);
}

std::int64_t BrokerValues::number(std::string_view name) const {
  const auto found = number_if_set(name);
  CHECK(found.has_value(), std::string(name) + " is null");
  return *found;
}

double BrokerValues::real(std::string_view name) const {
  return std::get<double>(value(name, Type::kDouble).value());
}

std::optional<std::string> BrokerValues::text_if_set(std::string_view name) const {
  auto found = value(name, Type::kString);
  return found ? std::optional(std::get<std::string>(*std::move(found))) : std::nullopt;
}

std::string BrokerValues::text(std::string_view name) const {
  auto found = text_if_set(name);
  CHECK(found.has_value(), std::string(name) + " is null");
  return *std::move(found);
}

std::vector<std::string> BrokerValues::list(std::string_view name) const {
  auto found = value(name, Type::kList);
  return found ? std::get<std::vector<std::string>>(*std::move(found)) : std::vector<std::string>{};
}

std::optional<std::int64_t> BrokerValues::first_in_ms(std::span<const std::string_view> names) const {
  for (std::string_view name : names)
    if (const auto found = number_if_set(name)) return *found * ms_per_unit(name);
  return std::nullopt;
}

std::int64_t BrokerValues::duration_ms(std::string_view name) const {
  const ConfigDef* definition = config::find(Scope::kBroker, name);
  CHECK(definition != nullptr && !definition->synonyms.empty(), std::string(name) + " has no synonyms");
  const auto found = first_in_ms(definition->synonyms);
  CHECK(found.has_value(), std::string(name) + " is null under all its names");
  return *found;
}

}  // namespace moldau::config
