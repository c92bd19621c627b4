// What each type of metadata record does to an image. (Kafka: the replay methods of TopicsDelta, ClusterDelta
// …)
#include <algorithm>
#include <fmt/format.h>

#include "metadata/delta.h"
#include "metadata/features.h"
#include "metadata/record_values.h"
#include "metadata/records.h"
#include "wire/gen/metadata_records.h"

namespace moldau::metadata {
namespace {

std::unexpected<Error> contradiction(std::string what) {
  return fail(ErrorKind::kCorrupt, "metadata log: " + std::move(what));
}

}  // namespace

class Replay {
 public:
  explicit Replay(Delta& delta) : delta_(delta), image_(delta.next_) {}

  // --- topics and partitions

  Status operator()(const wire::TopicRecord& record) {
    if (const Topic* existing = image_.find_topic(record.name))
      return contradiction(fmt::format("topic {} is made twice, as {} and as {}", record.name,
                                       existing->id.to_string(), record.topic_id.to_string()));
    if (image_.find_topic(record.topic_id) != nullptr)
      return contradiction(fmt::format("topic id {} is given twice", record.topic_id.to_string()));
    auto topic = std::make_shared<Topic>();
    topic->name = record.name;
    topic->id = record.topic_id;
    put(std::move(topic));
    return {};
  }

  Status operator()(const wire::RemoveTopicRecord& record) {
    const TopicPtr topic = image_.topic_ptr(record.topic_id);
    if (!topic) return contradiction("topic " + record.topic_id.to_string() + " is removed, but not there");
    image_.topics_by_name_.erase(image_.edit_, topic->name);
    image_.topics_by_id_.erase(image_.edit_, topic->id);
    delta_.touched_.topics.insert(topic->id);
    delta_.touched_.open_topics.erase(topic->id);
    remove_config(Resource{ResourceType::kTopic, topic->name});
    return {};
  }

  Status operator()(const wire::PartitionRecord& record) {
    Topic* topic = open_topic(record.topic_id);
    if (topic == nullptr)
      return contradiction(fmt::format("partition {} of topic {}, which is not there", record.partition_id,
                                       record.topic_id.to_string()));
    Partition partition;
    partition.index = PartitionIndex{record.partition_id};
    partition.leader = BrokerId{record.leader};
    partition.leader_epoch = LeaderEpoch{record.leader_epoch};
    partition.partition_epoch = record.partition_epoch;
    partition.leader_recovery_state = record.leader_recovery_state;
    partition.replicas = broker_ids(record.replicas);
    partition.isr = broker_ids(record.isr);
    partition.removing_replicas = broker_ids(record.removing_replicas);
    partition.adding_replicas = broker_ids(record.adding_replicas);
    partition.eligible_leader_replicas = broker_ids(record.eligible_leader_replicas);
    partition.last_known_elr = broker_ids(record.last_known_elr);
    partition.directories = record.directories;
    TRY(fit_directories(*topic, partition));
    const auto at = std::ranges::lower_bound(topic->partitions, partition.index, {}, &Partition::index);
    if (at != topic->partitions.end() && at->index == partition.index) {
      *at = std::move(partition);
    } else {
      topic->partitions.insert(at, std::move(partition));
    }
    return {};
  }

  Status operator()(const wire::PartitionChangeRecord& record) {
    Topic* topic = open_topic(record.topic_id);
    Partition* partition =
        topic != nullptr ? const_cast<Partition*>(topic->find(PartitionIndex{record.partition_id})) : nullptr;
    if (partition == nullptr)
      return contradiction(fmt::format("partition {} of topic {} changes, but is not there",
                                       record.partition_id, record.topic_id.to_string()));
    if (record.isr) partition->isr = broker_ids(*record.isr);
    if (record.replicas) partition->replicas = broker_ids(*record.replicas);
    if (record.removing_replicas) partition->removing_replicas = broker_ids(*record.removing_replicas);
    if (record.adding_replicas) partition->adding_replicas = broker_ids(*record.adding_replicas);
    if (record.eligible_leader_replicas)
      partition->eligible_leader_replicas = broker_ids(*record.eligible_leader_replicas);
    if (record.last_known_elr) partition->last_known_elr = broker_ids(*record.last_known_elr);
    if (record.directories) partition->directories = *record.directories;
    if (record.leader_recovery_state != -1) partition->leader_recovery_state = record.leader_recovery_state;
    if (record.leader != kSameLeader) {
      partition->leader = BrokerId{record.leader};
      ++partition->leader_epoch.value;
    }
    ++partition->partition_epoch;
    return fit_directories(*topic, *partition);
  }

