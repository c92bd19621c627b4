// Server-side assignors of the consumer protocol (KIP-848): who shall have which partitions. Pure functions
// of their input: the same input gives the same result on every machine. As in Kafka 4.3, none looks at
// racks.
//
//   uniform  first balance, then stickiness: members that are subscribed to the same topics differ by one
//            partition at most, and as few partitions as possible move
//   range    for each topic ranges of neighbours, in the order of the members (static ones first, by instance
//            id): with equal subscriptions and partition counts a member has the same numbers of every topic
//
// Every partition of a topic that somebody is subscribed to goes to exactly one of its subscribers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "base/uuid.h"

namespace moldau::group {

// Partitions by topic. Always holds: lists are sorted, without repetition, and none is empty.
using Assignment = std::map<Uuid, std::vector<std::int32_t>>;

std::size_t partition_count(const Assignment& assignment);

struct AssignorMember {
  std::string_view id;
  std::optional<std::string_view> instance_id{};
  std::vector<Uuid> topics{};  // subscribed to; sorted, without repetition, all in AssignorInput::topics
  const Assignment* previous = nullptr;  // the target that it has now; nullptr: none
};

struct AssignorInput {
  std::vector<AssignorMember> members{};  // sorted by id
  std::map<Uuid, std::int32_t> topics{};  // how many partitions each has
};

// One per member, in the order of the input. (Kafka: UniformAssignor, RangeAssignor.)
std::vector<Assignment> assign_uniform(const AssignorInput& input);
std::vector<Assignment> assign_range(const AssignorInput& input);

using Assignor = std::vector<Assignment> (*)(const AssignorInput&);
// The name by which clients ask for it: "uniform", "range". Settings may tell it by the name of Kafka's
// class. Empty: no assignor of that name.
std::string_view assignor_name(std::string_view name_or_class);
// By either of its names; nullptr: none.
Assignor find_assignor(std::string_view name);

}  // namespace moldau::group
