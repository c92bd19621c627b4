#include "group/consumer_hash.h"

#include <gtest/gtest.h>

#include "base/check.h"
#include "metadata/delta.h"
#include "metadata/records.h"
#include "wire/gen/metadata_records.h"

namespace moldau::group {
namespace {

Uuid uuid() { return {{1, 2, 3, 4, 5, 6, 7, 8, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18}}; }

metadata::Topic make_topic(std::string name, int partitions, std::vector<BrokerId> replicas) {
  metadata::Topic topic{.name = std::move(name), .id = uuid()};
  for (int i = 0; i < partitions; ++i) {
    topic.partitions.push_back({.index = PartitionIndex{i}});
    if (i == 0) topic.partitions.back().replicas = replicas;
  }
  return topic;
}

metadata::ImagePtr image_with_racks() {
  metadata::Delta delta(metadata::Image::empty("c"));
  CHECK(delta.apply(metadata::encode_record(wire::RegisterBrokerRecord{.broker_id = 1, .rack = "rack1"})));
  CHECK(
      delta.apply(metadata::encode_record(wire::RegisterBrokerRecord{.broker_id = 2, .rack = std::nullopt})));
  return std::move(delta).finish({Offset{1}, LeaderEpoch{1}, 1}).image;
}

// What hash4j, which Kafka 4.3.1 uses, says of the same values.
TEST(ConsumerHashTest, AsKafka) {
  const auto image = image_with_racks();
  EXPECT_EQ(topic_hash(make_topic("foo", 2, {BrokerId{2}, BrokerId{1}}), *image), -7173001757571331298);
  EXPECT_EQ(topic_hash(make_topic(std::string(200, 't'), 300, {}), *image), -6975361015345517252);
}

TEST(ConsumerHashTest, GroupsWithoutTopicsHaveNone) {
  MetadataHashes hashes;
  EXPECT_EQ(hashes.group_hash({{"gone", {.by_name = 1}}}, *image_with_racks()), 0);
}

}  // namespace
}  // namespace moldau::group
