// What one broker runs with: the values of BrokerValues, typed, under the names of Kafka with '_' for '.'.
// Made anew whenever a dynamic layer changes; then an immutable value that any thread may share.
//
// Defaults are those of Kafka 4.3 but for these: `process.roles`, `node.id` and `controller.listener.names`
// may be absent (one broker alone needs no roles), and then the node's number is taken from its data
// directory or generated.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/listeners.h"
#include "config/values.h"

namespace moldau::config {

// One of controller.quorum.voters: id@host:port.
struct Voter {
  std::int32_t id;
  std::string host;
  std::uint16_t port;

  bool operator==(const Voter&) const = default;
};

// Settings that do not fit together. `name` is the one to point at.
struct Misfit {
  std::string name;
  std::string message;
};

struct BrokerConfig {
  // Identity. nullopt: taken from meta.properties, or generated above reserved_broker_max_id.
  std::optional<std::int32_t> node_id;
  std::int32_t reserved_broker_max_id = 0;
  std::optional<std::string> rack;
  bool is_broker = true;      // process.roles contains broker, or is absent
  bool is_controller = true;  // … controller
  bool has_roles = false;     // process.roles is given: KRaft's wording in log lines
  std::optional<std::string> zookeeper_connect;
  std::vector<Voter> controller_quorum_voters;
  std::vector<std::string> controller_quorum_bootstrap_servers;

  // Listeners. `listeners` are those of the broker role, `controller_listeners` those in
  // controller.listener.names. `advertised` has one for each name that clients may use; host empty = this
  // machine's name, port 0 = the bound one.
  std::vector<Listener> listeners;
  std::vector<Listener> controller_listeners;
  std::vector<Listener> advertised;
  std::vector<std::string> controller_listener_names;
  std::string inter_broker_listener_name;

  // Sockets and requests.
  std::int32_t socket_send_buffer_bytes = 0;     // -1 = the system's
  std::int32_t socket_receive_buffer_bytes = 0;  // -1 = the system's
  std::int32_t socket_request_max_bytes = 0;
  std::int32_t socket_listen_backlog_size = 0;
  std::int32_t max_connections = 0;
  std::int32_t max_connections_per_ip = 0;
  std::map<std::string, std::int32_t> max_connections_per_ip_overrides;
  std::int32_t max_connection_creation_rate = 0;
  std::int32_t quota_window_num = 0;
  std::int32_t quota_window_size_seconds = 0;
  std::int64_t connections_max_idle_ms = 0;  // < 0 = never
  std::int32_t queued_max_requests = 0;
  std::int64_t queued_max_request_bytes = 0;  // <= 0 = no bound
  std::int32_t num_network_threads = 0;
  bool num_network_threads_given = false;  // if not: one loop per core
  std::int32_t num_io_threads = 0;
  std::int32_t background_threads = 0;
  std::int32_t request_timeout_ms = 0;
  std::int32_t fetch_max_bytes = 0;
  std::int32_t max_incremental_fetch_session_cache_slots = 0;
  std::int32_t max_request_partition_size_limit = 0;

  // Topics.
  bool auto_create_topics_enable = true;
  bool delete_topic_enable = true;
  std::int32_t num_partitions = 0;
  std::int32_t default_replication_factor = 0;
  std::int32_t min_insync_replicas = 0;
  std::int32_t message_max_bytes = 0;

  // Logs. Values that topics may override are in TopicConfig (resolve_topic).
  std::vector<std::string> log_dirs;  // at least one
  std::string metadata_log_dir;       // metadata.log.dir, or the first of log_dirs
  std::int32_t num_recovery_threads_per_data_dir = 0;
  std::int64_t log_retention_check_interval_ms = 0;
  std::int64_t log_flush_scheduler_interval_ms = 0;
  std::int32_t log_flush_offset_checkpoint_interval_ms = 0;
  std::int32_t log_flush_start_offset_checkpoint_interval_ms = 0;
  std::int64_t log_initial_task_delay_ms = 0;
  std::int64_t replica_high_watermark_checkpoint_interval_ms = 0;
  bool log_cleaner_enable = true;
  std::int32_t log_cleaner_threads = 0;
  std::int64_t log_cleaner_dedupe_buffer_size = 0;
  std::int32_t log_cleaner_io_buffer_size = 0;
  double log_cleaner_io_buffer_load_factor = 0;
  double log_cleaner_io_max_bytes_per_second = 0;
  std::int64_t log_cleaner_backoff_ms = 0;

