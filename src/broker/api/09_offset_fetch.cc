// OffsetFetch: group/offset_fetch.cc decides. Since version 8 it names several groups, each asked of its own
// coordinator.
#include <utility>

#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/group/merge.h"
#include "wire/gen/offset_fetch.h"

namespace moldau::broker::api {
namespace {

using wire::ErrorCode;
using wire::OffsetFetchRequest;
using wire::OffsetFetchResponse;

constexpr std::int16_t kFirstWithTopicErrors = 2, kFirstWithGroups = 8;

// Below version 2 there is no place for an error but with the partitions.
OffsetFetchResponse refusal(const OffsetFetchRequest& request, std::int16_t version, ErrorCode error) {
  OffsetFetchResponse response;
  response.error_code = code(error);
  if (version >= kFirstWithTopicErrors || !request.topics) return response;
  for (const auto& topic : *request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (const std::int32_t partition : topic.partition_indexes)
      out.partitions.push_back(
          {.partition_index = partition, .committed_offset = -1, .metadata = "", .error_code = code(error)});
  }
  return response;
}

void fetch_of_groups(const CallPtr& call, const OffsetFetchRequest& request) {
  std::vector<GroupPart<OffsetFetchRequest>> parts;
  std::vector<std::string_view> names;
  for (const auto& group : request.groups) {
    names.push_back(group.group_id);
    auto& part = parts.emplace_back(call->services().groups->find(group.group_id), OffsetFetchRequest{});
    part.request.groups = {group};
    part.request.require_stable = request.require_stable;
  }
  ask_groups(call, call->version(), std::move(parts),
             [call, names = std::move(names)](std::vector<GroupOutcome>& outcomes) {
               OffsetFetchResponse response;
               for (std::size_t i = 0; i < outcomes.size(); ++i) {
                 if (outcomes[i].failure != ErrorCode::kNone || outcomes[i].error) call->count_error();
                 if (outcomes[i].failure != ErrorCode::kNone) {
                   response.groups.push_back(
                       {.group_id = names[i], .topics = {}, .error_code = code(outcomes[i].failure)});
                   continue;
                 }
                 auto part = decode_outcome<OffsetFetchResponse>(outcomes[i], call->version());
                 for (auto& group : part.groups) response.groups.push_back(std::move(group));
               }
               call->reply(response);
             });
}

}  // namespace

void offset_fetch(const CallPtr& call) {
  OffsetFetchRequest request;
  if (!call->read(request)) return;
  if (call->version() >= kFirstWithGroups && request.groups.size() != 1)
    return fetch_of_groups(call, request);
  if (call->version() >= kFirstWithGroups) {
    const std::string_view group = request.groups.front().group_id;
    return ask_group(call, group, std::move(request), [call, group](ErrorCode error) {
      OffsetFetchResponse response;
      response.groups.push_back({.group_id = group, .topics = {}, .error_code = code(error)});
      call->reply(response);
    });
  }
  const std::string_view group = request.group_id;
  ask_group(call, group, request,
            [call, request](ErrorCode error) { call->reply(refusal(request, call->version(), error)); });
}

}  // namespace moldau::broker::api
