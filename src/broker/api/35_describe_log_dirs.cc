// DescribeLogDirs: how large each partition is, and where; how full the disks are. Asks the disk: in the
// background.
#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "wire/gen/describe_log_dirs.h"

namespace moldau::broker::api {
namespace {

using wire::DescribeLogDirsRequest;
using wire::DescribeLogDirsResponse;
using wire::ErrorCode;

struct Log {
  std::int64_t size = 0, lag = 0;
};

struct Directory {
  std::string path;
  bool online = true;
  std::int64_t total_bytes = -1, usable_bytes = -1;
  using Topics = std::map<std::string, std::map<std::int32_t, Log>>;  // by partition
  Topics current, future;
};

// How large the log is that a move makes, and how many records it has yet to get.
std::optional<Log> look_at_future(const log::LogManager::Handle& handle, Offset end) {
  const auto facts = log::LogManager::facts(handle);
  if (!facts) return std::nullopt;
  return Log{static_cast<std::int64_t>(facts->size_bytes), std::max<std::int64_t>(end - facts->end, 0)};
}

std::vector<Directory> look(Services& services, env::FileSystem& fs) {
  std::vector<Directory> directories;
  for (const log::DirectoryStatus& status : services.logs.directories()) {
    Directory& directory = directories.emplace_back();
    directory.path = status.path;
    directory.online = status.online;
    if (!status.online) continue;
    if (const auto total = fs.total_bytes(status.path))
      directory.total_bytes = static_cast<std::int64_t>(*total);
    if (const auto usable = fs.free_bytes(status.path))
      directory.usable_bytes = static_cast<std::int64_t>(*usable);
  }
  for (const auto& topic : services.replicas.all()) {
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      if (topic->partitions[i] == nullptr) continue;
      const log::TopicPartition name{topic->name, PartitionIndex{static_cast<std::int32_t>(i)}};
      const auto handle = services.logs.find(name);
      if (handle == nullptr || log::LogManager::gone(handle)) continue;
      const auto index = static_cast<std::int32_t>(i);
      Offset end{0};
      const Log here = topic->partitions[i]->with([&](replica::Partition& p) -> Log {
        if (p.offline()) return {};
        end = p.log().end_offset();
        return {static_cast<std::int64_t>(p.log().size_bytes()), 0};
      });
      const auto future = services.logs.find_future(name);
      const auto coming = future ? look_at_future(future, end) : std::nullopt;
      for (Directory& directory : directories) {
        if (directory.path == log::LogManager::directory(handle))
          directory.current[topic->name][index] = here;
        if (coming && directory.path == log::LogManager::directory(future))
          directory.future[topic->name][index] = *coming;
      }
    }
  }
  return directories;
}

bool wanted(const DescribeLogDirsRequest& request, std::string_view topic, std::int32_t partition) {
  if (!request.topics) return true;
  for (const auto& t : *request.topics) {
    if (t.topic != topic) continue;
    for (const std::int32_t p : t.partitions) {
      if (p == partition) return true;
    }
  }
  return false;
}

using Result = DescribeLogDirsResponse::DescribeLogDirsResult;

void list(const DescribeLogDirsRequest& request, const Directory::Topics& topics, bool future, Result& out) {
  for (const auto& [topic, partitions] : topics) {
    DescribeLogDirsResponse::DescribeLogDirsTopic out_topic{.name = topic, .partitions = {}};
    for (const auto& [index, log] : partitions) {
      if (wanted(request, topic, index))
        out_topic.partitions.push_back({.partition_index = index,
                                        .partition_size = log.size,
                                        .offset_lag = log.lag,
                                        .is_future_key = future});
    }
    if (!out_topic.partitions.empty()) out.topics.push_back(std::move(out_topic));
  }
}

void answer(Call& call, const DescribeLogDirsRequest& request, const std::vector<Directory>& directories) {
  DescribeLogDirsResponse response;
  for (const Directory& directory : directories) {
    auto& out = response.results.emplace_back();
    out.log_dir = directory.path;
    if (!directory.online) {
      out.error_code = code(ErrorCode::kKafkaStorageError);
      call.count_error();
      continue;
    }
    out.total_bytes = directory.total_bytes;
    out.usable_bytes = directory.usable_bytes;
    list(request, directory.current, false, out);
    list(request, directory.future, true, out);
  }
  call.reply(response);
}

}  // namespace

void describe_log_dirs(const CallPtr& call) {
  DescribeLogDirsRequest request;
  if (!call->read(request)) return;
  Services& services = call->services();
  const auto work = [&services](controller::Driver&) -> moldau::Result<std::vector<Directory>> {
    return look(services, services.fs);
  };
  services.admin.run(call->loop(), work, [call, request](auto directories) {
    if (!directories) return call->close(directories.error().message);
    answer(*call, request, *directories);
  });
}

}  // namespace moldau::broker::api
