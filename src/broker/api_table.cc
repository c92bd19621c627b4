#include "broker/api_table.h"

#include <array>

#include "broker/api/handlers.h"
#include "broker/metrics.h"

namespace moldau::broker {
namespace {

using wire::ApiKey;

// Each from its oldest version in Kafka's history to its newest in 4.3.
constexpr ApiEntry kServed[] = {
    {ApiKey::kProduce, 0, 13, api::produce},
    {ApiKey::kFetch, 0, 18, api::fetch},
    {ApiKey::kListOffsets, 0, 11, api::list_offsets},
    {ApiKey::kMetadata, 0, 13, api::metadata},
    {ApiKey::kOffsetCommit, 0, 10, api::offset_commit},
    {ApiKey::kOffsetFetch, 0, 10, api::offset_fetch},
    {ApiKey::kFindCoordinator, 0, 6, api::find_coordinator},
    {ApiKey::kJoinGroup, 0, 9, api::join_group},
    {ApiKey::kHeartbeat, 0, 4, api::heartbeat},
    {ApiKey::kLeaveGroup, 0, 5, api::leave_group},
    {ApiKey::kSyncGroup, 0, 5, api::sync_group},
    {ApiKey::kDescribeGroups, 0, 6, api::describe_groups},
    {ApiKey::kListGroups, 0, 5, api::list_groups},
    {ApiKey::kApiVersions, 0, 4, api::api_versions},
    {ApiKey::kCreateTopics, 0, 7, api::create_topics},
    {ApiKey::kDeleteTopics, 0, 6, api::delete_topics},
    {ApiKey::kDeleteRecords, 0, 2, api::delete_records},
    {ApiKey::kInitProducerId, 0, 5, api::init_producer_id},
    {ApiKey::kOffsetForLeaderEpoch, 0, 4, api::offset_for_leader_epoch},
    {ApiKey::kDescribeConfigs, 0, 4, api::describe_configs},
    {ApiKey::kAlterConfigs, 0, 2, api::alter_configs},
    {ApiKey::kAlterReplicaLogDirs, 0, 2, api::alter_replica_log_dirs},
    {ApiKey::kDescribeLogDirs, 0, 5, api::describe_log_dirs},
    {ApiKey::kCreatePartitions, 0, 3, api::create_partitions},
    {ApiKey::kDeleteGroups, 0, 2, api::delete_groups},
    {ApiKey::kIncrementalAlterConfigs, 0, 1, api::incremental_alter_configs},
    {ApiKey::kOffsetDelete, 0, 0, api::offset_delete},
    {ApiKey::kDescribeQuorum, 0, 2, api::describe_quorum},
    {ApiKey::kUpdateFeatures, 0, 2, api::update_features},
    {ApiKey::kDescribeCluster, 0, 2, api::describe_cluster},
    {ApiKey::kDescribeProducers, 0, 0, api::describe_producers},
    {ApiKey::kDescribeTransactions, 0, 0, api::describe_transactions},
    {ApiKey::kListTransactions, 0, 2, api::list_transactions},
    {ApiKey::kConsumerGroupHeartbeat, 0, 1, api::consumer_group_heartbeat},
    {ApiKey::kConsumerGroupDescribe, 0, 1, api::consumer_group_describe},
    {ApiKey::kGetTelemetrySubscriptions, 0, 0, api::get_telemetry, false},
    {ApiKey::kPushTelemetry, 0, 0, api::push_telemetry, false},
    {ApiKey::kListConfigResources, 0, 1, api::list_config_resources},
    {ApiKey::kDescribeTopicPartitions, 0, 0, api::describe_topic_partitions},
};

constexpr auto by_key() {
  std::array<const ApiEntry*, kApiKeys> table{};
  for (const ApiEntry& entry : kServed) table[static_cast<std::size_t>(entry.key)] = &entry;
  return table;
}
constexpr auto kByKey = by_key();

}  // namespace

std::span<const ApiEntry> served_apis() { return kServed; }

const ApiEntry* find_served(std::int16_t key) {
  return key >= 0 && static_cast<std::size_t>(key) < kByKey.size() ? kByKey[static_cast<std::size_t>(key)]
                                                                   : nullptr;
}

}  // namespace moldau::broker
