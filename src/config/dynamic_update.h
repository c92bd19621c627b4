// May these be the dynamic settings of a broker, or of all brokers? (DynamicBrokerConfig.validateConfigs of
// Kafka.) Pure.
#pragma once

#include "base/result.h"
#include "config/values.h"

namespace moldau::config {

// For one broker, or for all of them (resource name "").
enum class Target { kOneBroker, kAllBrokers };

// `proposed` is all that would be set for the target afterwards, `current` the values of the broker that is
// asked. Every error is kInvalid; Kafka answers INVALID_REQUEST with its text:
//   "Cannot update these configs dynamically: [num.partitions]"
//   "Invalid value abc for configuration log.retention.ms: Not a number of type LONG"
Status validate_broker_update(const BrokerValues& current, Target target, const Layer& proposed);

// A name that an update of dynamic settings may carry: cluster-wide or per-broker names, replication quotas,
// and names under listener.name. Others are refused (read-only) or stored without effect (unknown).
bool is_dynamic(std::string_view name);

}  // namespace moldau::config
