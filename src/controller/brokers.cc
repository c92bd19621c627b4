// Brokers: registered, unfenced, stopped, gone; their directories; producer ids. (Kafka:
// ClusterControlManager, ReplicationControlManager, ProducerIdControlManager)
//
//   (none) ──register──▶ fenced ──heartbeat, caught up──▶ alive ──heartbeat, want_shut_down──▶ fenced
//                          ▲                                │                                    │
//                          └──────────── register (a new incarnation) ◀──────────────────────────┘
#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "controller/controller.h"
#include "controller/decision.h"
#include "metadata/features.h"
#include "metadata/records.h"
#include "wire/gen/metadata_records.h"

namespace moldau::controller {
namespace {

using metadata::BrokerRegistration;
using metadata::Partition;
using metadata::Topic;

constexpr std::int32_t kProducerIdBlock = 1000;

bool contains(const std::vector<BrokerId>& brokers, BrokerId id) {
  return std::ranges::find(brokers, id) != brokers.end();
}

// visit(topic, partition) for those with a replica on `broker`, sorted, so the records are the same each
// time.
template <typename F>
void for_each_replica(const metadata::Image& image, BrokerId broker, F&& visit) {
  for (const metadata::TopicPtr& topic : image.topics_sorted())
    for (const Partition& partition : topic->partitions)
      if (contains(partition.replicas, broker)) visit(*topic, partition);
}

std::optional<ApiError> refuse_epoch(const metadata::Image& image, BrokerId id, std::int64_t epoch) {
  const BrokerRegistration* broker = image.find_broker(id);
  if (broker == nullptr)
    return api_error(ErrorCode::kStaleBrokerEpoch,
                     fmt::format("No broker registration found for broker id {}", id.value));
  if (broker->epoch != epoch)
    return api_error(ErrorCode::kStaleBrokerEpoch,
                     fmt::format("Expected broker epoch {}, but got broker epoch {}", broker->epoch, epoch));
  return std::nullopt;
}

std::optional<ApiError> refuse_directories(const metadata::Image& image, const RegisterBroker& request) {
  const auto refuse = [](std::string why) {
    return api_error(ErrorCode::kInvalidRegistration, std::move(why));
  };
  if (request.log_dirs.empty()) return refuse("No directories specified in request");
  std::set<Uuid> seen;
  for (const Uuid& dir : request.log_dirs) {
    const bool reserved = std::all_of(dir.bytes.begin(), dir.bytes.end() - 1, [](auto b) { return b == 0; });
    if (reserved && dir.bytes.back() < 100) return refuse("Reserved directory ID in request");
    if (!seen.insert(dir).second) return refuse("Duplicate directory ID in request");
    for (const auto& [id, broker] : image.brokers())
      if (id != request.id && std::ranges::find(broker->log_dirs, dir) != broker->log_dirs.end())
        return refuse(
            fmt::format("Broker {} is already registered with directory {}", id.value, dir.to_string()));
  }
  return std::nullopt;
}

// Every finalized feature must lie within what the broker can.
std::optional<ApiError> refuse_features(const metadata::Image& image,
                                        const std::vector<FeatureRange>& features) {
  for (const auto& [name, level] : image.features()) {
    const auto found = std::ranges::find(features, name, &FeatureRange::name);
    const FeatureRange range = found != features.end() ? *found : FeatureRange{name, 0, 0};
    if (level >= range.min && level <= range.max) continue;
    return api_error(
        ErrorCode::kUnsupportedVersion,
        fmt::format("Unable to register because the broker does not support finalized version {} of {}. "
                    "The broker wants a version between {} and {}, inclusive.",
                    level, name, range.min, range.max));
  }
  return std::nullopt;
}

// After a stop that was not clean the broker may have lost what was not yet on disk: whoever it led gets a
// new leader epoch, so that readers notice (KIP-320).
void clean_up_after_crash(Decision& decision, BrokerId broker) {
  for_each_replica(decision.image, broker, [&](const Topic& topic, const Partition& partition) {
    PartitionChange change = decision.change(topic, partition);
    change.acceptable = [&](BrokerId id) { return id != broker && decision.may_lead(partition, id); };
    // Where it was not the only one in sync, the others go on without it.
    if (partition.isr.size() > 1) std::erase(change.target_isr, broker);
    if (partition.isr.size() > 1) change.unclean_shutdown = {broker};
    if (contains(partition.isr, broker) || partition.leader == broker) decision.add(change);
  });
}

void elect_where_leaderless(Decision& decision, BrokerId unfenced) {
  for_each_replica(decision.image, unfenced, [&](const Topic& topic, const Partition& partition) {
    if (partition.leader != kNoBroker) return;
    PartitionChange change = decision.change(topic, partition);
    change.acceptable = [&](BrokerId id) {
      return (id == unfenced || decision.active(id)) && decision.reachable(partition, id);
    };
    if (decision.unclean_election(topic.name)) change.election = Election::kUnclean;
    decision.add(change);
  });
}

// Leadership moves to those that stay. Where nobody else is in sync the broker keeps it: it alone has the
// data, and leads again when it comes back.
void hand_over(Decision& decision, BrokerId leaving) {
  for_each_replica(decision.image, leaving, [&](const Topic& topic, const Partition& partition) {
    const bool others = std::ranges::any_of(
        partition.isr, [&](BrokerId id) { return id != leaving && decision.may_lead(partition, id); });
    if (!others || !contains(partition.isr, leaving)) return;
    PartitionChange change = decision.change(topic, partition);
    change.acceptable = [&](BrokerId id) { return id != leaving && decision.may_lead(partition, id); };
    std::erase(change.target_isr, leaving);
    decision.add(change);
  });
}

Bytes fencing_record(const BrokerRegistration& broker, bool fence) {
  wire::BrokerRegistrationChangeRecord record;
  record.broker_id = broker.id.value;
  record.broker_epoch = broker.epoch;
  record.fenced = fence ? 1 : -1;
  return metadata::encode_record(record, 0);
}

// Out of the ISR, and leading no more. Nothing is lost by that: it stays eligible (ELR), or, where that is
// not known, the last of the ISR.
PartitionChange without(const Decision& decision, const Topic& topic, const Partition& partition,
                        BrokerId broker) {
  PartitionChange change = decision.change(topic, partition);
  change.acceptable = [&decision, &partition, broker](BrokerId id) {
    return id != broker && decision.may_lead(partition, id);
  };
  std::erase(change.target_isr, broker);
  return change;
}

// A failed directory comes back with the broker's next start only. (Kafka: handleDirectoriesOffline)
void directories_failed(Decision& decision, const BrokerRegistration& broker,
                        const std::vector<Uuid>& offline) {
  std::vector<Uuid> online;
  std::set<Uuid> failed;
  for (const Uuid& dir : broker.log_dirs) {
    if (std::ranges::find(offline, dir) == offline.end()) {
      online.push_back(dir);
    } else {
      failed.insert(dir);
    }
  }
  // A broker without any directory stops; that is its own affair.
  if (failed.empty() || online.empty()) return;
  wire::BrokerRegistrationChangeRecord record;
  record.broker_id = broker.id.value;
  record.broker_epoch = broker.epoch;
  record.log_dirs = online;
  decision.records.push_back(metadata::encode_record(record, 2));
  for_each_replica(decision.image, broker.id, [&](const Topic& topic, const Partition& partition) {
    if (!failed.contains(partition.directory(broker.id))) return;
    decision.add(without(decision, topic, partition, broker.id));
  });
}

// Who leads goes on, unless it was told too late and the directory has failed meanwhile.
void assign(Decision& decision, const Topic& topic, const Partition& partition, BrokerId broker,
            const Uuid& directory) {
  const bool works = decision.image.find_broker(broker)->has_online_directory(directory);
  PartitionChange change =
      works ? decision.change(topic, partition) : without(decision, topic, partition, broker);
  if (works)
    change.acceptable = [&](BrokerId id) {
      return id == partition.leader ||
             (id == broker ? decision.active(id) : decision.may_lead(partition, id));
    };
  change.directories = partition.directories;
  const auto at = std::ranges::find(partition.replicas, broker) - partition.replicas.begin();
  (*change.directories)[static_cast<std::size_t>(at)] = directory;
  decision.add(change);
}

}  // namespace

Outcome<RegisterBrokerReply> Controller::handle(const RegisterBroker& request, env::Instant,
                                                env::Random&) const {
  Decision decision(*image_, values_, options_);
  Outcome<RegisterBrokerReply> outcome;
  const auto refuse = [&](ApiError error) { return outcome.reply.error = std::move(error), outcome; };
  if (request.cluster_id != image_->cluster_id())
    return refuse(api_error(ErrorCode::kInconsistentClusterId,
                            fmt::format("Expected cluster ID {}, but got cluster ID {}", image_->cluster_id(),
                                        request.cluster_id)));
  if (metadata::directories_supported(decision.metadata_version()))
    if (auto refused = refuse_directories(*image_, request)) return refuse(std::move(*refused));
  if (auto refused = refuse_features(*image_, request.features)) return refuse(std::move(*refused));

  const BrokerRegistration* existing = image_->find_broker(request.id);
  BrokerRegistration broker;
  broker.id = request.id;
  broker.incarnation_id = request.incarnation_id;
  broker.endpoints = request.endpoints;
  broker.features = request.features;
  broker.rack = request.rack;
  broker.log_dirs = request.log_dirs;
  if (existing != nullptr && existing->incarnation_id == request.incarnation_id) {
    broker.epoch = existing->epoch;
    broker.fenced = existing->fenced;
    broker.in_controlled_shutdown = existing->in_controlled_shutdown;
  } else {
    broker.epoch = image_->provenance().last_offset.value + 1;
    if (existing != nullptr && existing->epoch != request.previous_broker_epoch)
      clean_up_after_crash(decision, request.id);
  }
  decision.records.push_back(metadata::to_record(broker, decision.metadata_version()));
  outcome.reply.broker_epoch = broker.epoch;
  outcome.records = std::move(decision.records);
  return outcome;
}

Outcome<BrokerHeartbeatReply> Controller::handle(const BrokerHeartbeat& request, env::Instant,
                                                 env::Random&) const {
  Decision decision(*image_, values_, options_);
  Outcome<BrokerHeartbeatReply> outcome;
  BrokerHeartbeatReply& reply = outcome.reply;
  if (auto refused = refuse_epoch(*image_, request.id, request.broker_epoch)) {
    reply.error = refused->code;
    return outcome;
  }
  const BrokerRegistration& broker = *image_->find_broker(request.id);
  reply.caught_up = request.current_metadata_offset.value >= broker.epoch;
  reply.fenced = broker.fenced;
  if (request.want_shut_down || request.want_fence) {
    reply.should_shut_down = request.want_shut_down;
    if (!broker.fenced) {
      hand_over(decision, request.id);
      decision.records.push_back(fencing_record(broker, true));
    }
    reply.fenced = true;
  } else if (broker.fenced && reply.caught_up) {
    decision.records.push_back(fencing_record(broker, false));
    elect_where_leaderless(decision, request.id);
    reply.fenced = false;
  }
  if (metadata::directories_supported(decision.metadata_version()))
    directories_failed(decision, broker, request.offline_log_dirs);
  outcome.records = std::move(decision.records);
  return outcome;
}

Outcome<UnregisterBrokerReply> Controller::handle(const UnregisterBroker& request, env::Instant,
                                                  env::Random&) const {
  Outcome<UnregisterBrokerReply> outcome;
  const BrokerRegistration* broker = image_->find_broker(request.id);
  if (broker == nullptr) {
    outcome.reply.error =
        api_error(ErrorCode::kBrokerIdNotRegistered,
                  fmt::format("Broker ID {} is not currently registered", request.id.value));
    return outcome;
  }
  Decision decision(*image_, values_, options_);
  for_each_replica(*image_, request.id, [&](const Topic& topic, const Partition& partition) {
    PartitionChange change = decision.change(topic, partition);
    change.acceptable = [&](BrokerId id) { return id != request.id && decision.may_lead(partition, id); };
    if (partition.isr.size() > 1) std::erase(change.target_isr, request.id);
    decision.add(change);
  });
  wire::UnregisterBrokerRecord record;
  record.broker_id = request.id.value;
  record.broker_epoch = broker->epoch;
  decision.records.push_back(metadata::encode_record(record, 0));
  outcome.records = std::move(decision.records);
  return outcome;
}

Outcome<AssignReplicasToDirsReply> Controller::handle(const AssignReplicasToDirs& request, env::Instant,
                                                      env::Random&) const {
  Decision decision(*image_, values_, options_);
  Outcome<AssignReplicasToDirsReply> outcome;
  if (auto refused = refuse_epoch(*image_, request.broker, request.broker_epoch)) {
    outcome.reply.error = refused->code;
    return outcome;
  }
  for (const auto& asked : request.partitions) {
    const Topic* topic = image_->find_topic(asked.topic_id);
    const Partition* partition = topic != nullptr ? topic->find(asked.partition) : nullptr;
    ErrorCode error = ErrorCode::kNone;
    if (topic == nullptr) {
      error = ErrorCode::kUnknownTopicId;
    } else if (partition == nullptr) {
      error = ErrorCode::kUnknownTopicOrPartition;
    } else if (!contains(partition->replicas, request.broker)) {
      error = ErrorCode::kNotLeaderOrFollower;
    } else {
      assign(decision, *topic, *partition, request.broker, asked.directory_id);
    }
    outcome.reply.partitions.push_back({asked.directory_id, asked.topic_id, asked.partition, error});
  }
  outcome.records = std::move(decision.records);
  return outcome;
}

Outcome<RegisterController::Reply> Controller::handle(const RegisterController& request, env::Instant,
                                                      env::Random&) const {
  Outcome<RegisterController::Reply> outcome;
  if (!metadata::controller_registration_supported(image_->metadata_version())) {
    outcome.reply.error =
        api_error(ErrorCode::kUnsupportedVersion,
                  "The current MetadataVersion is too old to support controller registrations.");
    return outcome;
  }
  outcome.records.push_back(metadata::to_record(metadata::ControllerRegistration{
      request.id, request.incarnation_id, false, request.endpoints, request.features}));
  return outcome;
}

Outcome<AllocateProducerIdsReply> Controller::handle(const AllocateProducerIds& request, env::Instant,
                                                     env::Random&) const {
  Outcome<AllocateProducerIdsReply> outcome;
  if (auto refused = refuse_epoch(*image_, request.broker, request.broker_epoch)) {
    outcome.reply.error = refused->code;
    return outcome;
  }
  const std::int64_t first = image_->next_producer_id();
  if (first > INT64_MAX - kProducerIdBlock) {
    outcome.reply.error = ErrorCode::kUnknownServerError;
    return outcome;
  }
  wire::ProducerIdsRecord record;
  record.broker_id = request.broker.value;
  record.broker_epoch = request.broker_epoch;
  record.next_producer_id = first + kProducerIdBlock;
  outcome.records.push_back(metadata::encode_record(record, 0));
  outcome.reply.first = first;
  outcome.reply.count = kProducerIdBlock;
  return outcome;
}

}  // namespace moldau::controller
