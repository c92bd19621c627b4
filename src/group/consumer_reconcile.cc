#include "group/consumer_reconcile.h"

#include <algorithm>
#include <utility>

#include "base/fault.h"

namespace moldau::group {
namespace {

class Walk {
 public:
  Walk(const ConsumerMember& member, const Reconciliation& with) : member_(member), with_(with) {}

  std::expected<ConsumerMember, std::string> run() {
    switch (member_.state) {
      case MemberState::kStable:
        if (member_.epoch != with_.target_epoch) return compute_next(member_.epoch);
        return with_.subscription_changed ? drop_unsubscribed() : member_;
      case MemberState::kUnrevokedPartitions:
        if (!owns_any(member_.revoking)) return compute_next(member_.epoch);
        return with_.subscription_changed ? drop_unsubscribed() : member_;
      case MemberState::kUnreleasedPartitions:
        return compute_next(member_.epoch);
      case MemberState::kUnknown:
        break;
    }
    if (with_.owned == nullptr || !with_.owned->empty())
      return std::unexpected(
          "The consumer group member is in a unknown state. The member must abandon all its partitions and "
          "rejoin.");
    return compute_next(with_.target_epoch);
  }

 private:
  // As far as we know: who does not say what it owns may own all.
  bool owns_any(const EpochAssignment& partitions) const {
    if (with_.owned == nullptr) return true;
    return std::ranges::any_of(*with_.owned, [&](const auto& topic) {
      const auto found = partitions.find(topic.topic_id);
      return found != partitions.end() && std::ranges::any_of(topic.partitions, [&](std::int32_t partition) {
               return found->second.contains(partition);
             });
    });
  }

  // At the same target, topics that it does not want any longer go at once.
  ConsumerMember drop_unsubscribed() const {
    ConsumerMember next = member_;
    for (const auto& [topic, partitions] : member_.assigned) {
      if (with_.subscribed.contains(topic)) continue;
      next.assigned.erase(topic);
      next.revoking[topic].insert(partitions.begin(), partitions.end());
    }
    if (next.assigned == member_.assigned) return member_;
    next.advance_to(member_.epoch);
    if (owns_any(next.revoking)) {
      next.state = MemberState::kUnrevokedPartitions;
    } else {
      next.revoking = member_.revoking;
    }
    return next;
  }

  ConsumerMember compute_next(std::int32_t epoch) const {
    ConsumerMember next = member_;
    next.assigned.clear();
    next.revoking.clear();
    for (const auto& [topic, partitions] : member_.assigned) {
      for (const auto& [partition, since] : partitions) {
        (wanted(topic, partition) ? next.assigned : next.revoking)[topic][partition] = since;
      }
    }
    if (!next.revoking.empty() && owns_any(next.revoking)) {
      next.advance_to(epoch);
      next.state = MemberState::kUnrevokedPartitions;
      return next;
    }
    next.revoking.clear();
    next.advance_to(with_.target_epoch);
    next.state = take_free(next.assigned) ? MemberState::kStable : MemberState::kUnreleasedPartitions;
    return next;
  }

  bool wanted(const Uuid& topic, std::int32_t partition) const {
    const auto found = with_.target.find(topic);
    return found != with_.target.end() && with_.subscribed.contains(topic) &&
           std::ranges::binary_search(found->second, partition);
  }

  // False if something wanted is with somebody else.
  bool take_free(EpochAssignment& assigned) const {
    bool all = true;
    for (const auto& [topic, partitions] : with_.target) {
      if (!with_.subscribed.contains(topic)) continue;
      for (const std::int32_t partition : partitions) {
        const auto had = assigned.find(topic);
        if (had != assigned.end() && had->second.contains(partition)) continue;
        if (with_.taken(topic, partition) && !gave_back(topic, partition) &&
            !fault_is(Fault::kGiveBeforeRevoked)) {
          all = false;
        } else {
          assigned[topic][partition] = with_.target_epoch;
        }
      }
    }
    return all;
  }
  // It has itself what it has not given back yet; only one can have a partition.
  bool gave_back(const Uuid& topic, std::int32_t partition) const {
    const auto found = member_.revoking.find(topic);
    return found != member_.revoking.end() && found->second.contains(partition);
  }

  const ConsumerMember& member_;
  const Reconciliation& with_;
};

}  // namespace

std::expected<ConsumerMember, std::string> reconcile(const ConsumerMember& member,
                                                     const Reconciliation& with) {
  return Walk(member, with).run();
}

}  // namespace moldau::group
