// GetTelemetrySubscriptions (KIP-714): there is no receiver of clients' metrics, so a client is asked for
// none.
#include "broker/api/handlers.h"
#include "broker/services.h"
#include "broker/telemetry.h"
#include "wire/gen/get_telemetry_subscriptions.h"

namespace moldau::broker::api {

void get_telemetry(const CallPtr& call) {
  wire::GetTelemetrySubscriptionsRequest request;
  if (!call->read(request)) return;
  const Uuid client =
      request.client_instance_id.is_zero() ? call->loop().random().uuid() : request.client_instance_id;
  wire::GetTelemetrySubscriptionsResponse response;
  response.client_instance_id = client;
  response.subscription_id = empty_subscription_id(client);
  response.accepted_compression_types.assign(std::begin(kTelemetryCompression),
                                             std::end(kTelemetryCompression));
  response.push_interval_ms = kTelemetryPushIntervalMs;
  response.telemetry_max_bytes =
      static_cast<std::int32_t>(call->services().settings.get()->values.number("telemetry.max.bytes"));
  response.delta_temporality = true;
  call->reply(response);
}

}  // namespace moldau::broker::api
