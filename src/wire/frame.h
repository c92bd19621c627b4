// Frames and the headers of requests and responses: what stands around a message on a connection.
//
//   frame            int32 size of what follows | header | message
//   request header   int16 API key | int16 API version | int32 correlation id
//                    version 1, 2: | client id: int16 length (negative = null), text
//                    version 2:    | tag section
//   response header  int32 correlation id
//                    version 1:    | tag section
//
// The request header has version 2 if the message is flexible, else 1; 0 for ControlledShutdown 0 only. The
// response header has version 1 if the message is flexible, else 0; always 0 for ApiVersions, whose reader
// does not know yet what the other side speaks (KIP-511). For the same reason the client id keeps its old
// form in version 2.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "wire/api.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace moldau::wire {

inline constexpr std::size_t kFrameSizeBytes = 4;

struct RequestHeader {
  std::int16_t api_key = 0;
  std::int16_t api_version = 0;
  std::int32_t correlation_id = 0;
  std::optional<std::string_view> client_id{};

  bool operator==(const RequestHeader&) const = default;
};

// Of a key or version that no schema has: version 1, as every client of an unknown API sends it at least that
// far.
std::int16_t request_header_version(std::int16_t key, std::int16_t version);
std::int16_t response_header_version(std::int16_t key, std::int16_t version);

// Reads the header in front of a request of any key and version; what follows in the reader is the message.
// Unknown keys and versions are no failure here: ApiVersions wants an answer even then. False: not even a
// header.
bool decode_header(Reader& reader, RequestHeader& out);
void encode_header(Writer& writer, const RequestHeader& header);

// The correlation id, or nullopt with the reader failed. `key` and `version` are those of the request that is
// answered.
std::optional<std::int32_t> decode_response_header(Reader& reader, std::int16_t key, std::int16_t version);
void encode_response_header(Writer& writer, std::int16_t key, std::int16_t version,
                            std::int32_t correlation_id);

// Appends one whole frame. False: the message cannot be written in that version (writer.error() says why),
// and the writer holds what it held before. `Request` and `Response` are generated messages, which must be
// declared where this is used.
template <typename Request>
bool append_request(Writer& writer, const RequestHeader& header, const Request& request) {
  const Writer::Mark start = writer.begin_frame();
  encode_header(writer, header);
  encode(writer, header.api_version, request);
  return writer.end_frame(start);
}
template <typename Response>
bool append_response(Writer& writer, std::int16_t version, std::int32_t correlation_id,
                     const Response& response) {
  const Writer::Mark start = writer.begin_frame();
  encode_response_header(writer, Response::kKey, version, correlation_id);
  encode(writer, version, response);
  return writer.end_frame(start);
}

}  // namespace moldau::wire
