// OffsetCommit, versions 0 to 10. Version 0, which old brokers kept in ZooKeeper, has no member and no
// generation: it is taken as it comes, as ZooKeeper took it.
#include <limits>

#include "base/utf16.h"
#include "group/offset_requests.h"

namespace moldau::group {
namespace {

using wire::OffsetCommitRequest;
using wire::OffsetCommitResponse;

constexpr std::int16_t kFirstWithTopicIds = 10;
constexpr std::int16_t kFirstWithNewErrors = 9;

const metadata::Topic* find_topic(const Context& context, std::int16_t version,
                                  const OffsetCommitRequest::OffsetCommitRequestTopic& topic) {
  return version >= kFirstWithTopicIds ? context.image.find_topic(topic.topic_id)
                                       : context.image.find_topic(topic.name);
}

ErrorCode check_partition(const Context& context, const metadata::Topic* topic, std::int16_t version,
                          const OffsetCommitRequest::OffsetCommitRequestPartition& partition) {
  if (topic == nullptr)
    return version >= kFirstWithTopicIds ? ErrorCode::kUnknownTopicId : ErrorCode::kUnknownTopicOrPartition;
  if (topic->find(PartitionIndex{partition.partition_index}) == nullptr)
    return ErrorCode::kUnknownTopicOrPartition;
  const std::string_view metadata = partition.committed_metadata.value_or("");
  // Kafka counts the units of Java's strings.
  const auto most = static_cast<std::size_t>(context.config.offset_metadata_max_bytes);
  if (metadata.size() > most && to_utf16(metadata).size() > most) return ErrorCode::kOffsetMetadataTooLarge;
  return ErrorCode::kNone;
}

std::int64_t later(std::int64_t now_ms, std::int64_t by_ms) {
  return by_ms > std::numeric_limits<std::int64_t>::max() - now_ms ? std::numeric_limits<std::int64_t>::max()
                                                                   : now_ms + by_ms;
}

Committed committed(const Context& context, const OffsetCommitRequest& request, std::int16_t version,
                    const OffsetCommitRequest::OffsetCommitRequestPartition& partition,
                    const metadata::Topic& topic) {
  const std::int64_t now_ms = context.now.wall_ms;
  return {.offset = partition.committed_offset,
          .leader_epoch = partition.committed_leader_epoch,
          .metadata = std::string(partition.committed_metadata.value_or("")),
          .commit_ms = partition.commit_timestamp == -1 ? now_ms : partition.commit_timestamp,
          .expire_ms = request.retention_time_ms == -1 ? -1 : later(now_ms, request.retention_time_ms),
          .topic_id = version >= kFirstWithTopicIds ? topic.id : Uuid{}};
}

}  // namespace

ErrorCode OffsetRequests::check(std::string_view name, const Committer& committer) const {
  const Group* group = groups_.find(name);
  if (group != nullptr) return group->check_commit(committer);
  if (committer.generation_or_epoch < 0) return ErrorCode::kNone;
  return !committer.transactional && committer.version >= kFirstWithNewErrors ? ErrorCode::kGroupIdNotFound
                                                                              : ErrorCode::kIllegalGeneration;
}

// One partition that may not be committed is an error of the request.
ErrorCode OffsetRequests::check(const Context& context, const OffsetCommitRequest& request,
                                const Committer& committer) const {
  const ErrorCode verdict = check(request.group_id, committer);
  const Group* group = groups_.find(request.group_id);
  if (group == nullptr || verdict != ErrorCode::kNone) return verdict;
  for (const auto& topic : request.topics) {
    const metadata::Topic* known = find_topic(context, committer.version, topic);
    if (known == nullptr) continue;
    for (const auto& partition : topic.partitions) {
      const ErrorCode one = group->check_commit_of(committer, known->id, partition.partition_index);
      if (one != ErrorCode::kNone) return one;
    }
  }
  return ErrorCode::kNone;
}

Decision OffsetRequests::commit(const Context& context, const Caller& caller,
                                const OffsetCommitRequest& request) {
  const std::int16_t version = caller.reply_to.version;
  const Committer committer{.member_id = request.member_id,
                            .instance_id = request.group_instance_id,
                            .generation_or_epoch = request.generation_id_or_member_epoch,
                            .version = version};
  const ErrorCode refusal = version == 0 ? ErrorCode::kNone : check(context, request, committer);
  Decision decision{.divisible = true};
  OffsetCommitResponse response;
  bool error = false;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    out.topic_id = topic.topic_id;
    const metadata::Topic* known = find_topic(context, version, topic);
    for (const auto& partition : topic.partitions) {
      ErrorCode verdict = check_partition(context, known, version, partition);
      const bool there = verdict == ErrorCode::kNone || verdict == ErrorCode::kOffsetMetadataTooLarge;
      if (there && refusal != ErrorCode::kNone) verdict = refusal;
      out.partitions.push_back({.partition_index = partition.partition_index, .error_code = code(verdict)});
      error = error || verdict != ErrorCode::kNone;
      if (verdict != ErrorCode::kNone) continue;
      decision.records.push_back(commit_record(request.group_id, known->name, partition.partition_index,
                                               committed(context, request, version, partition, *known)));
    }
  }
  decision.answer(caller.reply_to, response, error);
  return decision;
}

}  // namespace moldau::group
