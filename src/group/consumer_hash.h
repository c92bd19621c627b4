// The hash by which a consumer group knows whether its topics have changed: it stands in the log, so it is
// Kafka's, bit by bit (Utils.computeTopicHash, computeGroupHash, KIP-1101): XXH3 with seed 0 over
//
//   topic   int8 0 | uuid as two int64 | name | int32 partitions | for each: int32 index, then of each rack
//   of
//           its replicas, sorted: int32 length | rack
//   group   the int64 of each topic that exists, in the order of their names; 0 if none does
//
// with numbers in little endian and texts as UTF-16 units, int32 count of them behind.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "group/consumer_group.h"
#include "metadata/image.h"

namespace moldau::group {

std::int64_t topic_hash(const metadata::Topic& topic, const metadata::Image& image);

// Remembers the hashes of topics, as long as they do not change. One per machine.
class MetadataHashes {
 public:
  std::int64_t group_hash(const TopicDemands& topics, const metadata::Image& image);

 private:
  struct Known {
    metadata::TopicPtr topic;
    std::int64_t hash = 0;
  };
  std::map<std::string, Known, std::less<>> known_;
};

}  // namespace moldau::group
