// The image of the cluster: what all metadata records up to an offset amount to. Topics, partitions, brokers,
// configurations, features, producer ids, and, kept as records until somebody reads them, everything else.
// Always holds: an Image never changes; images share what did not change between them; a pointer into one is
// good while its ImagePtr is held. A new one is made by a Delta (delta.h). Any thread may read.
// (Kafka: org.apache.kafka.image.MetadataImage.)
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "metadata/persistent_map.h"

namespace moldau::metadata {

// What a replica's directory may be instead of a directory's id (KIP-858, DirectoryId).
inline constexpr Uuid kDirectoryMigrating{};
inline constexpr Uuid kDirectoryUnassigned{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
inline constexpr Uuid kDirectoryLost{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}};

// Always holds: `directories` is as long as `replicas`, in the same order.
struct Partition {
  PartitionIndex index;
  BrokerId leader = kNoBroker;
  LeaderEpoch leader_epoch{0};
  std::int32_t partition_epoch = 0;       // counts every change of this struct
  std::int8_t leader_recovery_state = 0;  // 0 recovered, 1 recovering after an unclean election
  std::vector<BrokerId> replicas{}, isr{}, removing_replicas{}, adding_replicas{};
  std::vector<BrokerId> eligible_leader_replicas{}, last_known_elr{};  // KIP-966
  std::vector<Uuid> directories{};                                     // of the replicas, in their order

  // Where the replica on `broker` lies. REQUIRES: it has one.
  const Uuid& directory(BrokerId broker) const;
  bool operator==(const Partition&) const = default;
};

// Always holds: partitions are sorted by index (0, 1, 2 … unless the log has gaps).
struct Topic {
  std::string name;
  Uuid id;
  std::vector<Partition> partitions{};

  const Partition* find(PartitionIndex index) const;
  bool operator==(const Topic&) const = default;
};
using TopicPtr = std::shared_ptr<const Topic>;

struct Endpoint {
  std::string name;  // of the listener: "PLAINTEXT"
  std::string host;
  std::uint16_t port = 0;
  std::int16_t security_protocol = 0;  // 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL

  bool operator==(const Endpoint&) const = default;
};

struct FeatureRange {
  std::string name;
  std::int16_t min = 0, max = 0;

  bool operator==(const FeatureRange&) const = default;
};

struct BrokerRegistration {
  BrokerId id;
  std::int64_t epoch = -1;  // the offset of its registration, about
  Uuid incarnation_id{};
  std::vector<Endpoint> endpoints{};
  std::vector<FeatureRange> features{};
  std::optional<std::string> rack{};
  bool fenced = true;  // not (yet) seen alive: no leader, not told to clients
  bool in_controlled_shutdown = false;
  bool is_migrating_zk_broker = false;
  std::vector<Uuid> log_dirs{};
  std::optional<std::vector<Uuid>> cordoned_log_dirs{};

  const Endpoint* endpoint(std::string_view listener) const;
  // Whether a replica there can be served. Unassigned ones can; without a list nobody knows, and they can,
  // too (org.apache.kafka.common.DirectoryId#isOnline).
  bool has_online_directory(const Uuid& directory) const;
  bool operator==(const BrokerRegistration&) const = default;
};
using BrokerPtr = std::shared_ptr<const BrokerRegistration>;

struct ControllerRegistration {
  BrokerId id;
  Uuid incarnation_id{};
  bool zk_migration_ready = false;
  std::vector<Endpoint> endpoints{};
  std::vector<FeatureRange> features{};

  bool operator==(const ControllerRegistration&) const = default;
};

// Numbers as in ConfigRecord and in the requests that name resources.
enum class ResourceType : std::int8_t {
  kTopic = 2,
  kBroker = 4,  // name "" = the default of all brokers
  kBrokerLogger = 8,
  kClientMetrics = 16,
  kGroup = 32,
};

struct Resource {
  ResourceType type{};
  std::string name;

  auto operator<=>(const Resource&) const = default;
};

// What was set for one resource, by name.
using ConfigMap = std::map<std::string, std::string, std::less<>>;

// A record kept as it came, with its framing.
using KeptRecord = std::shared_ptr<const Bytes>;

// How far a log has been read: the last record's offset, its epoch, its batch's time in ms (-1 of nothing).
struct Provenance {
  Offset last_offset = kNoOffset;
  LeaderEpoch epoch{0};
  std::int64_t timestamp_ms = -1;

