// The APIs that this broker serves: the one list that ApiVersions tells, the dispatcher obeys and
// docs/compatibility.md shows. Those that are not `told` are answered and left out of ApiVersions, where
// Kafka does so, too.
#pragma once

#include <cstdint>
#include <span>

#include "broker/call.h"

namespace moldau::broker {

struct ApiEntry {
  wire::ApiKey key;
  std::int16_t min_version, max_version;
  void (*handler)(const CallPtr& call);
  bool told = true;

  bool serves(std::int16_t version) const { return version >= min_version && version <= max_version; }
};

std::span<const ApiEntry> served_apis();  // ordered by key
const ApiEntry* find_served(std::int16_t key);

}  // namespace moldau::broker
