// What holds for one topic: its own settings, else what its broker says, else the default (Kafka's
// LogConfig). Also the checks of proposed settings of topics, groups and client-metrics subscriptions, with
// Kafka's error texts. Plain values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/values.h"

namespace moldau::config {

// The codec that batches are stored with; the numbers of the codecs are those in a batch's attributes.
enum class Compression : std::int8_t {
  kAsProduced = -1,
  kNone = 0,
  kGzip = 1,
  kSnappy = 2,
  kLz4 = 3,
  kZstd = 4
};

enum class TimestampType : std::int8_t { kCreateTime = 0, kLogAppendTime = 1 };

struct TopicConfig {
  bool cleanup_delete = true;    // cleanup.policy contains delete
  bool cleanup_compact = false;  // … contains compact
  Compression compression = Compression::kAsProduced;
  std::int32_t gzip_level = -1;
  std::int32_t lz4_level = 9;
  std::int32_t zstd_level = 3;
  std::int64_t delete_retention_ms = 0;
  std::int64_t file_delete_delay_ms = 0;
  std::int64_t flush_messages = 0;
  std::int64_t flush_ms = 0;
  std::int32_t index_interval_bytes = 0;
  std::int32_t max_message_bytes = 0;
  TimestampType timestamp_type = TimestampType::kCreateTime;
  std::int64_t timestamp_before_max_ms = 0;  // a record may be so much older than the broker's clock
  std::int64_t timestamp_after_max_ms = 0;   // … or so much younger
  double min_cleanable_dirty_ratio = 0;
  std::int64_t min_compaction_lag_ms = 0;
  std::int64_t max_compaction_lag_ms = 0;
  std::int32_t min_insync_replicas = 0;
  bool preallocate = false;
  std::int64_t retention_bytes = 0;  // -1 = no bound
  std::int64_t retention_ms = 0;     // -1 = for ever
  std::int32_t segment_bytes = 0;
  std::int32_t segment_index_bytes = 0;
  std::int64_t segment_ms = 0;
  std::int64_t segment_jitter_ms = 0;
  bool unclean_leader_election = false;
  std::vector<std::string> leader_throttled_replicas;  // "partition:broker", or "*" alone
  std::vector<std::string> follower_throttled_replicas;

  bool operator==(const TopicConfig&) const = default;
};

// REQUIRES: `overrides` passed validate_topic(). One that does not parse nevertheless (records of another
// version) counts as absent, and is named in `ignored` if given.
TopicConfig resolve_topic(const BrokerValues& values, const Layer& overrides,
                          std::vector<std::string>* ignored = nullptr);

// May these be all the settings of a topic? kInvalid (INVALID_CONFIG): "Unknown topic config name: foo", …
Status validate_topic(const BrokerValues& values, const Layer& overrides);
// The same for a group; bounds are the broker's group.*.min.* and group.*.max.*.
Status validate_group(const BrokerValues& values, const Layer& overrides);
// The same for a client-metrics subscription. kUnsupported where Kafka answers INVALID_REQUEST.
Status validate_client_metrics(const Layer& overrides);

// Settings that are accepted and have no effect here, in words for the log.
std::vector<std::string> topic_warnings(const Layer& overrides);

// The text in effect for a configuration of a topic, group or subscription; nullopt = null.
std::optional<std::string> effective_text(const ConfigDef& definition, const BrokerValues& values,
                                          const Layer& overrides);

}  // namespace moldau::config
