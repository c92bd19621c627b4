#include "broker/api/handlers.h"
#include "broker/cluster_view.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "wire/gen/describe_cluster.h"

namespace moldau::broker::api {

using wire::ErrorCode;

void describe_cluster(const CallPtr& call) {
  wire::DescribeClusterRequest request;
  if (!call->read(request)) return;
  const auto image = call->services().images.get();
  wire::DescribeClusterResponse response;
  response.cluster_id = image->cluster_id();
  response.endpoint_type = 1;
  if (request.endpoint_type != 1) {  // 2 asks for controllers: that is for a controller's listener (KIP-919)
    response.error_code = code(request.endpoint_type == 2 ? ErrorCode::kMismatchedEndpointType
                                                          : ErrorCode::kUnsupportedEndpointType);
    response.error_message =
        "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of another type";
    call->count_error();
    return call->reply(response);
  }
  for (const auto& [id, broker] : image->brokers()) {
    if (broker->fenced && !request.include_fenced_brokers) continue;
    const metadata::Endpoint* endpoint = broker->endpoint(call->connection().info().listener);
    if (endpoint == nullptr) continue;
    response.brokers.push_back(
        {.broker_id = id.value,
         .host = endpoint->host,
         .port = endpoint->port,
         .rack = broker->rack ? std::optional<std::string_view>(*broker->rack) : std::nullopt,
         .is_fenced = broker->fenced});
  }
  response.controller_id = response.brokers.empty() ? -1 : response.brokers.front().broker_id;
  if (request.include_cluster_authorized_operations)
    response.cluster_authorized_operations = kClusterOperations;
  call->reply(response);
}

}  // namespace moldau::broker::api
