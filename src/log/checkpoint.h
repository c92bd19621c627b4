// Kafka's little text files (org.apache.kafka.server.common.CheckpointFile and its users): a version, the
// number of lines, the lines. Read whole, replaced whole (FileSystem::replace_file).
//
//   recovery-point-offset-checkpoint, …   0           leader-epoch-checkpoint   0
//                                         2                                     1
//                                         topic 0 42                            3 1200     epoch, first
//                                         offset topic 1 7
//   partition.metadata   version: 0
//                        topic_id: Nf8SNjxxS1iaaNI5b1REpA
//
// Plain functions; any thread.
#pragma once

#include <boost/container/flat_map.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/uuid.h"
#include "env/filesystem.h"
#include "log/log_types.h"
#include "log/partition_name.h"

namespace moldau::log {

inline constexpr const char* kRecoveryPointName = "recovery-point-offset-checkpoint";
inline constexpr const char* kLogStartName = "log-start-offset-checkpoint";
inline constexpr const char* kHighWatermarkName = "replication-offset-checkpoint";
inline constexpr const char* kCleanerName = "cleaner-offset-checkpoint";
inline constexpr const char* kWrittenName = "written-offset-checkpoint";
inline constexpr const char* kEpochsName = "leader-epoch-checkpoint";
inline constexpr const char* kPartitionMetadataName = "partition.metadata";
inline constexpr const char* kMoveGenerationName = "move-generation";  // ours; see future_log.h

// Flat, for there is one of each kind for every partition, for as long as the broker runs.
using OffsetMap = boost::container::flat_map<TopicPartition, Offset>;

// kCorrupt names `path`, the line, what was expected and found.
Result<OffsetMap> parse_offsets(std::string_view text, const std::string& path);
std::string format_offsets(const OffsetMap& offsets);
// An absent file is an empty map.
Result<OffsetMap> load_offsets(env::FileSystem& fs, const std::string& path);
Status store_offsets(env::FileSystem& fs, const std::string& path, const OffsetMap& offsets);

// How far each log was written during one run of the machine; ours alone:
//   0, boot id, count, then lines as above.
struct WrittenOffsets {
  std::string boot_id;
  OffsetMap offsets;
};
Result<WrittenOffsets> parse_written(std::string_view text, const std::string& path);
std::string format_written(const WrittenOffsets& written);

Result<std::vector<EpochEntry>> parse_epochs(std::string_view text, const std::string& path);
std::string format_epochs(std::span<const EpochEntry> epochs);

Result<Uuid> parse_partition_metadata(std::string_view text, const std::string& path);
std::string format_partition_metadata(const Uuid& topic_id);
// What a power loss may leave of a file that was not synced: a piece of it from the front, or zeros.
bool is_torn_metadata(std::string_view text);

}  // namespace moldau::log
