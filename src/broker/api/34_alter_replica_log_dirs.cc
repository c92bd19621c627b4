// AlterReplicaLogDirs: naming the directory where a partition already lies is fine; a move to another one is
// refused clearly, since this broker does not move logs between directories yet.
#include <algorithm>

#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "wire/gen/alter_replica_log_dirs.h"

namespace moldau::broker::api {
namespace {

using wire::ErrorCode;

ErrorCode verdict(Services& services, std::string_view path, std::string_view topic, std::int32_t partition) {
  if (topic == "__cluster_metadata") return ErrorCode::kInvalidTopicException;
  if (services.replicas.find(topic, partition) == nullptr) return ErrorCode::kUnknownTopicOrPartition;
  const auto directories = services.logs.directories();
  const auto wanted = std::ranges::find(directories, path, &log::DirectoryStatus::path);
  if (wanted == directories.end()) return ErrorCode::kLogDirNotFound;
  if (!wanted->online) return ErrorCode::kKafkaStorageError;
  const auto handle = services.logs.find({std::string(topic), PartitionIndex{partition}});
  if (handle == nullptr) return ErrorCode::kKafkaStorageError;
  if (log::LogManager::directory(handle) == path) return ErrorCode::kNone;
  services.events.write(env::Level::kWarn, "kafka.server.ReplicaManager",
                        "refused to move " + std::string(topic) + "-" + std::to_string(partition) + " to " +
                            std::string(path) +
                            ": moving partitions between log directories is not supported yet");
  return ErrorCode::kUnsupportedVersion;
}

}  // namespace

void alter_replica_log_dirs(const CallPtr& call) {
  wire::AlterReplicaLogDirsRequest request;
  if (!call->read(request)) return;
  wire::AlterReplicaLogDirsResponse response;
  for (const auto& directory : request.dirs) {
    for (const auto& topic : directory.topics) {
      auto found =
          std::ranges::find(response.results, topic.name,
                            &wire::AlterReplicaLogDirsResponse::AlterReplicaLogDirTopicResult::topic_name);
      auto& out = found == response.results.end() ? response.results.emplace_back() : *found;
      out.topic_name = topic.name;
      for (const std::int32_t partition : topic.partitions) {
        const ErrorCode error = verdict(call->services(), directory.path, topic.name, partition);
        if (error != ErrorCode::kNone) call->count_error();
        out.partitions.push_back({.partition_index = partition, .error_code = code(error)});
      }
    }
  }
  call->reply(response);
}

}  // namespace moldau::broker::api
