// OffsetFetch: nothing was ever committed here, since this broker takes no commits (OffsetCommit is not
// served): every group is told -1, as Kafka tells a group that it does not know. Consumers of 0.9 ask even
// for partitions that they were assigned by hand.
#include "broker/api/handlers.h"
#include "broker/services.h"
#include "wire/gen/offset_fetch.h"

namespace moldau::broker::api {
namespace {

using wire::OffsetFetchRequest;
using wire::OffsetFetchResponse;

constexpr std::int64_t kNothingCommitted = -1;

void answer_one_group(const OffsetFetchRequest& request, OffsetFetchResponse& response) {
  if (!request.topics) return;  // all topics: there are none with commits
  for (const auto& topic : *request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (const std::int32_t partition : topic.partition_indexes) {
      out.partitions.push_back(
          {.partition_index = partition, .committed_offset = kNothingCommitted, .metadata = ""});
    }
  }
}

void answer_groups(const OffsetFetchRequest& request, OffsetFetchResponse& response) {
  for (const auto& group : request.groups) {
    auto& out = response.groups.emplace_back();
    out.group_id = group.group_id;
    if (!group.topics) continue;
    for (const auto& topic : *group.topics) {
      auto& out_topic = out.topics.emplace_back();
      out_topic.name = topic.name;
      out_topic.topic_id = topic.topic_id;
      for (const std::int32_t partition : topic.partition_indexes) {
        out_topic.partitions.push_back(
            {.partition_index = partition, .committed_offset = kNothingCommitted, .metadata = ""});
      }
    }
  }
}

}  // namespace

void offset_fetch(const CallPtr& call) {
  OffsetFetchRequest request;
  if (!call->read(request)) return;
  OffsetFetchResponse response;
  call->version() >= 8 ? answer_groups(request, response) : answer_one_group(request, response);
  call->reply(response);
}

}  // namespace moldau::broker::api
