// Client telemetry (KIP-714) of a broker that has nobody to give metrics to: what a client is told when it
// asks although ApiVersions does not show the two APIs. Nothing is remembered of clients; a subscription is
// known again by its id.
#pragma once

#include <cstdint>

#include "base/uuid.h"

namespace moldau::broker {

inline constexpr std::int32_t kTelemetryPushIntervalMs = 300'000;  // client-metrics' interval.ms by default
inline constexpr std::int8_t kTelemetryCompression[] = {4, 3, 1, 2};  // zstd, lz4, gzip, snappy; 0 = none

// The id of the subscription to nothing of that client, as Kafka's ClientMetricsManager has it: the CRC-32C
// of the metrics' names as a list and the interval, here "[]300000", xor the hash that Java gives the
// client's id.
std::int32_t empty_subscription_id(const Uuid& client);

}  // namespace moldau::broker
