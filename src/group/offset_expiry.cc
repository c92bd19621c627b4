// Offsets that go: asked to (OffsetDelete), with their group, by age, or with their topic.
#include <algorithm>

#include "group/offset_requests.h"

namespace moldau::group {
namespace {

using wire::OffsetDeleteRequest;
using wire::OffsetDeleteResponse;

constexpr std::int64_t kMinuteMs = 60'000;

bool expired(const Committed& committed, const Ageing& ageing, const Context& context) {
  const std::int64_t now_ms = context.now.wall_ms;
  if (committed.expire_ms >= 0) return now_ms >= committed.expire_ms;
  // A client of version 1 may have said any time.
  return ageing.since_ms.value_or(committed.commit_ms) <=
         now_ms - context.config.offsets_retention_minutes * kMinuteMs;
}

bool is_partition(const Context& context, std::string_view topic, std::int32_t partition) {
  const metadata::Topic* found = context.image.find_topic(topic);
  return found != nullptr && found->find(PartitionIndex{partition}) != nullptr;
}

}  // namespace

// Partitions that nobody knows are told so, whatever the group; for those alone it is not looked for.
ErrorCode OffsetRequests::check_remove(const Context& context, const OffsetDeleteRequest& request) const {
  const auto known = [&](const auto& topic) {
    return std::ranges::any_of(topic.partitions, [&](const auto& partition) {
      return is_partition(context, topic.name, partition.partition_index);
    });
  };
  if (std::ranges::none_of(request.topics, known)) return ErrorCode::kNone;
  if (request.group_id.empty()) return ErrorCode::kInvalidGroupId;
  const Group* group = groups_.find(request.group_id);
  return group == nullptr ? ErrorCode::kGroupIdNotFound : group->check_offset_delete();
}

Decision OffsetRequests::remove(const Context& context, const Caller& caller,
                                const OffsetDeleteRequest& request) {
  Decision decision{.divisible = true};
  OffsetDeleteResponse response;
  const Group* group = groups_.find(request.group_id);
  const ErrorCode refusal = check_remove(context, request);
  response.error_code = code(refusal);
  if (refusal == ErrorCode::kNone) {
    for (const auto& topic : request.topics) {
      auto& out = response.topics.emplace_back();
      out.name = topic.name;
      const bool subscribed = group != nullptr && group->subscribed_to(topic.name);
      for (const auto& partition : topic.partitions) {
        const ErrorCode verdict = !is_partition(context, topic.name, partition.partition_index)
                                      ? ErrorCode::kUnknownTopicOrPartition
                                  : subscribed ? ErrorCode::kGroupSubscribedToTopic
                                               : ErrorCode::kNone;
        out.partitions.push_back({.partition_index = partition.partition_index, .error_code = code(verdict)});
        const bool there = offsets_.find(request.group_id, topic.name, partition.partition_index) ||
                           offsets_.pending(request.group_id, topic.name, partition.partition_index);
        if (verdict == ErrorCode::kNone && there)
          decision.records.push_back(
              commit_tombstone(request.group_id, topic.name, partition.partition_index));
      }
    }
  }
  decision.answer(caller.reply_to, response, refusal != ErrorCode::kNone);
  return decision;
}

void OffsetRequests::add_tombstones(std::string_view group, std::vector<Record>& records) const {
  const Offsets::Topics* topics = offsets_.of_group(group);
  if (topics == nullptr) return;
  for (const auto& [topic, partitions] : *topics)
    for (const auto& [partition, committed] : partitions)
      records.push_back(commit_tombstone(group, topic, partition));
}

void OffsetRequests::expire(const Context& context, const Group& group, std::vector<Record>& records) const {
  bool all_gone = true;
  if (const Offsets::Topics* topics = offsets_.of_group(group.name())) {
    const auto ageing = group.ageing();
    for (const auto& [topic, partitions] : *topics) {
      const bool ages = ageing && !group.subscribed_to(topic);
      for (const auto& [partition, committed] : partitions) {
        if (ages && expired(committed, *ageing, context) &&
            !offsets_.pending(group.name(), topic, partition)) {
          records.push_back(commit_tombstone(group.name(), topic, partition));
        } else {
          all_gone = false;
        }
      }
    }
  }
  if (all_gone && group.empty() && !offsets_.pending(group.name())) group.add_tombstones(records);
}

std::vector<Record> OffsetRequests::topics_deleted(const std::vector<std::string>& topics,
                                                   std::size_t limit) const {
  std::vector<Record> records;
  for (const auto& [group, committed] : offsets_.all()) {
    for (const std::string& topic : topics) {
      const auto found = committed.find(topic);
      if (found == committed.end()) continue;
      for (const auto& [partition, offset] : found->second)
        records.push_back(commit_tombstone(group, topic, partition));
    }
    if (records.size() >= limit) break;
  }
  return records;
}

}  // namespace moldau::group
