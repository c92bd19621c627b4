// An image as the records that make it again: the content of a snapshot. (Kafka: MetadataImage#write)
#include <algorithm>

#include "metadata/features.h"
#include "metadata/image.h"
#include "metadata/records.h"
#include "wire/gen/metadata_records.h"

namespace moldau::metadata {
namespace {

std::vector<std::int32_t> numbers(const std::vector<BrokerId>& ids) {
  std::vector<std::int32_t> out;
  out.reserve(ids.size());
  for (const BrokerId id : ids) out.push_back(id.value);
  return out;
}

template <typename To>
std::vector<To> endpoints(const std::vector<Endpoint>& from) {
  std::vector<To> to(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    to[i].name = from[i].name;
    to[i].host = from[i].host;
    to[i].port = from[i].port;
    to[i].security_protocol = from[i].security_protocol;
  }
  return to;
}

template <typename To>
std::vector<To> features(const std::vector<FeatureRange>& from) {
  std::vector<To> to(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    to[i].name = from[i].name;
    to[i].min_supported_version = from[i].min;
    to[i].max_supported_version = from[i].max;
  }
  return to;
}

}  // namespace

Bytes to_record(const BrokerRegistration& broker, std::int16_t metadata_version) {
  const std::int16_t version = register_broker_record_version(metadata_version);
  wire::RegisterBrokerRecord record;
  record.broker_id = broker.id.value;
  record.is_migrating_zk_broker = broker.is_migrating_zk_broker && version >= 2;
  record.incarnation_id = broker.incarnation_id;
  record.broker_epoch = broker.epoch;
  record.end_points = endpoints<wire::RegisterBrokerRecord::BrokerEndpoint>(broker.endpoints);
  record.features = features<wire::RegisterBrokerRecord::BrokerFeature>(broker.features);
  if (broker.rack)
    record.rack = *broker.rack;
  else
    record.rack.reset();
  record.fenced = broker.fenced;
  record.in_controlled_shutdown = broker.in_controlled_shutdown && version >= 1;
  if (version >= 3) record.log_dirs = broker.log_dirs;
  if (version >= 4) record.cordoned_log_dirs = broker.cordoned_log_dirs;
  return encode_record(record, version);
}

Bytes to_record(const ControllerRegistration& controller) {
  wire::RegisterControllerRecord record;
  record.controller_id = controller.id.value;
  record.incarnation_id = controller.incarnation_id;
  record.zk_migration_ready = controller.zk_migration_ready;
  record.end_points = endpoints<wire::RegisterControllerRecord::ControllerEndpoint>(controller.endpoints);
  record.features = features<wire::RegisterControllerRecord::ControllerFeature>(controller.features);
  return encode_record(record, 0);
}

Bytes to_record(const Partition& partition, const Uuid& topic_id, std::int16_t metadata_version) {
  const std::int16_t version = partition_record_version(metadata_version);
  wire::PartitionRecord record;
  record.partition_id = partition.index.value;
  record.topic_id = topic_id;
  record.replicas = numbers(partition.replicas);
  record.isr = numbers(partition.isr);
  record.removing_replicas = numbers(partition.removing_replicas);
  record.adding_replicas = numbers(partition.adding_replicas);
  record.leader = partition.leader.value;
  record.leader_recovery_state = partition.leader_recovery_state;
  record.leader_epoch = partition.leader_epoch.value;
  record.partition_epoch = partition.partition_epoch;
  if (version >= 1) record.directories = partition.directories;
  if (version >= 2 && !partition.eligible_leader_replicas.empty())
    record.eligible_leader_replicas = numbers(partition.eligible_leader_replicas);
  if (version >= 2 && !partition.last_known_elr.empty())
    record.last_known_elr = numbers(partition.last_known_elr);
  return encode_record(record, version);
}

Bytes config_record(const Resource& resource, std::string_view name, std::optional<std::string_view> value) {
  wire::ConfigRecord record;
  record.resource_type = static_cast<std::int8_t>(resource.type);
  record.resource_name = resource.name;
  record.name = name;
  record.value = value;
  return encode_record(record, 0);
}

Bytes feature_record(std::string_view name, std::int16_t level) {
  wire::FeatureLevelRecord record;
  record.name = name;
  record.feature_level = level;
  return encode_record(record, 0);
}

std::vector<Bytes> Image::to_records() const {
  std::vector<Bytes> records;
  const std::int16_t version = metadata_version();
  // metadata.version leads: a reader must know it before anything else.
  if (version > 0) records.push_back(feature_record(kMetadataVersion, version));
  for (const auto& [name, level] : *features_)
    if (name != kMetadataVersion) records.push_back(feature_record(name, level));
  if (zk_migration_state_) {
    wire::ZkMigrationStateRecord state;
    state.zk_migration_state = *zk_migration_state_;
    records.push_back(encode_record(state, 0));
  }
  for (const auto& [id, broker] : *brokers_) records.push_back(to_record(*broker, version));
  if (controller_registration_supported(version))
    for (const auto& [id, controller] : *controllers_) records.push_back(to_record(controller));
  for (const TopicPtr& topic : topics_sorted()) {
    wire::TopicRecord record;
    record.name = topic->name;
    record.topic_id = topic->id;
    records.push_back(encode_record(record, 0));
    for (const Partition& partition : topic->partitions)
      records.push_back(to_record(partition, topic->id, version));
  }
  for (const Resource& resource : configured_resources())
    for (const auto& [name, value] : config(resource.type, resource.name))
      records.push_back(config_record(resource, name, value));
  if (next_producer_id_ > 0) {
    wire::ProducerIdsRecord record;
    record.broker_id = -1;
    record.next_producer_id = next_producer_id_;
    records.push_back(encode_record(record, 0));
  }
  for (const KeptRecord& kept : kept_records()) records.push_back(*kept);
  for (const KeptRecord& unknown : *unknown_records_) records.push_back(*unknown);
  return records;
}

}  // namespace moldau::metadata
