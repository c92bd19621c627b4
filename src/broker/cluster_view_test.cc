#include "broker/cluster_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metadata/delta.h"
#include "metadata/features.h"
#include "metadata/records.h"
#include "wire/gen/metadata_records.h"

namespace moldau::broker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using wire::ErrorCode;

constexpr BrokerId kAlive{1}, kDead{2};
constexpr std::int16_t kNewest = 13;

Uuid uuid(std::uint8_t first) {
  Uuid id;
  id.bytes[0] = first;
  id.bytes[15] = 200;
  return id;
}

Bytes broker(BrokerId id, bool fenced) {
  metadata::BrokerRegistration registration{.id = id, .epoch = id.value};
  registration.endpoints = {{"PLAINTEXT", "h", 9092, 0}};
  registration.fenced = fenced;
  registration.log_dirs = {uuid(51), uuid(52)};
  return metadata::to_record(registration, metadata::kLatestMetadataVersion);
}

metadata::ImagePtr two_brokers() {
  metadata::Delta delta(metadata::Image::empty("c"));
  EXPECT_TRUE(delta.apply(broker(kAlive, false)));
  EXPECT_TRUE(delta.apply(broker(kDead, true)));
  return std::move(delta).finish({Offset{10}, LeaderEpoch{1}, 0}).image;
}

metadata::Partition partition(BrokerId leader, const Uuid& directory) {
  metadata::Partition p{.index = PartitionIndex{0}, .leader = leader, .leader_epoch = LeaderEpoch{3}};
  p.replicas = {kAlive};
  p.isr = {kAlive};
  p.directories = {directory};
  return p;
}

TEST(ClusterView, AReplicaInAFailedDirectoryIsOffline) {
  const auto image = two_brokers();
  EXPECT_THAT(view_of(*image, partition(kAlive, uuid(51)), "PLAINTEXT", kNewest).offline, IsEmpty());
  EXPECT_THAT(
      view_of(*image, partition(kAlive, metadata::kDirectoryUnassigned), "PLAINTEXT", kNewest).offline,
      IsEmpty());
  const auto failed = view_of(*image, partition(kNoBroker, uuid(53)), "PLAINTEXT", kNewest);
  EXPECT_THAT(failed.offline, ElementsAre(1));
  EXPECT_EQ(failed.error, ErrorCode::kLeaderNotAvailable);
  EXPECT_EQ(failed.leader, -1);
  EXPECT_EQ(failed.leader_epoch, 3);
}

TEST(ClusterView, AMissingListenerIsToldToThoseWhoKnowTheError) {
  const auto image = two_brokers();
  const auto p = partition(kAlive, uuid(51));
  EXPECT_EQ(view_of(*image, p, "OTHER", 6).error, ErrorCode::kListenerNotFound);
  EXPECT_EQ(view_of(*image, p, "OTHER", 5).error, ErrorCode::kLeaderNotAvailable);
  EXPECT_THAT(view_of(*image, p, "OTHER", 5).offline, ElementsAre(1));
}

TEST(ClusterView, TheFirstVersionNamesTheLivingOnly) {
  const auto image = two_brokers();
  auto p = partition(kAlive, uuid(51));
  p.replicas.push_back(kDead);
  p.directories.push_back(uuid(51));
  const auto old = view_of(*image, p, "PLAINTEXT", 0), later = view_of(*image, p, "PLAINTEXT", 1);
  EXPECT_EQ(old.error, ErrorCode::kReplicaNotAvailable);
  EXPECT_THAT(old.replicas, ElementsAre(1));
  EXPECT_EQ(later.error, ErrorCode::kNone);
  EXPECT_THAT(later.replicas, ElementsAre(1, 2));
  EXPECT_THAT(later.offline, ElementsAre(2));
}

}  // namespace
}  // namespace moldau::broker
