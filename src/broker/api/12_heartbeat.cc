// Heartbeat of a member of a classic group: group/classic_sync.cc decides.
#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/group/ask.h"
#include "wire/gen/heartbeat.h"

namespace moldau::broker::api {

void heartbeat(const CallPtr& call) {
  wire::HeartbeatRequest request;
  if (!call->read(request)) return;
  const std::string_view group = request.group_id;
  ask_group(call, group, std::move(request), [call](wire::ErrorCode error) {
    // While the group is loaded its members go on as they are: clients of old do not know that error here.
    if (error == wire::ErrorCode::kCoordinatorLoadInProgress) error = wire::ErrorCode::kNone;
    call->reply(wire::HeartbeatResponse{.error_code = code(error)});
  });
}

}  // namespace moldau::broker::api