  Status operator()(const wire::ClearElrRecord& record) {
    std::vector<Uuid> ids;
    if (!record.topic_name.empty()) {
      const Topic* topic = image_.find_topic(record.topic_name);
      if (topic == nullptr)
        return contradiction(
            fmt::format("ELR of topic {} is cleared, but it is not there", record.topic_name));
      ids.push_back(topic->id);
    } else {
      image_.for_each_topic([&](const TopicPtr& topic) { ids.push_back(topic->id); });
    }
    for (const Uuid& id : ids) clear_elr(id);
    return {};
  }

  // --- brokers and controllers

  Status operator()(const wire::RegisterBrokerRecord& record) {
    BrokerRegistration broker;
    broker.id = BrokerId{record.broker_id};
    broker.epoch = record.broker_epoch;
    broker.incarnation_id = record.incarnation_id;
    broker.endpoints = endpoints(record.end_points);
    broker.features = features(record.features);
    if (record.rack) broker.rack = std::string(*record.rack);
    broker.fenced = record.fenced;
    broker.in_controlled_shutdown = record.in_controlled_shutdown;
    broker.is_migrating_zk_broker = record.is_migrating_zk_broker;
    broker.log_dirs = record.log_dirs;
    broker.cordoned_log_dirs = record.cordoned_log_dirs;
    put(std::move(broker));
    return {};
  }

  Status operator()(const wire::UnregisterBrokerRecord& record) {
    if (!registered(record.broker_id, record.broker_epoch))
      return unknown_broker(record.broker_id, record.broker_epoch);
    auto brokers = *image_.brokers_;
    brokers.erase(BrokerId{record.broker_id});
    image_.brokers_ = std::make_shared<const decltype(brokers)>(std::move(brokers));
    return {};
  }

  Status operator()(const wire::FenceBrokerRecord& record) {
    return set_fenced(record.id, record.epoch, true);
  }
  Status operator()(const wire::UnfenceBrokerRecord& record) {
    return set_fenced(record.id, record.epoch, false);
  }

  Status operator()(const wire::BrokerRegistrationChangeRecord& record) {
    const BrokerRegistration* before = registered(record.broker_id, record.broker_epoch);
    if (before == nullptr) return unknown_broker(record.broker_id, record.broker_epoch);
    if (record.fenced < -1 || record.fenced > 1 || record.in_controlled_shutdown < 0 ||
        record.in_controlled_shutdown > 1)
      return contradiction(
          fmt::format("broker {} changes to fenced {} and controlled shutdown {}, neither known",
                      record.broker_id, record.fenced, record.in_controlled_shutdown));
    BrokerRegistration broker = *before;
    if (record.fenced != 0) broker.fenced = record.fenced > 0;
    if (record.in_controlled_shutdown != 0) broker.in_controlled_shutdown = true;
    if (!record.log_dirs.empty()) broker.log_dirs = record.log_dirs;
    if (record.cordoned_log_dirs) broker.cordoned_log_dirs = record.cordoned_log_dirs;
    put(std::move(broker));
    return {};
  }

  Status operator()(const wire::RegisterControllerRecord& record) {
    auto controllers = *image_.controllers_;
    const BrokerId id{record.controller_id};
    controllers[id] = ControllerRegistration{id, record.incarnation_id, record.zk_migration_ready,
                                             endpoints(record.end_points), features(record.features)};
    image_.controllers_ = std::make_shared<const decltype(controllers)>(std::move(controllers));
    return {};
  }

  // --- configurations, features, producer ids

  Status operator()(const wire::ConfigRecord& record) {
    Resource resource{static_cast<ResourceType>(record.resource_type), std::string(record.resource_name)};
    auto& open = delta_.touched_.open_configs[resource];
    if (!open) open = std::make_shared<ConfigMap>(image_.config(resource.type, resource.name));
    if (record.value) {
      open->insert_or_assign(std::string(record.name), std::string(*record.value));
    } else {
      open->erase(std::string(record.name));
    }
    if (open->empty()) {
      remove_config(resource);
    } else {
      delta_.touched_.configs.insert(resource);
      image_.configs_.set(image_.edit_, std::move(resource), open);
    }
    return {};
  }

  Status operator()(const wire::FeatureLevelRecord& record) {
    if (record.name == kMetadataVersion && record.feature_level > kLatestMetadataVersion)
      return fail(
          ErrorKind::kUnsupported,
          fmt::format("metadata log: metadata.version {} was finalized, this release knows up to {} ({})",
                      record.feature_level, kLatestMetadataVersion,
                      *metadata_version_name(kLatestMetadataVersion)));
    auto finalized = *image_.features_;
    if (record.feature_level == 0) {
      finalized.erase(std::string(record.name));
    } else {
      finalized.insert_or_assign(std::string(record.name), record.feature_level);
    }
    image_.features_ = std::make_shared<const decltype(finalized)>(std::move(finalized));
    return {};
  }

