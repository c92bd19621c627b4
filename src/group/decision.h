// What goes into the group coordinator's machine and what comes out of it. Plain values: the driver
// (broker/group/coordinator.h) turns them into appends and replies.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "config/broker_config.h"
#include "env/clock.h"
#include "env/random.h"
#include "metadata/image.h"
#include "wire/errors.h"
#include "wire/writer.h"

namespace moldau::group {

using wire::ErrorCode;

constexpr std::int16_t code(ErrorCode error) { return static_cast<std::int16_t>(error); }

// Both clocks at one moment: deadlines are steady, what records carry is of the wall.
struct Now {
  env::Instant steady;
  std::int64_t wall_ms = 0;
};

// What a decision may look at besides the machine's own state. Lives for one call.
struct Context {
  Now now;
  env::Random& random;
  const metadata::Image& image;
  const config::BrokerConfig& config;
  // What one batch of the log may hold (max.message.bytes). Records that must stand together are refused
  // where they are larger.
  std::size_t max_batch_bytes = 0;
};

// The driver's name for a request that wants an answer, exactly one.
using Ticket = std::uint64_t;

// Where an answer goes, and how it is to be written: what a request that waits leaves behind.
struct ReplyTo {
  Ticket ticket = 0;
  std::int16_t version = 0;  // of the request
};

// Who asks. Views: good for the call.
struct Caller {
  ReplyTo reply_to;
  std::string_view client_id;
  std::string_view client_host;  // "/127.0.0.1", as Kafka tells it
};

// One record of __consumer_offsets: key and value with their types and versions in front
// (wire/record_frame.h). No value: a tombstone.
struct Record {
  Bytes key;
  std::optional<Bytes> value;

  bool operator==(const Record&) const = default;
};

// A whole response body in the version that was asked for.
struct Answer {
  Ticket ticket = 0;
  Bytes body;
  bool error = false;      // it says one, for ErrorsPerSec
  bool unsayable = false;  // there is no body: its bytes cannot be made
};

// What one request, or one deadline, leads to. The records are written together, or not at all; the answers
// leave when they and everything before them cannot be lost.
struct Decision {
  std::vector<Record> records{};
  std::vector<Answer> answers{};
  // The records mean the same one by one: the driver may write them in several batches.
  bool divisible = false;
  // For a person who looks into the server's log.
  std::vector<std::string> notes{};

  template <typename Response>
  void answer(const ReplyTo& to, const Response& response, bool error = false) {
    wire::Writer writer;
    writer.reserve(encoded_size(to.version, response));
    encode(writer, to.version, response);
    if (!writer.ok())
      return answers.push_back({.ticket = to.ticket, .body = {}, .error = true, .unsayable = true});
    answers.push_back({to.ticket, writer.to_bytes(), error});
  }
};

}  // namespace moldau::group
