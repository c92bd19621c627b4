// Which partition of __consumer_offsets coordinates a group: a pure function of its name.
#pragma once

#include <cstdint>
#include <string_view>

namespace moldau::broker {

inline constexpr std::string_view kOffsetsTopic = "__consumer_offsets";

// java.lang.String#hashCode of `text`, which is UTF-8. Bytes that are no UTF-8 count as U+FFFD, one each.
std::int32_t java_hash(std::string_view text);

// REQUIRES: partitions > 0. (Kafka: GroupCoordinatorService.partitionFor.)
std::int32_t group_partition(std::string_view group, std::int32_t partitions);

}  // namespace moldau::broker
