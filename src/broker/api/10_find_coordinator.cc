// FindCoordinator: this broker has no group and no transaction coordinator yet and says so; clients see
// COORDINATOR_NOT_AVAILABLE with the reason, the operator one line for each kind.
#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "wire/gen/find_coordinator.h"

namespace moldau::broker::api {

using wire::ErrorCode;

void find_coordinator(const CallPtr& call) {
  wire::FindCoordinatorRequest request;
  if (!call->read(request)) return;
  const bool known = request.key_type >= 0 && request.key_type <= 2;  // group, transaction, share (KIP-932)
  const ErrorCode error = known ? ErrorCode::kCoordinatorNotAvailable : ErrorCode::kInvalidRequest;
  const std::string_view what =
      request.key_type == 0   ? "Consumer groups are not served by this broker; assign partitions instead"
      : request.key_type == 1 ? "Transactions are not served by this broker"
      : request.key_type == 2 ? "Share groups are not served by this broker"
                              : "Unknown coordinator type";
  wire::FindCoordinatorResponse response;
  if (call->version() < 4) {
    response.error_code = code(error);
    response.error_message = what;
    response.node_id = -1;
    response.port = -1;
  } else {
    for (const std::string_view key : request.coordinator_keys) {
      response.coordinators.push_back({.key = key,
                                       .node_id = -1,
                                       .host = "",
                                       .port = -1,
                                       .error_code = code(error),
                                       .error_message = what});
    }
  }
  call->count_error();
  call->reply(response);
}

}  // namespace moldau::broker::api
