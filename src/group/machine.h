// The group coordinator of one partition of __consumer_offsets: its groups and what they have committed.
//
// A replicated machine with four doors (docs/architecture.md):
//
//   handle(request) ─┐                        ┌─ answers ──▶ parked until the records cannot be lost
//   tick()          ─┴─▶ Decision {records, answers}
//                                             └─ records ──▶ the log ──▶ apply()
//
//   apply()         the only one that changes what the log tells: loading the log is the same code
//   next_deadline() when tick() wants to be called
//
// What the log does not tell (sessions, members that join, classic groups between two generations) is changed
// by handle() and tick(): after a restart such members come back by themselves, as with Kafka. If an append
// fails, or the leadership is lost, the machine is dropped and loaded again: there is no rollback.
//
// A plain machine without threads. (Kafka: GroupCoordinatorShard.)
#pragma once

#include <memory>
#include <optional>

#include "base/ids.h"
#include "group/decision.h"
#include "group/group.h"
#include "group/records.h"
#include "group/timers.h"
#include "wire/gen/consumer_group_describe.h"
#include "wire/gen/consumer_group_heartbeat.h"
#include "wire/gen/delete_groups.h"
#include "wire/gen/describe_groups.h"
#include "wire/gen/heartbeat.h"
#include "wire/gen/join_group.h"
#include "wire/gen/leave_group.h"
#include "wire/gen/list_groups.h"
#include "wire/gen/offset_commit.h"
#include "wire/gen/offset_delete.h"
#include "wire/gen/offset_fetch.h"
#include "wire/gen/sync_group.h"

namespace moldau::group {

class ClassicProtocol;
class ConsumerProtocol;
class OffsetRequests;
class Offsets;

class Machine {
 public:
  explicit Machine(env::Instant now);
  ~Machine();

  // Requests about groups of this partition; what names several groups is asked for those here only, and
  // answered for them, in the version that `caller` wants.
  Decision handle(const Context& context, const Caller& caller, const wire::JoinGroupRequest& request);
  Decision handle(const Context& context, const Caller& caller, const wire::SyncGroupRequest& request);
  Decision handle(const Context& context, const Caller& caller, const wire::HeartbeatRequest& request);
  Decision handle(const Context& context, const Caller& caller, const wire::LeaveGroupRequest& request);
  Decision handle(const Context& context, const Caller& caller, const wire::OffsetCommitRequest& request);
  Decision handle(const Context& context, const Caller& caller, const wire::OffsetFetchRequest& request);
  Decision handle(const Context& context, const Caller& caller, const wire::OffsetDeleteRequest& request);
  Decision handle(const Context& context, const Caller& caller, const wire::DeleteGroupsRequest& request);
  Decision handle(const Context& context, const Caller& caller, const wire::DescribeGroupsRequest& request);
  Decision handle(const Context& context, const Caller& caller, const wire::ListGroupsRequest& request);
  Decision handle(const Context& context, const Caller& caller,
                  const wire::ConsumerGroupHeartbeatRequest& request);
  Decision handle(const Context& context, const Caller& caller,
                  const wire::ConsumerGroupDescribeRequest& request);

  // One record of the log, in order. `producer` is set where it stands in a transaction whose end has not
  // come yet. An Error: not a record that this release can read; the rest may still be applied.
  Status apply(const RecordView& record, std::optional<ProducerId> producer = std::nullopt);
  // A transaction of the log has ended.
  void apply_end(ProducerId producer, bool committed);
  // Everything is applied: deadlines begin.
  Decision loaded(const Context& context);

  // What is due next; call until nothing is.
  std::optional<Decision> tick(const Context& context);
  std::optional<env::Instant> next_deadline() const;

  // The topics are gone: what was committed for them goes, too. Call until it is empty.
  Decision topics_deleted(const Context& context, const std::vector<std::string>& topics);

  std::size_t group_count() const { return groups_.all().size(); }

 private:
  Status apply_commit(const RecordView& record, wire::Reader& key, std::optional<ProducerId> producer);
  Status apply_classic(const RecordView& record, wire::Reader& key);
  Decision expire(const Context& context);

  Timers timers_;
  Groups groups_;
  std::unique_ptr<Offsets> offsets_;
  std::unique_ptr<OffsetRequests> offset_requests_;
  std::unique_ptr<ClassicProtocol> classic_;
  std::unique_ptr<ConsumerProtocol> consumer_;
  Deadline expiry_;
  bool loading_ = true;
  std::optional<std::string> expiring_;  // the group that is looked at next, in the midst of a round
};

}  // namespace moldau::group
