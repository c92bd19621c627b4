// The way of a member of a consumer group from what it has to what it shall have. A step is taken with each
// of its heartbeats:
//
//                  the target has a new epoch: [compute_next]
//       ┌───────────────────────────────────────────────────────────────┐
//       │                    something must be given back                │
//     Stable ──────────────────────────▶ UnrevokedPartitions             │ everything wanted is free
//       ▲  │                                 │        │                  │ (or nothing is wanted)
//       │  │ wanted ones are still           │        └──────────────────┤
//       │  │ with somebody else              │ given back, wanted ones   │
//       │  ▼                                 ▼ are not free              ▼
//       │ UnreleasedPartitions ◀─────────────┘                         Stable
//       └── the last wanted one was released
//
//   Stable               has all of the target of its epoch
//   UnrevokedPartitions  was told to give partitions back, and keeps its epoch until it does not report them
//   UnreleasedPartitions is at the epoch of the target, has what is free of it, and waits for the rest
//   Unknown              written by a later release: must come back without partitions
//
// Always holds: a partition is assigned to a member only when no other has it, be it on the way back.
// Pure functions. (Kafka: CurrentAssignmentBuilder.)
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "group/assignor.h"
#include "group/consumer_member.h"
#include "wire/gen/consumer_group_heartbeat.h"

namespace moldau::group {

// What a member says that it owns. nullptr: it did not say.
using OwnedPartitions = std::vector<wire::ConsumerGroupHeartbeatRequest::TopicPartitions>;

struct Reconciliation {
  std::int32_t target_epoch = 0;
  const Assignment& target;
  bool subscription_changed = false;  // with this heartbeat
  const std::set<Uuid>& subscribed;   // topics that it is subscribed to now
  const OwnedPartitions* owned = nullptr;
  // Whether any member of the group has the partition, itself included.
  std::function<bool(const Uuid&, std::int32_t)> taken{};
};

// The member after the step; the same one if there is none to take. The error is the text of
// FENCED_MEMBER_EPOCH.
std::expected<ConsumerMember, std::string> reconcile(const ConsumerMember& member,
                                                     const Reconciliation& with);

}  // namespace moldau::group
