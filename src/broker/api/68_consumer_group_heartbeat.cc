// ConsumerGroupHeartbeat: group/consumer_heartbeat.cc decides.
#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/group/ask.h"
#include "broker/group/protocols.h"
#include "wire/gen/consumer_group_heartbeat.h"

namespace moldau::broker::api {

void consumer_group_heartbeat(const CallPtr& call) {
  wire::ConsumerGroupHeartbeatRequest request;
  if (!call->read(request)) return;
  const auto refuse = [call](wire::ErrorCode error) {
    call->reply(wire::ConsumerGroupHeartbeatResponse{.error_code = code(error)});
  };
  if (!speaks_group_protocol(call->services(), "consumer")) {
    call->count_error();
    return refuse(wire::ErrorCode::kUnsupportedVersion);
  }
  const std::string_view group = request.group_id;
  ask_group(call, group, std::move(request), refuse);
}

}  // namespace moldau::broker::api
