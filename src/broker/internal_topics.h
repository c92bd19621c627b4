// Topics that the broker makes for itself when they are first needed.
#pragma once

#include <algorithm>

#include "broker/group/partition.h"
#include "broker/services.h"
#include "controller/requests.h"

namespace moldau::broker {

// __consumer_offsets, as offsets.topic.* say; where nobody has said how many replicas there shall be, no more
// than there are brokers, so that one broker alone needs no set-up. (Kafka: DefaultAutoTopicCreationManager.)
inline controller::NewTopic offsets_topic(const Settings& settings, const metadata::Image& image) {
  const config::BrokerConfig& config = settings.config;
  std::int16_t replicas = config.offsets_topic_replication_factor;
  if (!settings.values.given("offsets.topic.replication.factor"))
    replicas = std::min(replicas,
                        std::max<std::int16_t>(1, static_cast<std::int16_t>(image.alive_brokers().size())));
  return {.name = std::string(kOffsetsTopic),
          .num_partitions = config.offsets_topic_num_partitions,
          .replication_factor = replicas,
          .assignments = {},
          .configs = {{"cleanup.policy", "compact"},
                      {"compression.type", "producer"},
                      {"segment.bytes", std::to_string(config.offsets_topic_segment_bytes)}}};
}

}  // namespace moldau::broker