  Status operator()(const wire::ProducerIdsRecord& record) {
    image_.next_producer_id_ = record.next_producer_id;
    return {};
  }

  // --- what is kept as it is

  Status operator()(const wire::ClientQuotaRecord& record) { return keep(quota_key(record), record.remove); }
  Status operator()(const wire::AccessControlEntryRecord& record) {
    return keep(kept_key(record.kKey, {as_text(record.id.bytes)}), false);
  }
  Status operator()(const wire::RemoveAccessControlEntryRecord& record) {
    return keep(kept_key(wire::AccessControlEntryRecord::kKey, {as_text(record.id.bytes)}), true);
  }
  Status operator()(const wire::UserScramCredentialRecord& record) {
    return keep(kept_key(record.kKey, {std::to_string(record.mechanism), record.name}), false);
  }
  Status operator()(const wire::RemoveUserScramCredentialRecord& record) {
    return keep(
        kept_key(wire::UserScramCredentialRecord::kKey, {std::to_string(record.mechanism), record.name}),
        true);
  }
  Status operator()(const wire::DelegationTokenRecord& record) {
    return keep(kept_key(record.kKey, {record.token_id}), false);
  }
  Status operator()(const wire::RemoveDelegationTokenRecord& record) {
    return keep(kept_key(wire::DelegationTokenRecord::kKey, {record.token_id}), true);
  }
  Status operator()(const wire::ZkMigrationStateRecord& record) {
    image_.zk_migration_state_ = record.zk_migration_state;
    return {};
  }
  Status operator()(const wire::NoOpRecord&) { return {}; }

  // --- transactions: what they hide is kept beside, and everything shared is frozen

  Status operator()(const wire::BeginTransactionRecord&) {
    if (delta_.in_transaction()) return contradiction("a transaction begins in a transaction");
    delta_.savepoint_ = std::make_unique<Image>(image_);
    freeze(image_.edit_);
    return {};
  }
  Status operator()(const wire::EndTransactionRecord&) {
    if (!delta_.in_transaction()) return contradiction("a transaction ends that never began");
    delta_.savepoint_.reset();
    return {};
  }
  Status operator()(const wire::AbortTransactionRecord&) {
    if (!delta_.in_transaction()) return contradiction("a transaction is aborted that never began");
    const Edit newest = image_.edit_;
    image_ = std::move(*delta_.savepoint_);
    delta_.savepoint_.reset();
    freeze(newest);
    return {};
  }

  Status unknown(ByteView value) {
    auto records = *image_.unknown_records_;
    records.push_back(std::make_shared<const Bytes>(value.begin(), value.end()));
    image_.unknown_records_ = std::make_shared<const decltype(records)>(std::move(records));
    delta_.touched_.kept = true;
    return {};
  }

  template <typename Record>
  Status run(const wire::MetadataRecord& frame, ByteView value) {
    const std::int16_t version = frame.header.version;
    if (version < Record::kMinVersion || version > Record::kMaxVersion)
      return fail(ErrorKind::kUnsupported,
                  fmt::format("metadata log: {} of version {}, this release knows {} to {}", Record::kName,
                              version, Record::kMinVersion, Record::kMaxVersion));
    Record record;
    wire::Reader reader(frame.body);
    if (!decode(reader, version, record)) return contradiction(reader.reason());
    value_ = value;
    return (*this)(record);
  }

 private:
  static constexpr std::int32_t kSameLeader = -2;

  void freeze(Edit newest) {
    image_.edit_ = newest + 1;
    delta_.touched_.open_topics.clear();
    delta_.touched_.open_configs.clear();
  }

  void put(std::shared_ptr<Topic> topic) {
    delta_.touched_.topics.insert(topic->id);
    delta_.touched_.open_topics[topic->id] = topic;
    image_.topics_by_name_.set(image_.edit_, topic->name, topic);
    image_.topics_by_id_.set(image_.edit_, topic->id, topic);
  }

  // A topic that may be changed in place: a copy if anybody else may hold it.
  Topic* open_topic(const Uuid& id) {
    if (const auto open = delta_.touched_.open_topics.find(id); open != delta_.touched_.open_topics.end())
      return open->second.get();
    const Topic* topic = image_.find_topic(id);
    if (topic == nullptr) return nullptr;
    put(std::make_shared<Topic>(*topic));
    return delta_.touched_.open_topics[id].get();
  }

