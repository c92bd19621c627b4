// PushTelemetry (KIP-714): checked as Kafka checks it, and then dropped, for there is no receiver.
#include <algorithm>

#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "broker/telemetry.h"
#include "wire/gen/push_telemetry.h"

namespace moldau::broker::api {
namespace {

using wire::ErrorCode;

// Kafka keeps two ids for itself, that no client may have: all zero, and one.
bool is_reserved(const Uuid& id) {
  return std::all_of(id.bytes.begin(), id.bytes.end() - 1, [](std::uint8_t b) { return b == 0; }) &&
         id.bytes.back() <= 1;
}

ErrorCode check(const wire::PushTelemetryRequest& request, std::int64_t max_bytes) {
  if (is_reserved(request.client_instance_id)) return ErrorCode::kInvalidRequest;
  if (request.subscription_id != empty_subscription_id(request.client_instance_id))
    return ErrorCode::kUnknownSubscriptionId;
  if (request.compression_type != 0 &&
      std::ranges::find(kTelemetryCompression, request.compression_type) == std::end(kTelemetryCompression))
    return ErrorCode::kUnsupportedCompressionType;
  if (static_cast<std::int64_t>(request.metrics.size()) > max_bytes) return ErrorCode::kTelemetryTooLarge;
  return ErrorCode::kNone;
}

}  // namespace

void push_telemetry(const CallPtr& call) {
  wire::PushTelemetryRequest request;
  if (!call->read(request)) return;
  wire::PushTelemetryResponse response;
  const ErrorCode error =
      check(request, call->services().settings.get()->values.number("telemetry.max.bytes"));
  response.error_code = code(error);
  if (error != ErrorCode::kNone) call->count_error();
  call->reply(response);
}

}  // namespace moldau::broker::api
