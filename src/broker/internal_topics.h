// Topics that the broker makes for itself when they are first needed.
#pragma once

#include "broker/group_partition.h"
#include "broker/services.h"
#include "controller/requests.h"

namespace moldau::broker {

// __consumer_offsets, as offsets.topic.* say. (Kafka: DefaultAutoTopicCreationManager.)
inline controller::NewTopic offsets_topic(const config::BrokerConfig& config) {
  return {.name = std::string(kOffsetsTopic),
          .num_partitions = config.offsets_topic_num_partitions,
          .replication_factor = config.offsets_topic_replication_factor,
          .assignments = {},
          .configs = {{"cleanup.policy", "compact"},
                      {"compression.type", "producer"},
                      {"segment.bytes", std::to_string(config.offsets_topic_segment_bytes)}}};
}

}  // namespace moldau::broker
