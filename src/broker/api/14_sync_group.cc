// SyncGroup: group/classic_sync.cc decides, when the leader has given everybody work.
#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/group/ask.h"
#include "wire/gen/sync_group.h"

namespace moldau::broker::api {

constexpr std::int16_t kFirstWithProtocol = 5;

void sync_group(const CallPtr& call) {
  wire::SyncGroupRequest request;
  if (!call->read(request)) return;
  const auto refuse = [call](wire::ErrorCode error) {
    call->reply(wire::SyncGroupResponse{.error_code = code(error)});
  };
  // Since version 5 both are asked for (KIP-559).
  if (call->version() >= kFirstWithProtocol && !(request.protocol_type && request.protocol_name)) {
    call->count_error();
    return refuse(wire::ErrorCode::kInconsistentGroupProtocol);
  }
  const std::string_view group = request.group_id;
  ask_group(call, group, std::move(request), refuse, GroupWait::kLong);
}

}  // namespace moldau::broker::api
