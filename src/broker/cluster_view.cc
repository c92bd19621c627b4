#include "broker/cluster_view.h"

namespace moldau::broker {
namespace {

std::vector<std::int32_t> numbers(const std::vector<BrokerId>& ids) {
  std::vector<std::int32_t> out;
  out.reserve(ids.size());
  for (const BrokerId id : ids) out.push_back(id.value);
  return out;
}

}  // namespace

std::optional<Node> alive_node(const metadata::Image& image, BrokerId id, std::string_view listener) {
  const metadata::BrokerRegistration* broker = image.find_broker(id);
  if (broker == nullptr || broker->fenced) return std::nullopt;
  const metadata::Endpoint* endpoint = broker->endpoint(listener);
  if (endpoint == nullptr) return std::nullopt;
  return Node{.id = id.value,
              .host = endpoint->host,
              .port = endpoint->port,
              .rack = broker->rack ? std::optional<std::string_view>(*broker->rack) : std::nullopt};
}

std::vector<Node> alive_nodes(const metadata::Image& image, std::string_view listener) {
  std::vector<Node> nodes;
  for (const auto& [id, broker] : image.brokers()) {
    if (auto node = alive_node(image, id, listener)) nodes.push_back(*node);
  }
  return nodes;
}

namespace {

bool offline(const metadata::Image& image, const metadata::Partition& partition, BrokerId replica,
             std::string_view listener) {
  return !alive_node(image, replica, listener) ||
         !image.find_broker(replica)->has_online_directory(partition.directory(replica));
}

void leave_out_dead(const metadata::Image& image, std::string_view listener, PartitionView& view) {
  const auto dead = [&](std::int32_t id) { return !alive_node(image, BrokerId{id}, listener); };
  const std::size_t gone = std::erase_if(view.replicas, dead) + std::erase_if(view.isr, dead);
  if (gone > 0 && view.error == wire::ErrorCode::kNone) view.error = wire::ErrorCode::kReplicaNotAvailable;
}

}  // namespace

PartitionView view_of(const metadata::Image& image, const metadata::Partition& partition,
                      std::string_view listener, std::int16_t metadata_version) {
  PartitionView view{.index = partition.index.value,
                     .leader = partition.leader.value,
                     .leader_epoch = partition.leader_epoch.value,
                     .replicas = numbers(partition.replicas),
                     .isr = numbers(partition.isr),
                     .offline = {},
                     .eligible_leaders = numbers(partition.eligible_leader_replicas),
                     .last_known_eligible = numbers(partition.last_known_elr)};
  for (const BrokerId replica : partition.replicas) {
    if (offline(image, partition, replica, listener)) view.offline.push_back(replica.value);
  }
  if (!alive_node(image, partition.leader, listener)) {
    const bool known = image.find_broker(partition.leader) != nullptr;
    view.error = known && metadata_version >= 6 ? wire::ErrorCode::kListenerNotFound
                                                : wire::ErrorCode::kLeaderNotAvailable;
    view.leader = -1;
  }
  if (metadata_version == 0) leave_out_dead(image, listener, view);
  return view;
}

}  // namespace moldau::broker
