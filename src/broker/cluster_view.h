// The cluster as a client of one listener sees it: who can be reached where, and the error codes of what
// cannot. (Kafka: KRaftMetadataCache.)
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "metadata/image.h"
#include "wire/errors.h"

namespace moldau::broker {

struct Node {
  std::int32_t id = -1;
  std::string_view host;
  std::int32_t port = -1;
  std::optional<std::string_view> rack;
};

// Brokers that are alive and have this listener, by id. Views into `image`.
std::vector<Node> alive_nodes(const metadata::Image& image, std::string_view listener);
std::optional<Node> alive_node(const metadata::Image& image, BrokerId id, std::string_view listener);

// One partition as Metadata and DescribeTopicPartitions tell it. Replicas are offline that cannot be reached,
// or whose log directory has failed. `metadata_version` (of the request) decides how: version 0 names the
// living only, and says REPLICA_NOT_AVAILABLE; LISTENER_NOT_FOUND is known since version 6.
struct PartitionView {
  wire::ErrorCode error = wire::ErrorCode::kNone;
  std::int32_t index = 0;
  std::int32_t leader = -1;
  std::int32_t leader_epoch = -1;
  std::vector<std::int32_t> replicas, isr, offline, eligible_leaders, last_known_eligible;
};
PartitionView view_of(const metadata::Image& image, const metadata::Partition& partition,
                      std::string_view listener, std::int16_t metadata_version);
// What the partitions of Metadata and DescribeTopicPartitions have in common.
template <typename Partition>
void put(PartitionView&& view, Partition& out) {
  out.partition_index = view.index;
  out.leader_id = view.leader;
  out.leader_epoch = view.leader_epoch;
  out.replica_nodes = std::move(view.replicas);
  out.isr_nodes = std::move(view.isr);
  out.offline_replicas = std::move(view.offline);
}

// Bit n set: operation n is allowed; what an authorizer-less broker tells
// (org.apache.kafka.common.acl.AclOperation).
inline constexpr std::int32_t kTopicOperations =
    (1 << 3) | (1 << 4) | (1 << 5) | (1 << 6) | (1 << 7) | (1 << 8) | (1 << 10) | (1 << 11);
inline constexpr std::int32_t kClusterOperations =
    (1 << 5) | (1 << 7) | (1 << 8) | (1 << 9) | (1 << 10) | (1 << 11) | (1 << 12);
inline constexpr std::int32_t kGroupOperations = (1 << 3) | (1 << 6) | (1 << 8) | (1 << 10) | (1 << 11);
inline constexpr std::int32_t kOperationsNotAsked = INT32_MIN;

}  // namespace moldau::broker