  // Records from before directories were assigned have none.
  Status fit_directories(const Topic& topic, Partition& partition) {
    if (partition.directories.empty())
      partition.directories.assign(partition.replicas.size(), kDirectoryMigrating);
    if (partition.directories.size() == partition.replicas.size()) return {};
    return contradiction(fmt::format("{}-{} has {} replicas in {} directories", topic.name,
                                     partition.index.value, partition.replicas.size(),
                                     partition.directories.size()));
  }

  void clear_elr(const Uuid& id) {
    const auto has_elr = [](const Partition& p) {
      return !p.eligible_leader_replicas.empty() || !p.last_known_elr.empty();
    };
    if (std::ranges::none_of(image_.find_topic(id)->partitions, has_elr)) return;
    for (Partition& partition : open_topic(id)->partitions) {
      if (!has_elr(partition)) continue;
      partition.eligible_leader_replicas.clear();
      partition.last_known_elr.clear();
      ++partition.partition_epoch;
    }
  }

  const BrokerRegistration* registered(std::int32_t id, std::int64_t epoch) const {
    const BrokerRegistration* broker = image_.find_broker(BrokerId{id});
    return broker != nullptr && broker->epoch == epoch ? broker : nullptr;
  }
  std::unexpected<Error> unknown_broker(std::int32_t id, std::int64_t epoch) {
    return contradiction(
        fmt::format("broker {} changes in epoch {}, but is not registered with it", id, epoch));
  }
  Status set_fenced(std::int32_t id, std::int64_t epoch, bool fenced) {
    const BrokerRegistration* before = registered(id, epoch);
    if (before == nullptr) return unknown_broker(id, epoch);
    BrokerRegistration broker = *before;
    broker.fenced = fenced;
    put(std::move(broker));
    return {};
  }
  void put(BrokerRegistration broker) {
    auto brokers = *image_.brokers_;
    const BrokerId id = broker.id;
    brokers[id] = std::make_shared<const BrokerRegistration>(std::move(broker));
    image_.brokers_ = std::make_shared<const decltype(brokers)>(std::move(brokers));
  }

  void remove_config(const Resource& resource) {
    delta_.touched_.open_configs.erase(resource);
    image_.configs_.erase(image_.edit_, resource);
    delta_.touched_.configs.insert(resource);
  }

  Status keep(const std::string& key, bool gone) {
    delta_.touched_.kept = true;
    if (gone) {
      image_.kept_.erase(image_.edit_, key);
    } else {
      image_.kept_.set(image_.edit_, key, std::make_shared<const Bytes>(value_.begin(), value_.end()));
    }
    return {};
  }

  Delta& delta_;
  Image& image_;
  ByteView value_;
};

namespace {

// Tries the known types one after the other.
template <typename... Records>
struct KnownTypes {
  static Status dispatch(Replay& replay, const wire::MetadataRecord& frame, ByteView value) {
    Status status;
    const bool known =
        ((frame.header.type == Records::kKey && (status = replay.run<Records>(frame, value), true)) || ...);
    return known ? status : replay.unknown(value);
  }
};

using Known =
    KnownTypes<wire::PartitionRecord, wire::PartitionChangeRecord, wire::ConfigRecord, wire::TopicRecord,
               wire::RemoveTopicRecord, wire::NoOpRecord, wire::ProducerIdsRecord, wire::RegisterBrokerRecord,
               wire::BrokerRegistrationChangeRecord, wire::UnregisterBrokerRecord, wire::FenceBrokerRecord,
               wire::UnfenceBrokerRecord, wire::RegisterControllerRecord, wire::FeatureLevelRecord,
               wire::ClientQuotaRecord, wire::AccessControlEntryRecord, wire::RemoveAccessControlEntryRecord,
               wire::UserScramCredentialRecord, wire::RemoveUserScramCredentialRecord,
               wire::DelegationTokenRecord, wire::RemoveDelegationTokenRecord, wire::ZkMigrationStateRecord,
               wire::BeginTransactionRecord, wire::EndTransactionRecord, wire::AbortTransactionRecord,
               wire::ClearElrRecord>;

}  // namespace

Status Delta::apply(ByteView record) {
  wire::Reader reader(record);
  const auto frame = wire::read_metadata_record(reader);
  if (!frame) return contradiction("no metadata record: " + reader.reason());
  Replay replay(*this);
  return Known::dispatch(replay, *frame, record);
}

}  // namespace moldau::metadata
