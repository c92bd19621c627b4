// OffsetCommit: group/offset_commit.cc decides.
#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/group/ask.h"
#include "wire/gen/offset_commit.h"

namespace moldau::broker::api {

void offset_commit(const CallPtr& call) {
  wire::OffsetCommitRequest request;
  if (!call->read(request)) return;
  const auto refuse = [call, topics = request.topics](wire::ErrorCode error) {
    wire::OffsetCommitResponse response;
    for (const auto& topic : topics) {
      auto& out = response.topics.emplace_back();
      out.name = topic.name;
      out.topic_id = topic.topic_id;
      for (const auto& partition : topic.partitions)
        out.partitions.push_back({.partition_index = partition.partition_index, .error_code = code(error)});
    }
    call->reply(response);
  };
  const std::string_view group = request.group_id;
  ask_group(call, group, std::move(request), refuse);
}

}  // namespace moldau::broker::api
