// What the controller is asked, and what it replies: near to Kafka's messages of their newest version, with
// strings of their own. Each request names its Reply. Results stand in the order of what was asked.
// Plain values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/uuid.h"
#include "metadata/image.h"

namespace moldau::wire {
enum class ErrorCode : std::int16_t;
}

namespace moldau::controller {

using metadata::Endpoint;
using metadata::FeatureRange;
using metadata::Resource;

// kNone (0): fine, and no message.
struct ApiError {
  wire::ErrorCode code{};
  std::string message{};  // empty: null on the wire

  bool ok() const { return static_cast<std::int16_t>(code) == 0; }
  bool operator==(const ApiError&) const = default;
};

struct NamedValue {
  std::string name;
  std::optional<std::string> value;
};

// --- topics

struct ManualAssignment {
  PartitionIndex partition;
  std::vector<BrokerId> brokers;  // the preferred leader first
};

struct NewTopic {
  std::string name;
  std::int32_t num_partitions = -1;      // -1: num.partitions of the broker, or as many as `assignments`
  std::int16_t replication_factor = -1;  // -1: default.replication.factor, or as `assignments` say
  std::vector<ManualAssignment> assignments;
  std::vector<NamedValue> configs;
};

// One effective setting of a topic that was just made, as CreateTopics 5+ tells it.
struct EffectiveConfig {
  std::string name;
  std::optional<std::string> value;  // null where sensitive
  bool read_only = false;
  std::int8_t source =
      5;  // DescribeConfigs' numbers: 1 topic, 2 broker, 3 default broker, 4 static, 5 default
  bool sensitive = false;
};

struct CreateTopicsReply {
  struct Topic {
    std::string name;
    Uuid id;
    ApiError error;
    std::int32_t num_partitions = -1;
    std::int16_t replication_factor = -1;
    std::vector<EffectiveConfig> configs;
  };
  std::vector<Topic> topics;
};
struct CreateTopics {
  using Reply = CreateTopicsReply;
  std::vector<NewTopic> topics;
  bool validate_only = false;
};

struct DeleteTopicsReply {
  struct Topic {
    std::optional<std::string> name;
    Uuid id;
    ApiError error;
  };
  std::vector<Topic> topics;
};
struct DeleteTopics {
  using Reply = DeleteTopicsReply;
  struct Topic {
    std::optional<std::string> name;  // none: by id
    Uuid id;
  };
  std::vector<Topic> topics;
};

struct CreatePartitionsReply {
  struct Topic {
    std::string name;
    ApiError error;
  };
  std::vector<Topic> topics;
};
struct CreatePartitions {
  using Reply = CreatePartitionsReply;
  struct Topic {
    std::string name;
    std::int32_t count = 0;                                           // in all, those there are included
    std::optional<std::vector<std::vector<BrokerId>>> assignments{};  // of the new ones only
  };
  std::vector<Topic> topics;
  bool validate_only = false;
};

struct ElectLeadersReply {
  struct Partition {
    std::string topic;
    PartitionIndex partition;
    ApiError error;
  };
  ApiError error;
  std::vector<Partition> partitions;
};
struct ElectLeaders {
  using Reply = ElectLeadersReply;
  struct Partition {
    std::string topic;
    PartitionIndex partition;
  };
  std::int8_t election_type = 0;                     // 0 preferred, 1 unclean
  std::optional<std::vector<Partition>> partitions;  // none: all
};

// --- configurations

struct AlterConfigsReply {
  struct Entry {
    Resource resource;
    ApiError error;
  };
  std::vector<Entry> resources;
};
// What is not named goes back to its default (AlterConfigs, 0.11).
struct AlterConfigs {
  using Reply = AlterConfigsReply;
  struct Entry {
    Resource resource;
    std::vector<NamedValue> configs;
  };
  std::vector<Entry> resources;
  bool validate_only = false;
};
enum class ConfigOperation : std::int8_t { kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3 };
// KIP-339
struct IncrementalAlterConfigs {
  using Reply = AlterConfigsReply;
  struct Operation {
    std::string name;
    std::int8_t operation = 0;  // ConfigOperation; others are refused
    std::optional<std::string> value;
  };
  struct Entry {
    Resource resource;
    std::vector<Operation> operations;
  };
  std::vector<Entry> resources;
  bool validate_only = false;
};

// --- features and producer ids

struct UpdateFeaturesReply {
  struct Feature {
    std::string name;
    ApiError error;
  };
  ApiError error;
  std::vector<Feature> features;
};
struct UpdateFeatures {
  using Reply = UpdateFeaturesReply;
  struct Update {
    std::string name;
    std::int16_t level = 0;
    std::int8_t upgrade_type = 1;  // 1 upgrade only, 2 safe downgrade, 3 unsafe downgrade
  };
  std::vector<Update> updates;
  bool validate_only = false;
};

struct AllocateProducerIdsReply {
  wire::ErrorCode error{};
  std::int64_t first = -1;
  std::int32_t count = 0;
};
struct AllocateProducerIds {
  using Reply = AllocateProducerIdsReply;
  BrokerId broker;
  std::int64_t broker_epoch = -1;
};

// --- brokers

struct RegisterBrokerReply {
  ApiError error;
  std::int64_t broker_epoch = -1;
};
struct RegisterBroker {
  using Reply = RegisterBrokerReply;
  BrokerId id;
  std::string cluster_id;
  Uuid incarnation_id;  // of this start of the process
  std::vector<Endpoint> endpoints;
  std::vector<FeatureRange> features;  // kSupportedFeatures of metadata/features.h for ourselves
  std::optional<std::string> rack;
  std::vector<Uuid> log_dirs;
  // -1, or the epoch it had when it stopped: then partitions need no new leader epoch.
  std::int64_t previous_broker_epoch = -1;
};

struct BrokerHeartbeatReply {
  wire::ErrorCode error{};
  bool caught_up = false;
  bool fenced = true;
  bool should_shut_down = false;
};
struct BrokerHeartbeat {
  using Reply = BrokerHeartbeatReply;
  BrokerId id;
  std::int64_t broker_epoch = -1;
  Offset current_metadata_offset = kNoOffset;
  bool want_fence = false;
  bool want_shut_down = false;
  std::vector<Uuid> offline_log_dirs;  // failed since the start; their partitions lose their leader here
};

struct UnregisterBrokerReply {
  ApiError error;
};
struct UnregisterBroker {
  using Reply = UnregisterBrokerReply;
  BrokerId id;
};

// Which directory holds which replica of one broker (KIP-858).
struct AssignReplicasToDirsReply {
  struct Partition {
    Uuid directory_id, topic_id;
    PartitionIndex partition;
    wire::ErrorCode error{};
  };
  wire::ErrorCode error{};
  std::vector<Partition> partitions;
};
struct AssignReplicasToDirs {
  using Reply = AssignReplicasToDirsReply;
  struct Partition {
    Uuid directory_id, topic_id;
    PartitionIndex partition;
  };
  BrokerId broker;
  std::int64_t broker_epoch = -1;
  std::vector<Partition> partitions;
};

// The controller's own entry among the registrations, written at each start (KIP-919).
struct RegisterController {
  struct Reply {
    ApiError error;
  };
  BrokerId id;
  Uuid incarnation_id;
  std::vector<Endpoint> endpoints;
  std::vector<FeatureRange> features;
};

// A topic whose partition folders were found without metadata (a directory from ZooKeeper's time).
struct AdoptTopics {
  struct Topic {
    std::string name;
    Uuid id;  // from partition.metadata; zero: a new one is made
    struct Partition {
      PartitionIndex index;
      Uuid directory_id;         // where its folder lies
      LeaderEpoch leader_epoch;  // the newest in its leader-epoch-checkpoint, or 0
    };
    std::vector<Partition> partitions;
  };
  struct Reply {
    ApiError error;
  };
  BrokerId broker;
  std::vector<Topic> topics;
};

}  // namespace moldau::controller
