// The settings in an image, as src/config wants them: what holds for a topic, and what a broker was told
// while running. Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "config/topic_config.h"
#include "config/values.h"
#include "metadata/image.h"

namespace moldau::metadata {

// Sets both dynamic layers of `values` to what the image says for all brokers and for `broker`. Returns what
// could not be used, one line each.
inline std::vector<std::string> set_dynamic_layers(config::BrokerValues& values, const Image& image,
                                                   BrokerId broker) {
  auto refused = values.set_dynamic_default(image.config(ResourceType::kBroker, ""));
  for (std::string& line :
       values.set_dynamic_broker(image.config(ResourceType::kBroker, std::to_string(broker.value))))
    refused.push_back(std::move(line));
  return refused;
}

// What holds for `topic` on a broker of `values` (its dynamic layers set).
inline config::TopicConfig resolve_topic_config(const Image& image, std::string_view topic,
                                                const config::BrokerValues& values,
                                                std::vector<std::string>* ignored = nullptr) {
  return config::resolve_topic(values, image.config(ResourceType::kTopic, topic), ignored);
}

}  // namespace moldau::metadata
