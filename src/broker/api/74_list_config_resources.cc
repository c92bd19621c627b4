// ListConfigResources: version 0 lists the client-metrics subscriptions (it was called
// ListClientMetricsResources), version 1 every kind of resource that is asked for, all kinds if none is.
#include <algorithm>

#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "wire/gen/list_config_resources.h"

namespace moldau::broker::api {
namespace {

using metadata::ResourceType;
using wire::ErrorCode;

constexpr ResourceType kKinds[] = {ResourceType::kTopic, ResourceType::kBroker, ResourceType::kBrokerLogger,
                                   ResourceType::kClientMetrics, ResourceType::kGroup};

std::vector<std::string> names_of(ResourceType kind, const metadata::Image& image) {
  std::vector<std::string> names;
  if (kind == ResourceType::kTopic) {
    for (const auto& topic : image.topics_sorted()) names.push_back(topic->name);
  } else if (kind == ResourceType::kBroker || kind == ResourceType::kBrokerLogger) {
    for (const auto& [id, broker] : image.brokers()) names.push_back(std::to_string(id.value));
  } else {
    for (const auto& resource : image.configured_resources()) {
      if (resource.type == kind) names.push_back(resource.name);
    }
  }
  return names;
}

}  // namespace

void list_config_resources(const CallPtr& call) {
  wire::ListConfigResourcesRequest request;
  if (!call->read(request)) return;
  const auto image = call->services().images.get();
  wire::ListConfigResourcesResponse response;
  std::vector<ResourceType> wanted;
  if (call->version() == 0) {
    wanted = {ResourceType::kClientMetrics};
  } else if (request.resource_types.empty()) {
    wanted.assign(std::begin(kKinds), std::end(kKinds));
  }
  for (const std::int8_t type : request.resource_types) {
    const auto kind = static_cast<ResourceType>(type);
    if (std::ranges::find(kKinds, kind) == std::end(kKinds)) {
      response.error_code = code(ErrorCode::kUnsupportedVersion);
      call->count_error();
      return call->reply(response);
    }
    wanted.push_back(kind);
  }
  for (const ResourceType kind : wanted) {
    for (std::string& name : names_of(kind, *image)) {
      response.config_resources.push_back(
          {.resource_name = call->keep(std::move(name)), .resource_type = static_cast<std::int8_t>(kind)});
    }
  }
  call->reply(response);
}

}  // namespace moldau::broker::api
