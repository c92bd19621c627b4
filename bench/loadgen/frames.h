// Whole request frames of the Kafka protocol, encoded before the clock starts. Written apart from the
// broker's own code, by the protocol's documents alone, so that a mistake there cannot hide here.
//
//   frame: int32 size of what follows | int16 api key | int16 version | int32 correlation id | string client
//   id |
//          [empty tag section, flexible versions] | body
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace moldau::bench {

enum class Api : std::int16_t {
  kProduce = 0,
  kFetch = 1,
  kListOffsets = 2,
  kMetadata = 3,
  kApiVersions = 18,
  kCreateTopics = 19,
  kDeleteTopics = 20,
};

// A topic-partition by name; the names outlive the frames they are put in.
struct TopicPartition {
  std::string_view topic;
  std::int32_t partition = 0;
};

// A Produce request that shares its batch with others: `text` with `batch` standing at each of `cuts`
// (positions in `text`, ascending). `batch` must outlive the frame.
struct Frame {
  Bytes text;
  std::vector<std::size_t> cuts;
  ByteView batch;
  std::int32_t correlation_id = 0;

  std::size_t size() const { return text.size() + cuts.size() * batch.size(); }
};

// Produce v7 (or older from 3 on) and v9, the first flexible one. The partitions are grouped by topic as they
// come.
Frame produce_frame(std::int16_t version, std::int16_t acks, const std::vector<TopicPartition>& to,
                    ByteView batch, std::int32_t correlation_id);

struct FetchPosition {
  TopicPartition at;
  std::int64_t offset = 0;
};
struct FetchLimits {
  std::int32_t max_wait_ms = 500;
  std::int32_t min_bytes = 1;
  std::int32_t max_bytes = 50 << 20;
  std::int32_t partition_max_bytes = 1 << 20;
};
// session {0, -1} is a full fetch without a session, {0, 0} asks for a new one, {id, epoch > 0} goes on
// (KIP-227).
struct FetchSession {
  std::int32_t id = 0;
  std::int32_t epoch = -1;
};
// Fetch v11 or v12 (flexible).
Bytes fetch_frame(std::int16_t version, const FetchLimits& limits, FetchSession session,
                  const std::vector<FetchPosition>& positions, std::int32_t correlation_id);

Bytes api_versions_frame(std::int32_t correlation_id);                      // v3
Bytes metadata_frame(std::string_view topic, std::int32_t correlation_id);  // v9, no auto-creation
Bytes create_topic_frame(std::string_view topic, std::int32_t partitions,   // v4, replication factor 1
                         const std::vector<std::pair<std::string, std::string>>& configs,
                         std::int32_t correlation_id);
Bytes delete_topic_frame(std::string_view topic, std::int32_t correlation_id);  // v3
// ListOffsets v4 for partitions 0 ... partitions-1; timestamp -1 latest, -2 earliest.
Bytes list_offsets_frame(std::string_view topic, std::int32_t partitions, std::int64_t timestamp,
                         std::int32_t correlation_id);

}  // namespace moldau::bench
