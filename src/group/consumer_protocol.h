// ConsumerGroupHeartbeat and ConsumerGroupDescribe for groups of the consumer protocol (KIP-848), what
// happens to such groups when a time has come, and their records in the log. The states stand in
// consumer_group.h and consumer_reconcile.h. (Kafka: GroupMetadataManager, its consumer half.)
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "group/classic_protocol.h"
#include "group/consumer_group.h"
#include "group/consumer_hash.h"
#include "group/consumer_update.h"
#include "group/timers.h"
#include "wire/gen/consumer_group_describe.h"
#include "wire/gen/consumer_group_heartbeat.h"
#include "wire/reader.h"

namespace moldau::group {

class ConsumerProtocol {
 public:
  ConsumerProtocol(Groups& groups, Timers& timers, ClassicProtocol& classic)
      : groups_(groups), timers_(timers), classic_(classic) {}

  void heartbeat(Step step, const Caller& caller, const wire::ConsumerGroupHeartbeatRequest& request);
  void describe(Step step, const Caller& caller, const wire::ConsumerGroupDescribeRequest& request);

  // Whether there is a consumer group of that name with members.
  bool has(std::string_view group) const;
  // An empty consumer group makes room for a classic one that this member will open.
  void make_room(Step step, const wire::JoinGroupRequest& request);
  // Of members of the classic protocol. REQUIRES: has(group).
  void join(Step step, const Caller& caller, const wire::JoinGroupRequest& request);
  void sync(Step step, const Caller& caller, const wire::SyncGroupRequest& request);
  void heartbeat(Step step, const Caller& caller, const wire::HeartbeatRequest& request);
  void leave(Step step, const Caller& caller, const wire::LeaveGroupRequest& request);

  void due(Step step, const Due& due);
  // After a restart: everybody has a session's time to be heard of.
  void loaded(Step step, const ConsumerGroup& group);

  // One record with a key of a consumer group (3 to 8, 16); `key` stands behind the type.
  static bool is_key(std::int16_t type);
  Status apply(std::int16_t type, wire::Reader& key, const std::optional<ByteView>& value);

 private:
  using Request = wire::ConsumerGroupHeartbeatRequest;
  using Response = wire::ConsumerGroupHeartbeatResponse;

  // What waits for a member. Not in the log; gone with it.
  struct Clock {
    Clock(Timers& timers, const std::string& group, const std::string& member)
        : session(timers, {Due::Kind::kConsumer, group, member}),
          joining(timers, {Due::Kind::kConsumer, group, member}),
          syncing(timers, {Due::Kind::kConsumer, group, member}),
          revocation(timers, {Due::Kind::kRevocation, group, member}) {}
    Deadline session;
    Deadline joining, syncing;  // a classic member is to do so
    Deadline revocation;
    std::int32_t revocation_epoch = 0;  // of the member when it was told to give partitions back
  };

  // consumer_heartbeat.cc
  struct Answered {
    ConsumerMember member;
    bool with_assignment = false;
  };
  Verdict<Answered> beat(Step step, const Caller& caller, const Request& request);
  Verdict<ConsumerGroup*> group_for(Step step, const Request& request, std::unique_ptr<ConsumerGroup>& made);
  struct Asker {
    std::string id;
    std::optional<std::string_view> instance_id{};
    bool joins = false;
    bool classic = true;  // then it has no epoch to check
    std::int32_t epoch = 0;
    const OwnedPartitions* owned = nullptr;
  };
  Verdict<ConsumerMember> member_for(Step step, const ConsumerGroup& group, const Asker& asker);
  void welcome(Step step, ClassicGroup& upgraded);
  Verdict<std::int32_t> leave(Step step, const Request& request);

  // `group` may be gone then.
  void fence(Step step, const ConsumerGroup& group, const std::vector<const ConsumerMember*>& members);
  // One batch takes what is written together.
  static bool fits(Step step);
  Clock& clock(const std::string& group, const std::string& member);
  void keep_alive(Step step, const std::string& group, const ConsumerMember& member);
  void watch_revocation(Step step, const std::string& group, const ConsumerMember& member,
                        const ConsumerMember* before = nullptr);

  // consumer_classic.cc
  static bool waits_for_others(const ConsumerGroup& group, const ConsumerMember& member);
  void go_back(Step step, const ConsumerGroup& group, const std::vector<const ConsumerMember*>& without,
               const ConsumerMember* heir, bool rebalance);

  // consumer_replay.cc
  ConsumerGroup& made(std::string_view name);
  Status apply_epoch(wire::Reader& key, const std::optional<ByteView>& value);
  Status apply_partition_metadata(wire::Reader& key, const std::optional<ByteView>& value);
  Status apply_member(wire::Reader& key, const std::optional<ByteView>& value);
  Status apply_target_epoch(wire::Reader& key, const std::optional<ByteView>& value);
  Status apply_target(wire::Reader& key, const std::optional<ByteView>& value);
  Status apply_current(wire::Reader& key, const std::optional<ByteView>& value);
  Status apply_regex(wire::Reader& key, const std::optional<ByteView>& value);

  Groups& groups_;
  Timers& timers_;
  ClassicProtocol& classic_;
  MetadataHashes hashes_;
  std::map<std::string, std::map<std::string, std::unique_ptr<Clock>, std::less<>>, std::less<>> clocks_;
};

}  // namespace moldau::group
