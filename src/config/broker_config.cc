#include "config/broker_config.h"

#include <algorithm>

#include "config/contains.h"

namespace moldau::config {
namespace {

using Maybe = std::optional<Misfit>;

// ---- identity

Maybe read_roles(const BrokerValues& values, BrokerConfig& config) {
  const auto roles = values.list("process.roles");
  config.has_roles = !roles.empty();
  config.is_broker = roles.empty() || contains(roles, "broker");
  config.is_controller = roles.empty() || contains(roles, "controller");
  return std::nullopt;
}

Maybe read_identity(const BrokerValues& values, BrokerConfig& config) {
  const auto node = values.number_if_set("node.id"), broker = values.number_if_set("broker.id");
  if (values.given("node.id") && values.given("broker.id") && node != broker)
    return Misfit{"broker.id", "You must set `node.id` to the same value as `broker.id`."};
  const auto id = values.given("node.id") ? node : broker;
  if (id && *id >= 0) config.node_id = static_cast<std::int32_t>(*id);
  config.reserved_broker_max_id = values.number32("reserved.broker.max.id");
  config.rack = values.text_if_set("broker.rack");
  config.zookeeper_connect = values.text_if_set("zookeeper.connect");
  if (id && *id < -1)
    return Misfit{"broker.id", "broker.id must be greater than or equal to 0, or -1 to have one generated"};
  if (!config.node_id && config.has_roles)
    return Misfit{"process.roles",
                  "Missing configuration `node.id` which is required when `process.roles` is defined (i.e. "
                  "when running in KRaft mode)."};
  if (!config.node_id && !values.flag("broker.id.generation.enable"))
    return Misfit{"broker.id.generation.enable", "broker.id must be greater than or equal to 0"};
  return std::nullopt;
}

std::optional<Voter> parse_voter(std::string_view text) {
  const auto at = text.find('@'), colon = text.rfind(':');
  if (at == std::string_view::npos || colon == std::string_view::npos || colon < at) return std::nullopt;
  const auto id = parse_integer(text.substr(0, at)), port = parse_integer(text.substr(colon + 1));
  std::string_view host = text.substr(at + 1, colon - at - 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (!id || *id < 0 || *id > INT32_MAX || !port || *port < 0 || *port > 65535 || host.empty())
    return std::nullopt;
  return Voter{static_cast<std::int32_t>(*id), std::string(host), static_cast<std::uint16_t>(*port)};
}

Maybe read_quorum(const BrokerValues& values, BrokerConfig& config) {
  config.controller_quorum_bootstrap_servers = values.list("controller.quorum.bootstrap.servers");
  for (const std::string& text : values.list("controller.quorum.voters")) {
    auto voter = parse_voter(text);
    if (!voter)
      return Misfit{
          "controller.quorum.voters",
          "Error parsing voters: expected id@host:port such as 1@localhost:9093, found `" + text + "`"};
    config.controller_quorum_voters.push_back(*std::move(voter));
  }
  return std::nullopt;
}

// ---- listeners

bool secured(std::string_view name) {
  return name == "SSL" || name == "SASL_SSL" || name == "SASL_PLAINTEXT";
}

// A map that nobody gave knows the four protocols, and controller listeners as PLAINTEXT unless one is
// secured.
std::expected<ProtocolMap, Misfit> effective_map(const BrokerValues& values, const BrokerConfig& config) {
  const std::string name = "listener.security.protocol.map";
  auto map = parse_protocol_map(values.text(name));
  if (!map) return std::unexpected(Misfit{name, map.error().message});
  if (values.given(name)) return *map;
  bool any_secured = std::ranges::any_of(config.controller_listener_names, secured);
  for (const std::string& entry : values.list("listeners"))
    any_secured |= secured(listener_name(entry).value_or(""));
  if (!any_secured)
    for (const std::string& controller : config.controller_listener_names)
      map->try_emplace(controller, SecurityProtocol::kPlaintext);
  return *map;
}

// "PLAINTEXT://host:port" of the days before `listeners`, if `host_name` or `port_name` is given.
std::optional<std::string> from_host_and_port(const BrokerValues& values, const std::string& host_name,
                                              const std::string& port_name) {
  if (!values.given(host_name) && !values.given(port_name)) return std::nullopt;
  const std::string host = values.text_if_set(host_name).value_or("");
  const auto port = values.given(port_name) ? values.number_if_set(port_name) : values.number_if_set("port");
  return "PLAINTEXT://" + (host.contains(':') ? "[" + host + "]" : host) + ":" +
         std::to_string(port.value_or(9092));
}

std::expected<std::vector<Listener>, Misfit> read_entries(const BrokerValues& values, const ProtocolMap& map,
                                                          std::string name, const std::string& old_prefix,
                                                          Ports ports) {
  std::vector<std::string> entries = values.list(name);
  if (!values.given(name))
    if (auto old = from_host_and_port(values, old_prefix + "host.name", old_prefix + "port")) {
      entries = {*std::move(old)};
      name = values.given(old_prefix + "host.name") ? old_prefix + "host.name" : old_prefix + "port";
    }
  auto listeners = parse_listeners(entries, map, ports);
  if (!listeners) return std::unexpected(Misfit{std::move(name), listeners.error().message});
  return *std::move(listeners);
}

Maybe read_inter_broker_name(const BrokerValues& values, const ProtocolMap& map, BrokerConfig& config) {
  const auto name = values.text_if_set("inter.broker.listener.name");
  config.inter_broker_listener_name = upper(name.value_or(values.text("security.inter.broker.protocol")));
  if (name && values.given("security.inter.broker.protocol"))
    return Misfit{"inter.broker.listener.name",
                  "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set."};
  if (name && !map.contains(config.inter_broker_listener_name))
    return Misfit{"inter.broker.listener.name",
                  "Listener with name " + config.inter_broker_listener_name +
                      " defined in inter.broker.listener.name not found in listener.security.protocol.map."};
  return std::nullopt;
}

Maybe read_listeners(const BrokerValues& values, BrokerConfig& config) {
  for (const std::string& name : values.list("controller.listener.names"))
    config.controller_listener_names.push_back(upper(name));
  const auto map = effective_map(values, config);
  if (!map) return map.error();
  auto listeners = read_entries(values, *map, "listeners", "", Ports::kDistinct);
  if (!listeners) return listeners.error();
  auto advertised = read_entries(values, *map, "advertised.listeners", "advertised.", Ports::kMayRepeat);
  if (!advertised) return advertised.error();
  const auto of_controller = [&](const Listener& listener) {
    return contains(config.controller_listener_names, listener.name);
  };
  if (advertised->empty()) *advertised = *listeners;
  std::erase_if(*advertised, of_controller);
  std::ranges::copy_if(*listeners, std::back_inserter(config.controller_listeners), of_controller);
  std::erase_if(*listeners, of_controller);
  config.listeners = *std::move(listeners);
  config.advertised = *std::move(advertised);
  return read_inter_broker_name(values, *map, config);
}

// ---- the rest

Maybe read_connection_limits(const BrokerValues& values, BrokerConfig& config) {
  const std::string name = "max.connections.per.ip.overrides";
  for (const std::string& entry : split_list(values.text(name))) {
    const auto colon = entry.rfind(':');
    const auto count = colon == std::string::npos
                           ? std::nullopt
                           : parse_integer(trim(std::string_view(entry).substr(colon + 1)));
    if (!count || *count < 0 || *count > INT32_MAX || colon == 0)
      return Misfit{name, "Error parsing configuration property '" + name +
                              "': expected host:count, found `" + entry + "`"};
    config.max_connections_per_ip_overrides[std::string(trim(std::string_view(entry).substr(0, colon)))] =
        static_cast<std::int32_t>(*count);
  }
  return std::nullopt;
}

void read_sockets(const BrokerValues& v, BrokerConfig& c) {
  c.socket_send_buffer_bytes = v.number32("socket.send.buffer.bytes");
  c.socket_receive_buffer_bytes = v.number32("socket.receive.buffer.bytes");
  c.socket_request_max_bytes = v.number32("socket.request.max.bytes");
  c.socket_listen_backlog_size = v.number32("socket.listen.backlog.size");
  c.max_connections = v.number32("max.connections");
  c.max_connections_per_ip = v.number32("max.connections.per.ip");
  c.max_connection_creation_rate = v.number32("max.connection.creation.rate");
  c.quota_window_num = v.number32("quota.window.num");
  c.quota_window_size_seconds = v.number32("quota.window.size.seconds");
  c.connections_max_idle_ms = v.number("connections.max.idle.ms");
  c.queued_max_requests = v.number32("queued.max.requests");
  c.queued_max_request_bytes = v.number("queued.max.request.bytes");
  c.num_network_threads = v.number32("num.network.threads");
  c.num_network_threads_given = v.given("num.network.threads");
  c.num_io_threads = v.number32("num.io.threads");
  c.background_threads = v.number32("background.threads");
  c.request_timeout_ms = v.number32("request.timeout.ms");
  c.fetch_max_bytes = v.number32("fetch.max.bytes");
  c.max_incremental_fetch_session_cache_slots = v.number32("max.incremental.fetch.session.cache.slots");
  c.max_request_partition_size_limit = v.number32("max.request.partition.size.limit");
}

void read_topics(const BrokerValues& v, BrokerConfig& c) {
  c.auto_create_topics_enable = v.flag("auto.create.topics.enable");
  c.delete_topic_enable = v.flag("delete.topic.enable");
  c.num_partitions = v.number32("num.partitions");
  c.default_replication_factor = v.number32("default.replication.factor");
  c.min_insync_replicas = v.number32("min.insync.replicas");
  c.message_max_bytes = v.number32("message.max.bytes");
}

void read_logs(const BrokerValues& v, BrokerConfig& c) {
  c.log_dirs = v.list(v.find("log.dirs").text ? "log.dirs" : "log.dir");
  std::erase(c.log_dirs, "");
  c.metadata_log_dir =
      v.text_if_set("metadata.log.dir").value_or(c.log_dirs.empty() ? "" : c.log_dirs.front());
  c.num_recovery_threads_per_data_dir = v.number32("num.recovery.threads.per.data.dir");
  c.log_retention_check_interval_ms = v.number("log.retention.check.interval.ms");
  c.log_flush_scheduler_interval_ms = v.number("log.flush.scheduler.interval.ms");
  c.log_flush_offset_checkpoint_interval_ms = v.number32("log.flush.offset.checkpoint.interval.ms");
  c.log_flush_start_offset_checkpoint_interval_ms =
      v.number32("log.flush.start.offset.checkpoint.interval.ms");
  c.log_initial_task_delay_ms = v.number("log.initial.task.delay.ms");
  c.replica_high_watermark_checkpoint_interval_ms = v.number("replica.high.watermark.checkpoint.interval.ms");
  c.log_cleaner_enable = v.flag("log.cleaner.enable");
  c.log_cleaner_threads = v.number32("log.cleaner.threads");
  c.log_cleaner_dedupe_buffer_size = v.number("log.cleaner.dedupe.buffer.size");
  c.log_cleaner_io_buffer_size = v.number32("log.cleaner.io.buffer.size");
  c.log_cleaner_io_buffer_load_factor = v.real("log.cleaner.io.buffer.load.factor");
  c.log_cleaner_io_max_bytes_per_second = v.real("log.cleaner.io.max.bytes.per.second");
  c.log_cleaner_backoff_ms = v.number("log.cleaner.backoff.ms");
}

void read_transactions(const BrokerValues& v, BrokerConfig& c) {
  c.producer_id_expiration_ms = v.number32("producer.id.expiration.ms");
  c.producer_id_expiration_check_interval_ms = v.number32("producer.id.expiration.check.interval.ms");
  c.transactional_id_expiration_ms = v.number32("transactional.id.expiration.ms");
  c.transaction_max_timeout_ms = v.number32("transaction.max.timeout.ms");
  c.transaction_state_log_num_partitions = v.number32("transaction.state.log.num.partitions");
  c.transaction_state_log_replication_factor =
      static_cast<std::int16_t>(v.number("transaction.state.log.replication.factor"));
  c.transaction_state_log_min_isr = v.number32("transaction.state.log.min.isr");
  c.transaction_state_log_segment_bytes = v.number32("transaction.state.log.segment.bytes");
}

void read_metadata(const BrokerValues& v, BrokerConfig& c) {
  const auto internal = v.number_if_set("internal.metadata.log.segment.bytes");
  c.metadata_log_segment_bytes =
      static_cast<std::int32_t>(internal.value_or(v.number("metadata.log.segment.bytes")));
  c.metadata_log_segment_ms = v.number("metadata.log.segment.ms");
  c.metadata_log_max_record_bytes_between_snapshots =
      v.number("metadata.log.max.record.bytes.between.snapshots");
  c.metadata_log_max_snapshot_interval_ms = v.number("metadata.log.max.snapshot.interval.ms");
  c.metadata_max_retention_bytes = v.number("metadata.max.retention.bytes");
  c.metadata_max_retention_ms = v.number("metadata.max.retention.ms");
  c.metadata_max_idle_interval_ms = v.number32("metadata.max.idle.interval.ms");
}

void read_groups(const BrokerValues& v, BrokerConfig& c) {
  c.offset_metadata_max_bytes = v.number32("offset.metadata.max.bytes");
  c.offsets_topic_num_partitions = v.number32("offsets.topic.num.partitions");
  c.offsets_topic_replication_factor =
      static_cast<std::int16_t>(v.number("offsets.topic.replication.factor"));
  c.offsets_topic_segment_bytes = v.number32("offsets.topic.segment.bytes");
  c.offsets_topic_compression_codec = v.number32("offsets.topic.compression.codec");
  c.offsets_retention_minutes = v.number32("offsets.retention.minutes");
  c.offsets_retention_check_interval_ms = v.number("offsets.retention.check.interval.ms");
  c.offsets_commit_timeout_ms = v.number32("offsets.commit.timeout.ms");
  c.group_initial_rebalance_delay_ms = v.number32("group.initial.rebalance.delay.ms");
  c.group_min_session_timeout_ms = v.number32("group.min.session.timeout.ms");
  c.group_max_session_timeout_ms = v.number32("group.max.session.timeout.ms");
  c.group_max_size = v.number32("group.max.size");
  c.group_consumer_assignors = v.list("group.consumer.assignors");
  c.group_consumer_assignment_interval_ms = v.number32("group.consumer.assignment.interval.ms");
  c.group_consumer_heartbeat_interval_ms = v.number32("group.consumer.heartbeat.interval.ms");
  c.group_consumer_session_timeout_ms = v.number32("group.consumer.session.timeout.ms");
  c.group_consumer_max_size = v.number32("group.consumer.max.size");
  c.group_consumer_regex_refresh_interval_ms = v.number32("group.consumer.regex.refresh.interval.ms");
  c.group_consumer_migration_policy = v.text("group.consumer.migration.policy");
  std::ranges::transform(c.group_consumer_migration_policy, c.group_consumer_migration_policy.begin(),
                         [](char letter) { return letter >= 'A' && letter <= 'Z' ? letter + 32 : letter; });
}

void read_replication(const BrokerValues& v, BrokerConfig& c) {
  c.replica_lag_time_max_ms = v.number("replica.lag.time.max.ms");
  c.replica_fetch_max_bytes = v.number32("replica.fetch.max.bytes");
  c.replica_fetch_min_bytes = v.number32("replica.fetch.min.bytes");
  c.replica_fetch_response_max_bytes = v.number32("replica.fetch.response.max.bytes");
  c.replica_fetch_wait_max_ms = v.number32("replica.fetch.wait.max.ms");
  c.replica_fetch_backoff_ms = v.number32("replica.fetch.backoff.ms");
  c.replica_socket_timeout_ms = v.number32("replica.socket.timeout.ms");
  c.num_replica_fetchers = v.number32("num.replica.fetchers");
  c.broker_heartbeat_interval_ms = v.number32("broker.heartbeat.interval.ms");
  c.broker_session_timeout_ms = v.number32("broker.session.timeout.ms");
}

}  // namespace

std::expected<BrokerConfig, Misfit> BrokerConfig::from(const BrokerValues& values) {
  BrokerConfig config;
  for (auto* read : {read_roles, read_identity, read_quorum, read_listeners, read_connection_limits})
    if (auto misfit = read(values, config)) return std::unexpected(*std::move(misfit));
  for (auto* read : {read_sockets, read_topics, read_logs, read_transactions, read_metadata, read_groups,
                     read_replication})
    read(values, config);
  if (auto misfit = find_misfit(config, values)) return std::unexpected(*std::move(misfit));
  return config;
}

}  // namespace moldau::config
