#include <algorithm>
#include <numeric>
#include <tuple>

#include "group/assignor.h"

namespace moldau::group {
namespace {

// Static members first: they come back under the same name and so keep their ranges.
auto rank(const AssignorMember& member) {
  return std::tuple(!member.instance_id, member.instance_id.value_or(""), member.id);
}

// The rest of one topic, and among how many it is to be divided.
struct Share {
  std::int32_t next = 0, partitions = 0, members = 0, taken = 0;

  // The first members have one more where it does not divide evenly.
  void take(std::vector<std::int32_t>& out) {
    const std::int32_t count = partitions / members + (taken++ < partitions % members ? 1 : 0);
    out.resize(static_cast<std::size_t>(count));
    std::iota(out.begin(), out.end(), next);
    next += count;
  }
};

}  // namespace

std::vector<Assignment> assign_range(const AssignorInput& input) {
  std::map<Uuid, Share> shares;
  for (const AssignorMember& member : input.members) {
    for (const Uuid& topic : member.topics) ++shares[topic].members;
  }
  for (auto& [topic, share] : shares) share.partitions = input.topics.at(topic);

  std::vector<std::size_t> order(input.members.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t m) { return rank(input.members[m]); });

  std::vector<Assignment> result(input.members.size());
  for (const std::size_t index : order) {
    for (const Uuid& topic : input.members[index].topics) {
      std::vector<std::int32_t> range;
      shares[topic].take(range);
      if (!range.empty()) result[index].emplace(topic, std::move(range));
    }
  }
  return result;
}

std::size_t partition_count(const Assignment& assignment) {
  return std::accumulate(assignment.begin(), assignment.end(), std::size_t{0},
                         [](std::size_t sum, const auto& entry) { return sum + entry.second.size(); });
}

std::string_view assignor_name(std::string_view name) {
  constexpr std::string_view kPackage = "org.apache.kafka.coordinator.group.assignor.";
  if (name.starts_with(kPackage)) name.remove_prefix(kPackage.size());
  if (name == "uniform" || name == "UniformAssignor") return "uniform";
  if (name == "range" || name == "RangeAssignor") return "range";
  return "";
}

Assignor find_assignor(std::string_view name) {
  const std::string_view known = assignor_name(name);
  return known == "uniform" ? &assign_uniform : known == "range" ? &assign_range : nullptr;
}

}  // namespace moldau::group
