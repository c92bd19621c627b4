// OffsetDelete: group/offset_expiry.cc decides.
#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/group/ask.h"
#include "wire/gen/offset_delete.h"

namespace moldau::broker::api {

void offset_delete(const CallPtr& call) {
  wire::OffsetDeleteRequest request;
  if (!call->read(request)) return;
  const std::string_view group = request.group_id;
  ask_group(call, group, std::move(request), [call](wire::ErrorCode error) {
    call->reply(wire::OffsetDeleteResponse{.error_code = code(error), .topics = {}});
  });
}

}  // namespace moldau::broker::api
