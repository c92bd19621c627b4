// Just enough decoding of replies to know whether the broker did what was asked. `reply` is always a frame
// without its size field. Every function returns false (or nullopt) when the bytes are not such a reply.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace moldau::bench {

inline constexpr std::int16_t kMalformedReply = 32767;  // no error code of Kafka's

std::int32_t correlation_id_of(ByteView reply);  // REQUIRES: at least 4 bytes

// The first error code that is not 0 in a Produce reply; kMalformedReply when it is no Produce reply.
std::int16_t produce_error(std::int16_t version, ByteView reply);

struct FetchedPartition {
  std::string_view topic;
  std::int32_t partition = 0;
  std::int16_t error = 0;
  std::int64_t high_watermark = 0;
  ByteView records;
};
struct FetchReply {
  std::int16_t error = 0;
  std::int32_t session_id = 0;
  std::vector<FetchedPartition> partitions;  // views into the reply
};
// Fills `out`, reusing its memory.
bool read_fetch_reply(std::int16_t version, ByteView reply, FetchReply& out);

struct TopicError {
  std::int16_t code = 0;
  std::string message;
};
std::optional<TopicError> create_topic_error(ByteView reply);    // CreateTopics v4, one topic
std::optional<std::int16_t> delete_topic_error(ByteView reply);  // DeleteTopics v3, one topic
std::int16_t api_versions_error(ByteView reply);                 // ApiVersions v3
std::int16_t metadata_error(ByteView reply);  // Metadata v9, the first error of topics and partitions

struct ListedOffset {
  std::int32_t partition = 0;
  std::int16_t error = 0;
  std::int64_t offset = -1;
};
std::optional<std::vector<ListedOffset>> listed_offsets(ByteView reply);  // ListOffsets v4, one topic

}  // namespace moldau::bench
