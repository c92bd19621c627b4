#include "broker/telemetry.h"

#include <string>

#include "base/bytes.h"
#include "base/crc.h"

namespace moldau::broker {

std::int32_t empty_subscription_id(const Uuid& client) {
  const std::string text = "[]" + std::to_string(kTelemetryPushIntervalMs);
  std::uint32_t id = crc32c(as_bytes(text));
  // Java's Uuid#hashCode folds its 128 bits by xor to 32.
  for (std::size_t i = 0; i < client.bytes.size(); ++i)
    id ^= static_cast<std::uint32_t>(client.bytes[i]) << (24 - 8 * (i % 4));
  return static_cast<std::int32_t>(id);
}

}  // namespace moldau::broker