  // Producers and transactions.
  std::int32_t producer_id_expiration_ms = 0;
  std::int32_t producer_id_expiration_check_interval_ms = 0;
  std::int32_t transactional_id_expiration_ms = 0;
  std::int32_t transaction_max_timeout_ms = 0;
  std::int32_t transaction_state_log_num_partitions = 0;
  std::int16_t transaction_state_log_replication_factor = 0;
  std::int32_t transaction_state_log_min_isr = 0;
  std::int32_t transaction_state_log_segment_bytes = 0;

  // Metadata log.
  std::int32_t metadata_log_segment_bytes = 0;
  std::int64_t metadata_log_segment_ms = 0;
  std::int64_t metadata_log_max_record_bytes_between_snapshots = 0;
  std::int64_t metadata_log_max_snapshot_interval_ms = 0;  // 0 = never by time
  std::int64_t metadata_max_retention_bytes = 0;
  std::int64_t metadata_max_retention_ms = 0;
  std::int32_t metadata_max_idle_interval_ms = 0;  // 0 = no records when idle

  // Committed offsets and groups.
  std::int32_t offset_metadata_max_bytes = 0;
  std::int32_t offsets_topic_num_partitions = 0;
  std::int16_t offsets_topic_replication_factor = 0;
  std::int32_t offsets_topic_segment_bytes = 0;
  std::int32_t offsets_topic_compression_codec = 0;
  std::int32_t offsets_retention_minutes = 0;
  std::int64_t offsets_retention_check_interval_ms = 0;
  std::int32_t offsets_commit_timeout_ms = 0;
  std::int32_t group_initial_rebalance_delay_ms = 0;
  std::int32_t group_min_session_timeout_ms = 0;
  std::int32_t group_max_session_timeout_ms = 0;
  std::int32_t group_max_size = 0;
  std::vector<std::string> group_consumer_assignors;  // at least one
  std::int32_t group_consumer_assignment_interval_ms = 0;
  std::int32_t group_consumer_heartbeat_interval_ms = 0;
  std::int32_t group_consumer_session_timeout_ms = 0;
  std::int32_t group_consumer_max_size = 0;
  std::int32_t group_consumer_regex_refresh_interval_ms = 0;
  std::string group_consumer_migration_policy;  // in lower case: disabled, upgrade, downgrade, bidirectional

  // Replication.
  std::int64_t replica_lag_time_max_ms = 0;
  std::int32_t replica_fetch_max_bytes = 0;
  std::int32_t replica_fetch_min_bytes = 0;
  std::int32_t replica_fetch_response_max_bytes = 0;
  std::int32_t replica_fetch_wait_max_ms = 0;
  std::int32_t replica_fetch_backoff_ms = 0;
  std::int32_t replica_socket_timeout_ms = 0;
  std::int32_t num_replica_fetchers = 0;
  std::int32_t broker_heartbeat_interval_ms = 0;
  std::int32_t broker_session_timeout_ms = 0;

  // Types the values and checks that they fit together; the texts are Kafka's where it has one.
  static std::expected<BrokerConfig, Misfit> from(const BrokerValues& values);
};

// What Kafka checks across settings (KafkaConfig.validateValues). nullopt: all is well.
std::optional<Misfit> find_misfit(const BrokerConfig& config, const BrokerValues& values);
// What is allowed and will hardly work, one line each: advertised addresses no client can use, a roll time of
// 0 …
std::vector<std::string> doubts(const BrokerConfig& config);

}  // namespace moldau::config
