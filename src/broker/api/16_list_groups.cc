// ListGroups: what all coordinators of this broker know; those that are loading are told of by the error.
#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/group/merge.h"
#include "wire/gen/list_groups.h"

namespace moldau::broker::api {

using wire::ListGroupsRequest;
using wire::ListGroupsResponse;

void list_groups(const CallPtr& call) {
  ListGroupsRequest request;
  if (!call->read(request)) return;
  std::vector<GroupPart<ListGroupsRequest>> parts;
  for (const GroupCoordinatorRef& coordinator : *call->services().groups->all())
    if (coordinator) parts.push_back({coordinator, request});
  ask_groups(call, call->version(), std::move(parts), [call](std::vector<GroupOutcome>& outcomes) {
    ListGroupsResponse response;
    for (const GroupOutcome& outcome : outcomes) {
      if (outcome.failure == wire::ErrorCode::kNotCoordinator) continue;  // it moved: another tells of them
      if (outcome.failure != wire::ErrorCode::kNone) {
        response.error_code = code(outcome.failure);
        continue;
      }
      auto part = decode_outcome<ListGroupsResponse>(outcome, call->version());
      for (auto& group : part.groups) response.groups.push_back(group);
    }
    if (response.error_code != 0) call->count_error();
    call->reply(response);
  });
}

}  // namespace moldau::broker::api
