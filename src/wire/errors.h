// Kafka's error codes: what a reply says went wrong. The list is schema/errors.def.
#pragma once

#include <cstdint>
#include <string_view>

#include "wire/gen/error_codes.h"

namespace moldau::wire {

struct ErrorInfo {
  std::string_view name;     // Kafka's name, as NOT_LEADER_OR_FOLLOWER
  std::string_view message;  // what to tell a person when there is nothing better to say
  bool retriable;            // the same request may succeed later
  bool stale_metadata;       // it may succeed elsewhere: refresh metadata first
};

// Of a code that this version does not know: UNKNOWN_SERVER_ERROR's, as Kafka's clients see it.
const ErrorInfo& info(ErrorCode code);

inline std::string_view name(ErrorCode code) { return info(code).name; }
inline std::string_view message(ErrorCode code) { return info(code).message; }
inline bool retriable(ErrorCode code) { return info(code).retriable; }
inline bool stale_metadata(ErrorCode code) { return info(code).stale_metadata; }
// The int16 that stands on the wire.
constexpr std::int16_t wire_value(ErrorCode code) { return static_cast<std::int16_t>(code); }

}  // namespace moldau::wire
