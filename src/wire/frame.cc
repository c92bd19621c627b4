#include "wire/frame.h"

namespace moldau::wire {
namespace {

bool is(std::int16_t key, ApiKey api) { return key == static_cast<std::int16_t>(api); }

}  // namespace

std::int16_t request_header_version(std::int16_t key, std::int16_t version) {
  if (is(key, ApiKey::kControlledShutdown) && version == 0) return 0;
  const ApiInfo* api = find_api(key);
  return api != nullptr && api->flexible(version) ? 2 : 1;
}

std::int16_t response_header_version(std::int16_t key, std::int16_t version) {
  if (is(key, ApiKey::kApiVersions)) return 0;
  const ApiInfo* api = find_api(key);
  return api != nullptr && api->flexible(version) ? 1 : 0;
}

bool decode_header(Reader& reader, RequestHeader& out) {
  const std::uint8_t* fixed = reader.take(8, "request header");
  if (fixed == nullptr) [[unlikely]]
    return false;
  out.api_key = load_be<std::int16_t>(fixed);
  out.api_version = load_be<std::int16_t>(fixed + 2);
  out.correlation_id = load_be<std::int32_t>(fixed + 4);
  const std::int16_t version = request_header_version(out.api_key, out.api_version);
  if (version >= 1) out.client_id = reader.nullable_string(false, "client_id");
  if (version >= 2) reader.skip_tags();
  return reader.ok();
}

void encode_header(Writer& writer, const RequestHeader& header) {
  std::uint8_t* to = writer.extend(8);
  store_be(to, header.api_key);
  store_be(to + 2, header.api_version);
  store_be(to + 4, header.correlation_id);
  const std::int16_t version = request_header_version(header.api_key, header.api_version);
  if (version >= 1) writer.nullable_string(false, header.client_id);
  if (version >= 2) writer.number(std::uint8_t{0});
}

std::optional<std::int32_t> decode_response_header(Reader& reader, std::int16_t key, std::int16_t version) {
  const auto correlation_id = reader.number<std::int32_t>("correlation_id");
  if (response_header_version(key, version) >= 1) reader.skip_tags();
  if (!reader.ok()) return std::nullopt;
  return correlation_id;
}

void encode_response_header(Writer& writer, std::int16_t key, std::int16_t version,
                            std::int32_t correlation_id) {
  writer.number(correlation_id);
  if (response_header_version(key, version) >= 1) writer.number(std::uint8_t{0});
}

}  // namespace moldau::wire
