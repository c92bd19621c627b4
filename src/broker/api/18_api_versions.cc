// ApiVersions: what this broker serves. An unknown version is answered in version 0, with the versions of
// ApiVersions itself, so that a newer client can ask again (KIP-511).
#include "broker/api/handlers.h"
#include "broker/api_table.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "metadata/features.h"
#include "wire/gen/api_versions.h"

namespace moldau::broker::api {
namespace {

using wire::ApiVersionsRequest;
using wire::ApiVersionsResponse;
using wire::ErrorCode;

// [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])? as KIP-511 says of software names and versions.
bool is_software_name(std::string_view text) {
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (text.empty() || !alphanumeric(text.front()) || !alphanumeric(text.back())) return false;
  for (const char c : text) {
    if (!alphanumeric(c) && c != '-' && c != '.') return false;
  }
  return true;
}

void add_features(ApiVersionsResponse& response, const metadata::Image& image, std::int16_t version) {
  for (const auto& feature : metadata::supported_features()) {
    // Before version 4 a minimum of 0 would make old clients fail (KIP-1022).
    if (version < 4 && feature.min < 1) continue;
    response.supported_features.push_back(
        {.name = feature.name, .min_version = feature.min, .max_version = feature.max});
  }
  response.finalized_features_epoch = image.provenance().last_offset.value;
  for (const auto& [name, level] : image.features()) {
    response.finalized_features.push_back(
        {.name = name, .max_version_level = level, .min_version_level = level});
  }
}

void add_served(ApiVersionsResponse& response) {
  response.api_keys.reserve(served_apis().size());
  for (const ApiEntry& entry : served_apis()) {
    if (!entry.told) continue;
    response.api_keys.push_back({.api_key = static_cast<std::int16_t>(entry.key),
                                 .min_version = entry.min_version,
                                 .max_version = entry.max_version});
  }
}

}  // namespace

void api_versions(const CallPtr& call) {
  ApiVersionsResponse response;
  const ApiEntry& own = *find_served(ApiVersionsRequest::kKey);
  if (!own.serves(call->version())) {
    response.error_code = code(ErrorCode::kUnsupportedVersion);
    response.api_keys.push_back({.api_key = ApiVersionsRequest::kKey,
                                 .min_version = own.min_version,
                                 .max_version = own.max_version});
    return call->reply_at(0, response);
  }
  ApiVersionsRequest request;
  if (!call->read(request)) return;
  if (call->version() >= 3 && (!is_software_name(request.client_software_name) ||
                               !is_software_name(request.client_software_version))) {
    response.error_code = code(ErrorCode::kInvalidRequest);
    return call->reply(response);
  }
  add_served(response);
  if (call->version() >= 3) add_features(response, *call->services().images.get(), call->version());
  call->reply(response);
}

}  // namespace moldau::broker::api
