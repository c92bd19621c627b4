// What must fit together in a broker's settings, and what only probably does.
#include <algorithm>
#include <set>

#include "config/broker_config.h"
#include "config/contains.h"

namespace moldau::config {
namespace {

using Maybe = std::optional<Misfit>;

std::string names_of(const std::vector<Listener>& listeners) {
  std::string all;
  for (const Listener& listener : listeners) (all += all.empty() ? "" : ",") += listener.name;
  return all;
}

bool has_name(const std::vector<Listener>& listeners, std::string_view name) {
  return std::ranges::find(listeners, name, &Listener::name) != listeners.end();
}

Maybe check_times(const BrokerConfig&, const BrokerValues& values) {
  if (values.duration_ms("log.roll.ms") < 1)
    return Misfit{"log.roll.ms", "log.roll.ms must be greater than or equal to 1"};
  if (values.duration_ms("log.roll.jitter.ms") < 0)
    return Misfit{"log.roll.jitter.ms", "log.roll.jitter.ms must be greater than or equal to 0"};
  if (values.duration_ms("log.retention.ms") == 0)
    return Misfit{"log.retention.ms",
                  "log.retention.ms must be unlimited (-1) or, greater than or equal to 1"};
  if (values.number("log.cleaner.min.compaction.lag.ms") > values.number("log.cleaner.max.compaction.lag.ms"))
    return Misfit{"log.cleaner.min.compaction.lag.ms",
                  "conflict topic config setting min.compaction.lag.ms (" +
                      std::to_string(values.number("log.cleaner.min.compaction.lag.ms")) +
                      ") > max.compaction.lag.ms (" +
                      std::to_string(values.number("log.cleaner.max.compaction.lag.ms")) + ")"};
  return std::nullopt;
}

Maybe check_sizes(const BrokerConfig& config, const BrokerValues&) {
  if (config.log_dirs.empty())
    return Misfit{"log.dirs", "At least one log directory must be defined via log.dirs or log.dir."};
  if (std::set(config.log_dirs.begin(), config.log_dirs.end()).size() != config.log_dirs.size())
    return Misfit{"log.dirs", "log.dirs names a directory twice"};
  if (config.log_cleaner_threads > 0 &&
      config.log_cleaner_dedupe_buffer_size / config.log_cleaner_threads <= 1024 * 1024)
    return Misfit{"log.cleaner.dedupe.buffer.size",
                  "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread."};
  if (config.queued_max_request_bytes > 0 &&
      config.queued_max_request_bytes < config.socket_request_max_bytes)
    return Misfit{"queued.max.request.bytes",
                  "queued.max.request.bytes must be larger or equal to socket.request.max.bytes"};
  if (config.max_connections_per_ip == 0 && config.max_connections_per_ip_overrides.empty())
    return Misfit{"max.connections.per.ip",
                  "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides "
                  "property is set."};
  return std::nullopt;
}

Maybe check_waits(const BrokerConfig& config, const BrokerValues& values) {
  if (config.replica_fetch_wait_max_ms > config.replica_socket_timeout_ms)
    return Misfit{"replica.fetch.wait.max.ms",
                  "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent "
                  "unnecessary socket timeouts"};
  if (config.replica_fetch_wait_max_ms > config.replica_lag_time_max_ms)
    return Misfit{"replica.fetch.wait.max.ms",
                  "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms "
                  "to prevent frequent changes in ISR"};
  const auto delay = values.number("connection.failed.authentication.delay.ms");
  if (config.connections_max_idle_ms >= 0 && delay >= config.connections_max_idle_ms)
    return Misfit{"connections.max.idle.ms",
                  "connection.failed.authentication.delay.ms=" + std::to_string(delay) +
                      " should always be less than connections.max.idle.ms=" +
                      std::to_string(config.connections_max_idle_ms) +
                      " to prevent failed authentication responses from timing out"};
  return std::nullopt;
}

// KRaft's rules of who is a voter and who names the controller's listeners.
Maybe check_controller_role(const BrokerConfig& config) {
  const auto& voters = config.controller_quorum_voters;
  if (!voters.empty() && !contains(voters, *config.node_id, &Voter::id))
    return Misfit{"controller.quorum.voters",
                  "If process.roles contains the 'controller' role, the node id " +
                      std::to_string(*config.node_id) +
                      " must be included in the set of voters controller.quorum.voters"};
  for (const std::string& name : config.controller_listener_names)
    if (!has_name(config.controller_listeners, name))
      return Misfit{"controller.listener.names",
                    "controller.listener.names must only contain values appearing in the 'listeners' "
                    "configuration when running the KRaft controller role"};
  if (!config.is_broker && !config.listeners.empty())
    return Misfit{"listeners",
                  "The listeners config must only contain KRaft controller listeners from "
                  "controller.listener.names when process.roles=controller"};
  return std::nullopt;
}

Maybe check_broker_only_role(const BrokerConfig& config) {
  if (config.controller_quorum_voters.empty() && config.controller_quorum_bootstrap_servers.empty())
    return Misfit{"process.roles",
                  "If using process.roles, either controller.quorum.bootstrap.servers must contain the set "
                  "of bootstrap "
                  "controllers or controller.quorum.voters must contain a parseable set of controllers."};
  if (contains(config.controller_quorum_voters, *config.node_id, &Voter::id))
    return Misfit{"controller.quorum.voters",
                  "If process.roles contains just the 'broker' role, the node id " +
                      std::to_string(*config.node_id) +
                      " must not be included in the set of voters controller.quorum.voters"};
  if (config.controller_listener_names.empty())
    return Misfit{"process.roles",
                  "controller.listener.names must contain at least one value when running KRaft with just "
                  "the broker role"};
  if (!config.controller_listeners.empty())
    return Misfit{"controller.listener.names",
                  "controller.listener.names must not contain a value appearing in the 'listeners' "
                  "configuration when running KRaft with just the broker role"};
  return std::nullopt;
}

Maybe check_roles(const BrokerConfig& config, const BrokerValues&) {
  if (!config.has_roles) return std::nullopt;
  return config.is_controller ? check_controller_role(config) : check_broker_only_role(config);
}

Maybe check_listeners(const BrokerConfig& config, const BrokerValues&) {
  if (!config.is_broker) return std::nullopt;
  if (config.advertised.empty())
    return Misfit{
        "listeners",
        "There must be at least one broker advertised listener." +
            std::string(config.has_roles ? " Perhaps all listeners appear in controller.listener.names?"
                                         : "")};
  if (!has_name(config.advertised, config.inter_broker_listener_name))
    return Misfit{
        "listeners",
        "inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid "
        "options based on currently configured listeners are " +
            names_of(config.advertised)};
  for (const Listener& listener : config.advertised)
    if (!has_name(config.listeners, listener.name))
      return Misfit{"advertised.listeners",
                    "advertised.listeners listener names must be equal to or a subset of the ones defined in "
                    "listeners. Found " +
                        names_of(config.advertised) +
                        ". The valid options based on the current configuration are " +
                        names_of(config.listeners)};
  const auto advertised = check_advertised(config.listeners, config.advertised);
  if (!advertised.errors.empty()) return Misfit{"advertised.listeners", advertised.errors.front()};
  return std::nullopt;
}

}  // namespace

Maybe find_misfit(const BrokerConfig& config, const BrokerValues& values) {
  for (auto* check : {check_times, check_sizes, check_waits, check_roles, check_listeners})
    if (auto misfit = check(config, values)) return misfit;
  return std::nullopt;
}

std::vector<std::string> doubts(const BrokerConfig& config) {
  std::vector<std::string> all = check_advertised(config.listeners, config.advertised).warnings;
  if (config.message_max_bytes > config.socket_request_max_bytes)
    all.push_back("message.max.bytes=" + std::to_string(config.message_max_bytes) +
                  " is larger than socket.request.max.bytes=" +
                  std::to_string(config.socket_request_max_bytes) + ": such a batch cannot arrive");
  if (config.default_replication_factor > 0 && config.min_insync_replicas > config.default_replication_factor)
    all.push_back(
        "min.insync.replicas=" + std::to_string(config.min_insync_replicas) +
        " is more than default.replication.factor=" + std::to_string(config.default_replication_factor) +
        ": new topics will refuse writes with acks=all");
  return all;
}

}  // namespace moldau::config
