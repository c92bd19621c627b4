// Every API key of Kafka 0.8 to 4.3, with the versions that this schema can read and write. Which of them a
// listener serves is the broker's table, not this one.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "wire/gen/api_keys.h"

namespace moldau::wire {

struct ApiInfo {
  std::int16_t key;
  std::string_view name;  // Kafka's, as "OffsetForLeaderEpoch"
  std::int16_t min_version;
  std::int16_t max_version;
  std::int16_t flexible_since;  // max_version + 1 if never

  ApiKey api() const { return static_cast<ApiKey>(key); }
  bool has(std::int16_t version) const { return version >= min_version && version <= max_version; }
  bool flexible(std::int16_t version) const { return version >= flexible_since; }
};

// All, ordered by key; the key is the index.
std::span<const ApiInfo> apis();
// nullptr for a key that Kafka never had.
const ApiInfo* find_api(std::int16_t key);

}  // namespace moldau::wire
