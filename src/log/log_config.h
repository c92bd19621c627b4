// What a topic's configuration says to its logs. Immutable once shared: logs hold a shared_ptr<const
// LogConfig>, one per topic, and get a new one when the configuration changes. Defaults are Kafka's. Any
// thread.
#pragma once

#include <cstdint>
#include <limits>

namespace moldau::log {

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

struct LogConfig {
  std::int32_t segment_bytes = 1 << 30;                   // segment.bytes
  std::int64_t segment_ms = 7LL * 24 * 3600 * 1000;       // segment.ms
  std::int64_t segment_jitter_ms = 0;                     // segment.jitter.ms
  std::int32_t segment_index_bytes = 10 << 20;            // segment.index.bytes
  std::int32_t index_interval_bytes = 4096;               // index.interval.bytes
  std::int32_t max_message_bytes = 1048588;               // max.message.bytes: one batch with its header
  std::int64_t flush_messages = kNever;                   // flush.messages
  std::int64_t flush_ms = kNever;                         // flush.ms
  std::int64_t file_delete_delay_ms = 60000;              // file.delete.delay.ms
  bool preallocate = false;                               // preallocate
  bool cleanup_delete = true;                             // cleanup.policy contains delete
  bool cleanup_compact = false;                           // cleanup.policy contains compact
  double min_cleanable_dirty_ratio = 0.5;                 // min.cleanable.dirty.ratio
  std::int64_t min_compaction_lag_ms = 0;                 // min.compaction.lag.ms
  std::int64_t max_compaction_lag_ms = kNever;            // max.compaction.lag.ms
  std::int64_t delete_retention_ms = 24LL * 3600 * 1000;  // delete.retention.ms
  std::int64_t retention_bytes = -1;                      // retention.bytes; < 0: no limit
  std::int64_t retention_ms = 7LL * 24 * 3600 * 1000;     // retention.ms; < 0: no limit
  bool remote_storage = false;                            // remote.storage.enable
  std::int64_t local_retention_bytes = -2;                // local.retention.bytes; -2: as retention_bytes
  std::int64_t local_retention_ms = -2;                   // local.retention.ms; -2: as retention_ms
  std::int64_t producer_id_expiration_ms = 24LL * 3600 * 1000;  // producer.id.expiration.ms (of the broker)

  bool operator==(const LogConfig&) const = default;
};

}  // namespace moldau::log
