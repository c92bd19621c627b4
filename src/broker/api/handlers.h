// One handler per API, each in its file NN_name.cc. A handler decodes, and replies, closes, or keeps the call
// until it can reply; it runs on the connection's loop and never blocks.
#pragma once

#include "broker/call.h"

namespace moldau::broker::api {

void produce(const CallPtr& call);                    // 0
void fetch(const CallPtr& call);                      // 1
void list_offsets(const CallPtr& call);               // 2
void metadata(const CallPtr& call);                   // 3
void offset_commit(const CallPtr& call);              // 8
void offset_fetch(const CallPtr& call);               // 9
void find_coordinator(const CallPtr& call);           // 10
void join_group(const CallPtr& call);                 // 11
void heartbeat(const CallPtr& call);                  // 12
void leave_group(const CallPtr& call);                // 13
void sync_group(const CallPtr& call);                 // 14
void describe_groups(const CallPtr& call);            // 15
void list_groups(const CallPtr& call);                // 16
void api_versions(const CallPtr& call);               // 18
void create_topics(const CallPtr& call);              // 19
void delete_topics(const CallPtr& call);              // 20
void delete_records(const CallPtr& call);             // 21
void init_producer_id(const CallPtr& call);           // 22
void offset_for_leader_epoch(const CallPtr& call);    // 23
void describe_configs(const CallPtr& call);           // 32
void alter_configs(const CallPtr& call);              // 33
void alter_replica_log_dirs(const CallPtr& call);     // 34
void describe_log_dirs(const CallPtr& call);          // 35
void create_partitions(const CallPtr& call);          // 37
void delete_groups(const CallPtr& call);              // 42
void incremental_alter_configs(const CallPtr& call);  // 44
void offset_delete(const CallPtr& call);              // 47
void describe_quorum(const CallPtr& call);            // 55
void update_features(const CallPtr& call);            // 57
void describe_cluster(const CallPtr& call);           // 60
void describe_producers(const CallPtr& call);         // 61
void describe_transactions(const CallPtr& call);      // 65
void list_transactions(const CallPtr& call);          // 66
void consumer_group_heartbeat(const CallPtr& call);   // 68
void consumer_group_describe(const CallPtr& call);    // 69
void get_telemetry(const CallPtr& call);              // 71, its subscriptions
void push_telemetry(const CallPtr& call);             // 72
void list_config_resources(const CallPtr& call);      // 74
void describe_topic_partitions(const CallPtr& call);  // 75

}  // namespace moldau::broker::api
