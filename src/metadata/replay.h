// What each type of metadata record does to an image: one overload for each, in replay.cc and its neighbours.
// For src/metadata alone. (Kafka: the replay methods of TopicsDelta, ClusterDelta …)
#pragma once

#include <fmt/format.h>
#include <memory>
#include <string>
#include <utility>

#include "metadata/delta.h"
#include "metadata/record_values.h"
#include "metadata/records.h"
#include "wire/gen/metadata_records.h"

namespace moldau::metadata {

inline std::unexpected<Error> contradiction(std::string what) {
  return fail(ErrorKind::kCorrupt, "metadata log: " + std::move(what));
}

class Replay {
 public:
  explicit Replay(Delta& delta) : delta_(delta), image_(delta.next_) {}

  // --- topics and partitions (replay_topics.cc)
  Status operator()(const wire::TopicRecord& record);
  Status operator()(const wire::RemoveTopicRecord& record);
  Status operator()(const wire::PartitionRecord& record);
  Status operator()(const wire::PartitionChangeRecord& record);
  Status operator()(const wire::ClearElrRecord& record);

  // --- brokers and controllers (replay_brokers.cc)
  Status operator()(const wire::RegisterBrokerRecord& record);
  Status operator()(const wire::UnregisterBrokerRecord& record);
  Status operator()(const wire::FenceBrokerRecord& record);
  Status operator()(const wire::UnfenceBrokerRecord& record);
  Status operator()(const wire::BrokerRegistrationChangeRecord& record);
  Status operator()(const wire::RegisterControllerRecord& record);

  // --- configurations, features, producer ids
  Status operator()(const wire::ConfigRecord& record);
  Status operator()(const wire::FeatureLevelRecord& record);
  Status operator()(const wire::ProducerIdsRecord& record);

  // --- what is kept as it is
  Status operator()(const wire::ClientQuotaRecord& record);
  Status operator()(const wire::AccessControlEntryRecord& record);
  Status operator()(const wire::RemoveAccessControlEntryRecord& record);
  Status operator()(const wire::UserScramCredentialRecord& record);
  Status operator()(const wire::RemoveUserScramCredentialRecord& record);
  Status operator()(const wire::DelegationTokenRecord& record);
  Status operator()(const wire::RemoveDelegationTokenRecord& record);
  Status operator()(const wire::ZkMigrationStateRecord& record);
  Status operator()(const wire::NoOpRecord&);

  // --- transactions: what they hide is kept beside, and everything shared is frozen
  Status operator()(const wire::BeginTransactionRecord&);
  Status operator()(const wire::EndTransactionRecord&);
  Status operator()(const wire::AbortTransactionRecord&);
  Status unknown(ByteView value);

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
  void freeze(Edit newest);
  void put(std::shared_ptr<Topic> topic);
  // A topic that may be changed in place: a copy if anybody else may hold it.
  Topic* open_topic(const Uuid& id);
  // Records from before directories were assigned have none.
  Status fit_directories(const Topic& topic, Partition& partition);
  void clear_elr(const Uuid& id);
  const BrokerRegistration* registered(std::int32_t id, std::int64_t epoch) const;
  std::unexpected<Error> unknown_broker(std::int32_t id, std::int64_t epoch);
  Status set_fenced(std::int32_t id, std::int64_t epoch, bool fenced);
  void put(BrokerRegistration broker);
  void remove_config(const Resource& resource);
  Status keep(const std::string& key, bool gone);

  Delta& delta_;
  Image& image_;
  ByteView value_;
};

}  // namespace moldau::metadata
