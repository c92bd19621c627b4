// AlterConfigs (what is not named goes back to its default) and IncrementalAlterConfigs (44, KIP-339).
#include <utility>

#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "wire/gen/alter_configs.h"
#include "wire/gen/incremental_alter_configs.h"

namespace moldau::broker::api {
namespace {

using wire::ErrorCode;

metadata::Resource resource_of(std::int8_t type, std::string_view name) {
  return {.type = static_cast<metadata::ResourceType>(type), .name = std::string(name)};
}

std::optional<std::string> owned(const std::optional<std::string_view>& text) {
  return text ? std::optional(std::string(*text)) : std::nullopt;
}

// Sends `request` to the controller and its reply, or its failure, to the client.
template <typename Response, typename Request>
void alter(const CallPtr& call, Request request) {
  call->services().admin.ask(call->loop(), request, [call, request](auto reply) {
    Response response;
    const auto add = [&](const metadata::Resource& resource, ErrorCode error, const std::string& message) {
      response.responses.push_back({.error_code = code(error),
                                    .error_message = text_or_null(*call, message),
                                    .resource_type = static_cast<std::int8_t>(resource.type),
                                    .resource_name = call->keep(resource.name)});
      if (error != ErrorCode::kNone) call->count_error();
    };
    if (reply) {
      for (const auto& entry : reply->resources) add(entry.resource, entry.error.code, entry.error.message);
    } else {
      for (const auto& entry : request.resources)
        add(entry.resource, ErrorCode::kNotController, reply.error().message);
    }
    call->reply(response);
  });
}

}  // namespace

void alter_configs(const CallPtr& call) {
  wire::AlterConfigsRequest request;
  if (!call->read(request)) return;
  controller::AlterConfigs alterations;
  alterations.validate_only = request.validate_only;
  for (const auto& in : request.resources) {
    auto& entry = alterations.resources.emplace_back();
    entry.resource = resource_of(in.resource_type, in.resource_name);
    for (const auto& config : in.configs)
      entry.configs.push_back({std::string(config.name), owned(config.value)});
  }
  alter<wire::AlterConfigsResponse>(call, std::move(alterations));
}

void incremental_alter_configs(const CallPtr& call) {
  wire::IncrementalAlterConfigsRequest request;
  if (!call->read(request)) return;
  controller::IncrementalAlterConfigs alterations;
  alterations.validate_only = request.validate_only;
  for (const auto& in : request.resources) {
    auto& entry = alterations.resources.emplace_back();
    entry.resource = resource_of(in.resource_type, in.resource_name);
    for (const auto& config : in.configs) {
      entry.operations.push_back({std::string(config.name), config.config_operation, owned(config.value)});
    }
  }
  alter<wire::IncrementalAlterConfigsResponse>(call, std::move(alterations));
}

}  // namespace moldau::broker::api
