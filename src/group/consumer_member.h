// A member of a consumer group (KIP-848), as the log tells it: what it wants, and how far it has come with
// what it shall have. A plain value. (Kafka: ConsumerGroupMember.)
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/uuid.h"
#include "group/classic_group.h"
#include "wire/gen/consumer_group_records.h"

namespace moldau::group {

// Where a member stands between what it has and what it shall have; diagram: consumer_reconcile.h. The
// numbers are those of the log.
enum class MemberState : std::int8_t {
  kStable = 0,
  kUnrevokedPartitions = 1,
  kUnreleasedPartitions = 2,
  kUnknown = 127,  // a later release wrote it
};

// Member epochs that are none.
inline constexpr std::int32_t kLeaveEpoch = -1;        // of a request: goes for good
inline constexpr std::int32_t kStaticLeaveEpoch = -2;  // of a request, and of a static member that comes back

// Partitions by topic, each with the epoch since which the member has it: an older epoch may not commit for
// it. Always holds: no topic is empty.
using EpochAssignment = std::map<Uuid, std::map<std::int32_t, std::int32_t>>;

// What only a member has that speaks the classic protocol to a consumer group.
struct ClassicSide {
  std::int32_t session_timeout_ms = 0;
  std::vector<Protocol> protocols{};

  bool operator==(const ClassicSide&) const = default;
};

struct ConsumerMember {
  std::string id{};
  std::int32_t epoch = 0;
  std::int32_t previous_epoch = -1;
  MemberState state = MemberState::kStable;
  EpochAssignment assigned{};
  EpochAssignment revoking{};  // taken away, and not yet given back

  std::optional<std::string> instance_id{};
  std::optional<std::string> rack_id{};
  std::int32_t rebalance_timeout_ms = -1;
  std::string client_id{}, client_host{};
  std::set<std::string, std::less<>> topics{};  // subscribed to, by name
  std::optional<std::string> regex = "";        // … and by regular expression; null or empty: none
  std::optional<std::string> assignor{};        // which it would like
  std::optional<ClassicSide> classic{};         // set: speaks the classic protocol

  bool has_regex() const { return regex && !regex->empty(); }
  bool reconciled_to(std::int32_t epoch_wanted) const {
    return state == MemberState::kStable && epoch == epoch_wanted;
  }
  // Since which epoch it has the partition, be it on the way back. nullopt: it has not.
  std::optional<std::int32_t> assignment_epoch(const Uuid& topic, std::int32_t partition) const;
  // A step of epochs is remembered, so that a lost answer can be told from an old member.
  void advance_to(std::int32_t new_epoch) { previous_epoch = std::exchange(epoch, new_epoch); }

  // As the two records of the log tell it; each knows its half.
  void learn(const wire::ConsumerGroupMemberMetadataValue& value);
  void learn(const wire::ConsumerGroupCurrentMemberAssignmentValue& value);
  // What is left when the second has been deleted.
  void forget_assignment();

  bool operator==(const ConsumerMember&) const = default;
};

}  // namespace moldau::group
