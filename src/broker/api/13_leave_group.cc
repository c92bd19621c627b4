// LeaveGroup: group/classic_sync.cc decides.
#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/group/ask.h"
#include "wire/gen/leave_group.h"

namespace moldau::broker::api {

void leave_group(const CallPtr& call) {
  wire::LeaveGroupRequest request;
  if (!call->read(request)) return;
  const std::string_view group = request.group_id;
  ask_group(call, group, std::move(request), [call](wire::ErrorCode error) {
    call->reply(wire::LeaveGroupResponse{.error_code = code(error), .members = {}});
  });
}

}  // namespace moldau::broker::api
