// One request, from its frame to its reply: what handlers get. Holds the frame alive, and strings made for
// the reply. Owned by shared_ptr among those who still work on it; all members are used on the connection's
// loop, unless said.
#pragma once

#include <forward_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "env/connection.h"
#include "wire/api.h"
#include "wire/errors.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace moldau::broker {

struct Services;

class Call : public std::enable_shared_from_this<Call> {
 public:
  struct Header {
    const wire::ApiInfo* api = nullptr;
    std::int16_t version = 0;
    std::int32_t correlation_id = 0;
    std::optional<std::string_view> client_id;  // view into the frame
    std::size_t size = 0;                       // of the header: the body stands behind it
  };

  Call(Services& services, std::shared_ptr<env::Connection> connection, std::uint64_t slot,
       env::Inbound frame, const Header& header);

  Services& services() { return services_; }
  env::Loop& loop() { return connection_->loop(); }
  env::Connection& connection() { return *connection_; }
  const wire::ApiInfo& api() const { return *header_.api; }
  std::int16_t version() const { return header_.version; }
  std::string_view client_id() const { return header_.client_id.value_or(""); }
  env::Instant received() const { return received_; }
  MutableBytes body() const { return frame_.bytes.subspan(header_.size); }

  // Decodes the body. False: it was malformed, the connection is closing, the caller just returns.
  template <typename Request>
  bool read(Request& request) {
    wire::Reader reader(body());
    if (decode(reader, version(), request)) [[likely]]
      return true;
    malformed(reader.reason());
    return false;
  }

  // The receive memory goes back before the reply: for calls that wait. body() is empty afterwards.
  void release_frame();

  // Keeps `text` as long as the call lives, for the views in a reply.
  std::string_view keep(std::string text) { return kept_.emplace_front(std::move(text)); }

  // Encodes and sends. `slices[id]` fills the records that the response calls external with that id.
  template <typename Response>
  void reply(const Response& response, std::vector<env::FileSlice> slices = {}) {
    reply_at(version(), response, std::move(slices));
  }
  // ApiVersions answers an unknown version in version 0.
  template <typename Response>
  void reply_at(std::int16_t version, const Response& response, std::vector<env::FileSlice> slices = {}) {
    auto writer = std::make_shared<wire::Writer>();
    // What lies in files is part of the size on the wire, not of the memory that waits to be sent.
    std::uint64_t in_files = 0;
    for (const env::FileSlice& slice : slices) in_files += slice.length;
    writer->reserve(16 + encoded_size(version, response) - static_cast<std::size_t>(in_files));
    const wire::Writer::Mark frame = begin_reply(*writer);
    encode(*writer, version, response);
    send(std::move(writer), frame, std::move(slices));
  }
  // A response that was encoded elsewhere, in version().
  void reply_body(ByteView body);
  // Nothing goes back (acks=0), but the slot is free.
  void reply_nothing();
  // Closes the connection, after earlier replies; `why` goes to the log with the request's and the peer's
  // names.
  void close(std::string why);
  // A reply says an error: for ErrorsPerSec.
  void count_error();

 private:
  wire::Writer::Mark begin_reply(wire::Writer& writer) const;
  void send(std::shared_ptr<wire::Writer> writer, wire::Writer::Mark frame,
            std::vector<env::FileSlice> slices);
  void malformed(std::string reason);
  void done();

  Services& services_;
  std::shared_ptr<env::Connection> connection_;
  std::uint64_t slot_;
  env::Inbound frame_;
  Header header_;
  env::Instant received_;
  std::forward_list<std::string> kept_;  // nearly always empty, and then it costs nothing
};

using CallPtr = std::shared_ptr<Call>;

}  // namespace moldau::broker