  bool operator==(const Provenance&) const = default;
};

class Image;
using ImagePtr = std::shared_ptr<const Image>;

class Image {
 public:
  // The image before the first record. `cluster_id` comes from meta.properties; no record tells it.
  static ImagePtr empty(std::string cluster_id);

  const std::string& cluster_id() const { return cluster_id_; }
  const Provenance& provenance() const { return provenance_; }

  // Topics. nullptr if there is none.
  const Topic* find_topic(std::string_view name) const { return raw(topics_by_name_.find(name)); }
  const Topic* find_topic(const Uuid& id) const { return raw(topics_by_id_.find(id)); }
  TopicPtr topic_ptr(const Uuid& id) const { return value_or_null(topics_by_id_.find(id)); }
  const Partition* find_partition(std::string_view topic, PartitionIndex index) const;
  std::size_t topic_count() const { return topics_by_id_.size(); }
  // Sorted by name. O(n log n): keep the result as long as the image where it is wanted often.
  std::vector<TopicPtr> topics_sorted() const;
  template <typename F>  // visit(const TopicPtr&), in no particular order
  void for_each_topic(F&& visit) const {
    topics_by_id_.for_each([&](const Uuid&, const TopicPtr& topic) { visit(topic); });
  }

  // Brokers and controllers that are registered, by id.
  const std::map<BrokerId, BrokerPtr>& brokers() const { return *brokers_; }
  const BrokerRegistration* find_broker(BrokerId id) const;
  // The brokers that clients may be told of: registered and not fenced.
  std::vector<BrokerPtr> alive_brokers() const;
  const std::map<BrokerId, ControllerRegistration>& controllers() const { return *controllers_; }

  // What was set for a resource; an empty map if nothing was.
  const ConfigMap& config(ResourceType type, std::string_view name) const;
  // Every resource with something set, sorted.
  std::vector<Resource> configured_resources() const;

  // Finalized features by name, without those at level 0. metadata.version is among them.
  const std::map<std::string, std::int16_t, std::less<>>& features() const { return *features_; }
  std::int16_t feature(std::string_view name) const;  // 0 if not finalized
  std::int16_t metadata_version() const { return feature("metadata.version"); }

  // The first producer id that was given to nobody.
  std::int64_t next_producer_id() const { return next_producer_id_; }

  // Client quotas, ACLs, SCRAM credentials, delegation tokens: the newest record of each, sorted by type and
  // key.
  std::vector<KeptRecord> kept_records() const;
  // Records of types that are not known here, in the order in which they came.
  const std::vector<KeptRecord>& unknown_records() const { return *unknown_records_; }

  // The records that make this image from the empty one, as values with framing, in Kafka's order for
  // snapshots.
  std::vector<Bytes> to_records() const;

 private:
  friend class Delta;
  friend class Replay;

  template <typename T>
  static const T* raw(const std::shared_ptr<const T>* found) {
    return found == nullptr ? nullptr : found->get();
  }
  template <typename T>
  static std::shared_ptr<const T> value_or_null(const std::shared_ptr<const T>* found) {
    return found == nullptr ? nullptr : *found;
  }

  using ConfigPtr = std::shared_ptr<const ConfigMap>;
  struct ResourceHash {
    std::size_t operator()(const Resource& r) const noexcept {
      return TextHash{}(r.name) * 31 + static_cast<std::size_t>(r.type);
    }
  };

  Edit edit_ = 0;  // the greatest that made a node of the maps below
  std::string cluster_id_;
  Provenance provenance_;
  PersistentMap<std::string, TopicPtr, TextHash> topics_by_name_;
  PersistentMap<Uuid, TopicPtr> topics_by_id_;
  PersistentMap<Resource, ConfigPtr, ResourceHash> configs_;
  PersistentMap<std::string, KeptRecord, TextHash> kept_;  // by type and key, see kept.h
  std::shared_ptr<const std::map<BrokerId, BrokerPtr>> brokers_;
  std::shared_ptr<const std::map<BrokerId, ControllerRegistration>> controllers_;
  std::shared_ptr<const std::map<std::string, std::int16_t, std::less<>>> features_;
  std::shared_ptr<const std::vector<KeptRecord>> unknown_records_;
  std::int64_t next_producer_id_ = 0;
  std::optional<std::int8_t> zk_migration_state_;
};

}  // namespace moldau::metadata
