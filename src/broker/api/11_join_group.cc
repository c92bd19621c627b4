// JoinGroup: group/classic_join.cc decides, often when others have joined, too.
#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/group/ask.h"
#include "wire/gen/join_group.h"

namespace moldau::broker::api {

void join_group(const CallPtr& call) {
  wire::JoinGroupRequest request;
  if (!call->read(request)) return;
  const auto refuse = [call, member = std::string(request.member_id)](wire::ErrorCode error) {
    wire::JoinGroupResponse response{.error_code = code(error), .member_id = member, .members = {}};
    if (call->version() >= 7) response.protocol_name = std::nullopt;
    call->reply(response);
  };
  const std::string_view group = request.group_id;
  ask_group(call, group, std::move(request), refuse, GroupWait::kLong);
}

}  // namespace moldau::broker::api
