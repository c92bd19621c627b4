// Error codes as replies carry them: int16, and an optional text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/call.h"
#include "wire/errors.h"
#include "wire/text.h"

namespace moldau::broker {

constexpr std::int16_t code(wire::ErrorCode error) { return static_cast<std::int16_t>(error); }

// A text for a reply, null where there is none to tell.
inline std::optional<std::string_view> text_or_null(Call& call, const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(call.keep(wire::sayable(text)));
}

// Topics that clients see as internal, and may not produce to (org.apache.kafka.common.internals.Topic).
inline bool is_internal_topic(std::string_view name) {
  return name == "__consumer_offsets" || name == "__transaction_state" || name == "__share_group_state";
}

// Every name that Kafka takes for a topic: 1 to 249 of [a-zA-Z0-9._-], not "." or "..".
inline bool is_valid_topic_name(std::string_view name) {
  if (name.empty() || name.size() > 249 || name == "." || name == "..") return false;
  for (const char c : name) {
    const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-';
    if (!fine) return false;
  }
  return true;
}

}  // namespace moldau::broker
