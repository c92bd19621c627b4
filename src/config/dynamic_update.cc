#include "config/dynamic_update.h"

#include <algorithm>
#include <array>
#include <functional>

#include "config/broker_config.h"
#include "config/contains.h"

namespace moldau::config {
namespace {

using Rule = std::function<bool(std::string_view)>;

bool is_read_only(std::string_view name) {
  const ConfigDef* definition = find(Scope::kBroker, name);
  return definition && !definition->retired() && definition->update == Update::kReadOnly;
}

// Key material: SslConfigs.RECONFIGURABLE_CONFIGS.
bool is_key_material(std::string_view name) {
  return name.starts_with("ssl.keystore.") || name.starts_with("ssl.truststore.") ||
         name == "ssl.key.password";
}

bool needs_broker_id(std::string_view name) {
  constexpr std::array<std::string_view, 3> kOfCluster = {"max.connections", "max.connection.creation.rate",
                                                          "num.network.threads"};
  if (const auto base = listener_base_name(name)) return !contains(kOfCluster, *base);
  const ConfigDef* definition = find(Scope::kBroker, name);
  return definition && definition->update == Update::kPerBroker;
}

Status refuse(const Layer& proposed, const std::string& message, const Rule& forbidden) {
  std::string names;
  for (const auto& [name, text] : proposed)
    if (forbidden(name)) (names += names.empty() ? "" : ", ") += name;
  if (names.empty()) return {};
  return fail(ErrorKind::kInvalid, message + ": [" + names + "]");
}

const ConfigDef* definition_of(std::string_view name) {
  const ConfigDef* definition = find_broker(name);
  return definition ? definition : find(Scope::kBrokerQuota, name);
}

Status check_types(const Layer& proposed) {
  for (const auto& [name, text] : proposed)
    if (const ConfigDef* definition = definition_of(name))
      if (auto parsed = parse(*definition, text); !parsed) return std::unexpected(parsed.error());
  return {};
}

// A pool of threads at most doubles or halves in one step (DynamicThreadPool).
Status check_thread_pools(const BrokerValues& before, const BrokerValues& after) {
  for (std::string_view pool : {"num.io.threads", "num.replica.fetchers", "num.recovery.threads.per.data.dir",
                                "background.threads"}) {
    const std::int64_t old = before.number(pool), now = after.number(pool);
    if (now >= old / 2 && now <= old * 2) continue;
    const std::string bound = now < old ? "value should be at least half the current value "
                                        : "value should not be greater than double the current value ";
    return fail(ErrorKind::kInvalid, "Dynamic thread count update validation failed for " +
                                         std::string(pool) + "=" + std::to_string(now) + ", " + bound +
                                         std::to_string(old));
  }
  return {};
}

}  // namespace

bool is_dynamic(std::string_view name) {
  if (find(Scope::kBrokerQuota, name) || listener_base_name(name)) return true;
  const ConfigDef* definition = find(Scope::kBroker, name);
  return definition && definition->update != Update::kReadOnly;
}

Status validate_broker_update(const BrokerValues& current, Target target, const Layer& proposed) {
  TRY(refuse(proposed, "Cannot update these configs dynamically", is_read_only));
  TRY(refuse(proposed,
             "These security configs can be dynamically updated only per-listener using the listener prefix",
             is_key_material));
  TRY(check_types(proposed));
  if (target == Target::kAllBrokers)
    TRY(refuse(proposed, "Cannot update these configs at default cluster level, broker id must be specified",
               needs_broker_id));
  BrokerValues after = current;
  target == Target::kOneBroker ? after.set_dynamic_broker(proposed) : after.set_dynamic_default(proposed);
  if (const auto config = BrokerConfig::from(after); !config)
    return fail(ErrorKind::kInvalid, config.error().message);
  return check_thread_pools(current, after);
}

}  // namespace moldau::config
