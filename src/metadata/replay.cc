#include "metadata/replay.h"

#include "metadata/features.h"

namespace moldau::metadata {

Status Replay::operator()(const wire::ConfigRecord& record) {
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

Status Replay::operator()(const wire::FeatureLevelRecord& record) {
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

Status Replay::operator()(const wire::ProducerIdsRecord& record) {
  image_.next_producer_id_ = record.next_producer_id;
  return {};
}

void Replay::remove_config(const Resource& resource) {
  delta_.touched_.open_configs.erase(resource);
  image_.configs_.erase(image_.edit_, resource);
  delta_.touched_.configs.insert(resource);
}

Status Replay::operator()(const wire::ClientQuotaRecord& record) {
  return keep(quota_key(record), record.remove);
}
Status Replay::operator()(const wire::AccessControlEntryRecord& record) {
  return keep(kept_key(record.kKey, {as_text(record.id.bytes)}), false);
}

Status Replay::operator()(const wire::RemoveAccessControlEntryRecord& record) {
  return keep(kept_key(wire::AccessControlEntryRecord::kKey, {as_text(record.id.bytes)}), true);
}

Status Replay::operator()(const wire::UserScramCredentialRecord& record) {
  return keep(kept_key(record.kKey, {std::to_string(record.mechanism), record.name}), false);
}

Status Replay::operator()(const wire::RemoveUserScramCredentialRecord& record) {
  return keep(
      kept_key(wire::UserScramCredentialRecord::kKey, {std::to_string(record.mechanism), record.name}), true);
}

Status Replay::operator()(const wire::DelegationTokenRecord& record) {
  return keep(kept_key(record.kKey, {record.token_id}), false);
}

Status Replay::operator()(const wire::RemoveDelegationTokenRecord& record) {
  return keep(kept_key(wire::DelegationTokenRecord::kKey, {record.token_id}), true);
}

Status Replay::operator()(const wire::ZkMigrationStateRecord& record) {
  image_.zk_migration_state_ = record.zk_migration_state;
  return {};
}

Status Replay::operator()(const wire::NoOpRecord&) { return {}; }

Status Replay::keep(const std::string& key, bool gone) {
  delta_.touched_.kept = true;
  if (gone) {
    image_.kept_.erase(image_.edit_, key);
  } else {
    image_.kept_.set(image_.edit_, key, std::make_shared<const Bytes>(value_.begin(), value_.end()));
  }
  return {};
}

Status Replay::operator()(const wire::BeginTransactionRecord&) {
  if (delta_.in_transaction()) return contradiction("a transaction begins in a transaction");
  delta_.savepoint_ = std::make_unique<Image>(image_);
  freeze(image_.edit_);
  return {};
}

Status Replay::operator()(const wire::EndTransactionRecord&) {
  if (!delta_.in_transaction()) return contradiction("a transaction ends that never began");
  delta_.savepoint_.reset();
  return {};
}

Status Replay::operator()(const wire::AbortTransactionRecord&) {
  if (!delta_.in_transaction()) return contradiction("a transaction is aborted that never began");
  const Edit newest = image_.edit_;
  image_ = std::move(*delta_.savepoint_);
  delta_.savepoint_.reset();
  freeze(newest);
  return {};
}

Status Replay::unknown(ByteView value) {
  auto records = *image_.unknown_records_;
  records.push_back(std::make_shared<const Bytes>(value.begin(), value.end()));
  image_.unknown_records_ = std::make_shared<const decltype(records)>(std::move(records));
  delta_.touched_.kept = true;
  return {};
}

void Replay::freeze(Edit newest) {
  image_.edit_ = newest + 1;
  delta_.touched_.open_topics.clear();
  delta_.touched_.open_configs.clear();
}

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
