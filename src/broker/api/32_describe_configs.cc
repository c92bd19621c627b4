// DescribeConfigs: every configuration of a resource with its value, where that comes from, and what else was
// set.
#include <algorithm>
#include <charconv>

#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "config/describe.h"
#include "wire/gen/describe_configs.h"

namespace moldau::broker::api {
namespace {

using metadata::ResourceType;
using wire::DescribeConfigsRequest;
using wire::DescribeConfigsResponse;
using wire::ErrorCode;
using Result = DescribeConfigsResponse::DescribeConfigsResult;

struct Describe {
  Call& call;
  const DescribeConfigsRequest& request;
  const Settings& settings;
  const metadata::Image& image;

  void refuse(Result& out, ErrorCode error, std::string message) {
    out.error_code = code(error);
    out.error_message = text_or_null(call, message);
    call.count_error();
  }

  void add(Result& out, const DescribeConfigsRequest::DescribeConfigsResource& in,
           const std::vector<config::ConfigRow>& rows) {
    const auto& keys = in.configuration_keys;
    for (const config::ConfigRow& row : rows) {
      if (keys && !keys->empty() && std::ranges::find(*keys, row.name) == keys->end()) continue;
      auto& entry = out.configs.emplace_back();
      entry.name = call.keep(row.name);
      entry.value = row.value ? std::optional(call.keep(*row.value)) : std::nullopt;
      entry.read_only = row.read_only;
      entry.is_sensitive = row.sensitive;
      if (call.version() == 0) {
        entry.is_default = row.source == config::Source::kDefault;
      } else {
        entry.config_source = static_cast<std::int8_t>(row.source);
      }
      entry.config_type = static_cast<std::int8_t>(row.type);
      entry.documentation =
          request.include_documentation ? std::optional<std::string_view>(row.documentation) : std::nullopt;
      if (!request.include_synonyms) continue;
      for (const config::Synonym& synonym : row.synonyms) {
        entry.synonyms.push_back(
            {.name = call.keep(synonym.name),
             .value = synonym.value ? std::optional(call.keep(*synonym.value)) : std::nullopt,
             .source = static_cast<std::int8_t>(synonym.source)});
      }
    }
  }

  void describe_topic(Result& out, const DescribeConfigsRequest::DescribeConfigsResource& in) {
    if (!is_valid_topic_name(in.resource_name))
      return refuse(out, ErrorCode::kInvalidTopicException, "Topic name is invalid");
    if (image.find_topic(in.resource_name) == nullptr)
      return refuse(out, ErrorCode::kUnknownTopicOrPartition, {});
    add(out, in,
        config::describe_topic(settings.values, image.config(ResourceType::kTopic, in.resource_name)));
  }

  void describe_broker(Result& out, const DescribeConfigsRequest::DescribeConfigsResource& in) {
    const std::string_view name = in.resource_name;
    if (name.empty()) return add(out, in, config::describe_broker_defaults(settings.values));
    std::int32_t id = -1;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
    if (error != std::errc{} || end != name.data() + name.size()) {
      return refuse(out, ErrorCode::kInvalidRequest,
                    "Broker id must be an integer, but it is: " + std::string(name));
    }
    const std::int32_t own = call.services().node.value;
    if (id != own) {
      return refuse(out, ErrorCode::kInvalidRequest,
                    "Unexpected broker id, expected " + std::to_string(own) +
                        " or empty string, but received " + std::string(name));
    }
    add(out, in, config::describe_broker(settings.values));
  }

  void describe(Result& out, const DescribeConfigsRequest::DescribeConfigsResource& in) {
    const std::string_view name = in.resource_name;
    switch (static_cast<ResourceType>(in.resource_type)) {
      case ResourceType::kTopic:
        return describe_topic(out, in);
      case ResourceType::kBroker:
        return describe_broker(out, in);
      case ResourceType::kBrokerLogger:  // there are no loggers whose level could be set
        if (name != std::to_string(call.services().node.value)) {
          refuse(out, ErrorCode::kInvalidRequest,
                 "Unexpected broker id, expected " + std::to_string(call.services().node.value) +
                     " but received " + std::string(name));
        }
        return;
      case ResourceType::kClientMetrics:
        if (name.empty())
          return refuse(out, ErrorCode::kInvalidRequest,
                        "Client metrics subscription name must not be empty");
        return add(out, in,
                   config::describe_client_metrics(image.config(ResourceType::kClientMetrics, name)));
      case ResourceType::kGroup:
        if (name.empty()) return refuse(out, ErrorCode::kInvalidRequest, "Group name must not be empty");
        return add(out, in,
                   config::describe_group(settings.values, image.config(ResourceType::kGroup, name)));
    }
    refuse(out, ErrorCode::kInvalidRequest, "Unsupported resource type: " + std::to_string(in.resource_type));
  }
};

}  // namespace

void describe_configs(const CallPtr& call) {
  DescribeConfigsRequest request;
  if (!call->read(request)) return;
  const auto settings = call->services().settings.get();
  const auto image = call->services().images.get();
  Describe describe{.call = *call, .request = request, .settings = *settings, .image = *image};
  DescribeConfigsResponse response;
  response.results.reserve(request.resources.size());
  for (const auto& resource : request.resources) {
    auto& out = response.results.emplace_back();
    out.resource_type = resource.resource_type;
    out.resource_name = resource.resource_name;
    describe.describe(out, resource);
  }
  call->reply(response);
}

}  // namespace moldau::broker::api
