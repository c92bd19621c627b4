// FindCoordinator: one broker alone would coordinate every group, so it names itself; a client that goes on
// to join one learns from ApiVersions that JoinGroup is not served, and says so. (The consumer of 0.9 asks
// even for partitions that it was assigned by hand, and waits for an answer.) Transactions and share groups
// are refused at once, with the reason.
#include "broker/api/handlers.h"
#include "broker/cluster_view.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "wire/gen/find_coordinator.h"

namespace moldau::broker::api {
namespace {

using wire::ErrorCode;
using wire::FindCoordinatorResponse;

constexpr std::int8_t kGroup = 0, kTransaction = 1, kShare = 2;  // FindCoordinatorRequest.CoordinatorType

FindCoordinatorResponse::Coordinator refusal(ErrorCode error, std::string_view why) {
  return {.key = {}, .node_id = -1, .host = "", .port = -1, .error_code = code(error), .error_message = why};
}

FindCoordinatorResponse::Coordinator find(Call& call, const metadata::Image& image, std::int8_t type) {
  if (type == kTransaction)
    return refusal(ErrorCode::kInvalidRequest, "Transactions are not served by this broker");
  if (type == kShare)
    return refusal(ErrorCode::kInvalidRequest, "Share groups are not served by this broker");
  if (type != kGroup) return refusal(ErrorCode::kInvalidRequest, "Unknown coordinator type");
  const auto self = alive_node(image, call.services().node, call.connection().info().listener);
  if (!self)
    return refusal(ErrorCode::kCoordinatorNotAvailable, wire::message(ErrorCode::kCoordinatorNotAvailable));
  return {.key = {},
          .node_id = self->id,
          .host = self->host,
          .port = self->port,
          .error_code = 0,
          .error_message = std::nullopt};
}

}  // namespace

void find_coordinator(const CallPtr& call) {
  wire::FindCoordinatorRequest request;
  if (!call->read(request)) return;
  const auto image = call->services().images.get();
  FindCoordinatorResponse::Coordinator found = find(*call, *image, request.key_type);
  if (found.error_code != 0) call->count_error();
  FindCoordinatorResponse response;
  if (call->version() < 4) {
    response.error_code = found.error_code;
    response.error_message = found.error_message;
    response.node_id = found.node_id;
    response.host = found.host;
    response.port = found.port;
    return call->reply(response);
  }
  response.coordinators.reserve(request.coordinator_keys.size());
  for (const std::string_view key : request.coordinator_keys) {
    found.key = key;
    response.coordinators.push_back(found);
  }
  call->reply(response);
}

}  // namespace moldau::broker::api
