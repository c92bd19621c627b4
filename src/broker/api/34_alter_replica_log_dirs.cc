// AlterReplicaLogDirs: partitions move to other log directories in the background (replica/log_moves.h).
// Makes folders: in the background too, in order with what the metadata changes.
#include <algorithm>
#include <string>
#include <vector>

#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "wire/gen/alter_replica_log_dirs.h"

namespace moldau::broker::api {
namespace {

using wire::AlterReplicaLogDirsRequest;
using wire::AlterReplicaLogDirsResponse;
using wire::ErrorCode;

ErrorCode alter(Services& services, const std::string& path, std::string_view topic, std::int32_t partition) {
  if (topic == "__cluster_metadata") return ErrorCode::kInvalidTopicException;
  const ErrorCode error =
      services.replicas.alter_log_directory({std::string(topic), PartitionIndex{partition}}, path);
  if (error != ErrorCode::kReplicaNotAvailable) return error;
  // Why is it not here: nobody knows it, another broker has it, or its log cannot be had.
  const metadata::Partition* const known =
      services.images.get()->find_partition(topic, PartitionIndex{partition});
  if (known == nullptr) return ErrorCode::kUnknownTopicOrPartition;
  const bool ours = std::ranges::find(known->replicas, services.node) != known->replicas.end();
  return ours ? ErrorCode::kKafkaStorageError : error;
}

std::vector<ErrorCode> alter_all(Services& services, const AlterReplicaLogDirsRequest& request) {
  std::vector<ErrorCode> errors;
  for (const auto& directory : request.dirs)
    for (const auto& topic : directory.topics)
      for (const std::int32_t partition : topic.partitions)
        errors.push_back(alter(services, std::string(directory.path), topic.name, partition));
  return errors;
}

void answer(Call& call, const AlterReplicaLogDirsRequest& request, const std::vector<ErrorCode>& errors) {
  AlterReplicaLogDirsResponse response;
  auto error = errors.begin();
  for (const auto& directory : request.dirs) {
    for (const auto& topic : directory.topics) {
      auto found = std::ranges::find(response.results, topic.name,
                                     &AlterReplicaLogDirsResponse::AlterReplicaLogDirTopicResult::topic_name);
      auto& out = found == response.results.end() ? response.results.emplace_back() : *found;
      out.topic_name = topic.name;
      for (const std::int32_t partition : topic.partitions) {
        if (*error != ErrorCode::kNone) call.count_error();
        out.partitions.push_back({.partition_index = partition, .error_code = code(*error++)});
      }
    }
  }
  call.reply(response);
}

}  // namespace

void alter_replica_log_dirs(const CallPtr& call) {
  AlterReplicaLogDirsRequest request;
  if (!call->read(request)) return;
  Services& services = call->services();
  const auto work = [&services, call,
                     request](controller::Driver&) -> moldau::Result<std::vector<ErrorCode>> {
    return alter_all(services, request);
  };
  services.admin.run(call->loop(), work, [call, request](auto errors) {
    if (!errors) return call->close(errors.error().message);
    answer(*call, request, *errors);
  });
}

}  // namespace moldau::broker::api
