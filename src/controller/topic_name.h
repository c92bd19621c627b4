// Which names a topic may have. Texts are Kafka's (org.apache.kafka.common.internals.Topic). Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace moldau::controller {

inline constexpr std::size_t kMaxTopicName = 249;

// Why it may not be a topic's name: "Topic name is invalid: '..' is not allowed". nullopt: it may.
std::optional<std::string> invalid_topic_name(std::string_view name);

// Metrics write '_' for '.': a.b and a_b would be one. Topics whose names are alike in this way collide.
bool may_collide(std::string_view name);
std::string collision_key(std::string_view name);

}  // namespace moldau::controller
