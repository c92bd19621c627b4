// How uniform works. Partitions are numbered through (topic by topic), and who owns a partition is one number
// in one array: moves cost nothing, and the maps of the result are made at the end.
//
// All subscribed to the same topics: each member keeps what it has up to its quota, which is total / members,
// one more for the first that have use for it; what is left over fills the others up.
//
// Different subscriptions: each keeps what it is still subscribed to; free partitions go, topic by topic from
// the one with most partitions per subscriber, to the subscriber that has least; then, topic by topic,
// partitions move from the subscriber with most to that with least while they differ by more than one. Where
// subscriptions overlap, a topic's moves unbalance another's, so this is repeated, up to 16 times.
#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "group/assignor.h"

namespace moldau::group {
namespace {

constexpr std::int32_t kFree = -1;
constexpr int kMaxRounds = 16;

struct Topic {
  Uuid id;
  std::size_t first = 0;  // number of its partition 0
  std::int32_t count = 0;
  std::vector<std::int32_t> subscribers{};  // indices of members, ascending
};

class Uniform {
 public:
  explicit Uniform(const AssignorInput& input) : input_(input), sizes_(input.members.size()) {
    std::map<Uuid, std::size_t> index;
    for (std::size_t m = 0; m < input.members.size(); ++m) {
      for (const Uuid& id : input.members[m].topics) {
        const auto [found, added] = index.try_emplace(id, topics_.size());
        if (added) topics_.push_back({.id = id, .count = input.topics.at(id)});
        topics_[found->second].subscribers.push_back(static_cast<std::int32_t>(m));
      }
    }
    std::ranges::sort(topics_, {}, &Topic::id);
    std::size_t total = 0;
    for (Topic& topic : topics_) {
      topic.first = std::exchange(total, total + static_cast<std::size_t>(topic.count));
    }
    owners_.assign(total, kFree);
  }

  std::vector<Assignment> run() {
    if (homogeneous()) {
      fill_to_quota();
    } else {
      keep_subscribed();
      give_out_free();
      balance();
    }
    return result();
  }

 private:
  bool homogeneous() const {
    return std::ranges::all_of(input_.members,
                               [&](const AssignorMember& m) { return m.topics == input_.members[0].topics; });
  }

  // Calls f(number) for what member `m` has and may keep.
  template <typename F>
  void for_each_kept(std::size_t m, F&& f) {
    const AssignorMember& member = input_.members[m];
    if (member.previous == nullptr) return;
    for (const auto& [id, partitions] : *member.previous) {
      if (!std::ranges::binary_search(member.topics, id)) continue;
      const Topic& topic = *std::ranges::lower_bound(topics_, id, {}, &Topic::id);
      for (const std::int32_t partition : partitions) {
        if (partition < 0 || partition >= topic.count) continue;
        const std::size_t number = topic.first + static_cast<std::size_t>(partition);
        if (owners_[number] == kFree) f(number);
      }
    }
  }
  void own(std::size_t number, std::size_t member) {
    if (owners_[number] != kFree) --sizes_[static_cast<std::size_t>(owners_[number])];
    owners_[number] = static_cast<std::int32_t>(member);
    ++sizes_[member];
  }

  void fill_to_quota() {
    const std::size_t members = input_.members.size();
    const std::size_t quota = owners_.size() / members;
    std::size_t extras = owners_.size() % members;
    std::vector<std::size_t> wanted(members);  // how many each shall have
    for (std::size_t m = 0; m < members; ++m) {
      wanted[m] = quota + (extras > 0 ? 1 : 0);
      for_each_kept(m, [&](std::size_t number) {
        if (sizes_[m] < wanted[m]) own(number, m);
      });
      // One who has no use for one more leaves it to a later member, as long as there are enough of these.
      if (extras > 0 && sizes_[m] < wanted[m] && members - m > extras) wanted[m] = quota;
      if (wanted[m] > quota) --extras;
    }
    std::size_t free = 0;
    for (std::size_t m = 0; m < members; ++m) {
      while (sizes_[m] < wanted[m]) {
        while (owners_[free] != kFree) ++free;
        own(free, m);
      }
    }
  }

  void keep_subscribed() {
    for (std::size_t m = 0; m < input_.members.size(); ++m) {
      for_each_kept(m, [&](std::size_t number) { own(number, m); });
    }
    // The hardest to place come first.
    order_.resize(topics_.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::ranges::sort(order_, [&](std::size_t a, std::size_t b) {
      const auto key = [&](std::size_t t) {
        const double subscribers = static_cast<double>(topics_[t].subscribers.size());
        return std::tuple(-topics_[t].count / subscribers, subscribers, t);
      };
      return key(a) < key(b);
    });
  }

  // The subscribers of a topic by load. Ties go by rank: where they stood when the topic's turn came.
  using Load = std::pair<std::size_t, std::size_t>;  // size, rank
  std::vector<std::int32_t> by_load(const Topic& topic) const {
    std::vector<std::int32_t> ranked = topic.subscribers;
    std::ranges::sort(ranked, {},
                      [&](std::int32_t m) { return std::pair(sizes_[static_cast<std::size_t>(m)], m); });
    return ranked;
  }
  std::set<Load> loads(const std::vector<std::int32_t>& ranked) const {
    std::set<Load> loads;
    for (std::size_t r = 0; r < ranked.size(); ++r) {
      loads.emplace_hint(loads.end(), sizes_[static_cast<std::size_t>(ranked[r])], r);
    }
    return loads;
  }

  void give_out_free() {
    for (const std::size_t t : order_) {
      const Topic& topic = topics_[t];
      const auto begin = owners_.begin() + static_cast<std::ptrdiff_t>(topic.first);
      if (std::find(begin, begin + topic.count, kFree) == begin + topic.count) continue;
      const std::vector<std::int32_t> ranked = by_load(topic);
      std::set<Load> least = loads(ranked);
      for (std::size_t number = topic.first; number < topic.first + static_cast<std::size_t>(topic.count);
           ++number) {
        if (owners_[number] != kFree) continue;
        auto node = least.extract(least.begin());
        own(number, static_cast<std::size_t>(ranked[node.value().second]));
        ++node.value().first;
        least.insert(std::move(node));
      }
    }
  }

  void balance() {
    for (int round = 0; round < kMaxRounds; ++round) {
      bool moved = false;
      for (const std::size_t t : order_) {
        if (topics_[t].subscribers.size() > 1) moved |= balance_topic(topics_[t]);
      }
      if (!moved) return;
    }
  }

  // Whether something moved.
  bool balance_topic(const Topic& topic) {
    const std::vector<std::int32_t> ranked = by_load(topic);
    std::set<Load> all = loads(ranked);
    if (all.rbegin()->first - all.begin()->first <= 1) return false;

    std::vector<std::vector<std::size_t>> has(input_.members.size());  // of this topic, ascending
    for (std::size_t number = topic.first; number < topic.first + static_cast<std::size_t>(topic.count);
         ++number) {
      has[static_cast<std::size_t>(owners_[number])].push_back(number);
    }
    std::set<Load> givers;
    for (const Load& load : all) {
      if (!has[static_cast<std::size_t>(ranked[load.second])].empty()) givers.insert(givers.end(), load);
    }
    bool moved = false;
    while (!givers.empty()) {
      const Load most = *givers.rbegin(), least = *all.begin();
      if (most.first <= least.first + 1) break;
      auto& from = has[static_cast<std::size_t>(ranked[most.second])];
      own(from.back(), static_cast<std::size_t>(ranked[least.second]));
      from.pop_back();
      moved = true;
      // Whoever gives has more than whoever takes, so the two stay apart.
      givers.erase(most);
      all.erase(most);
      all.erase(least);
      const Load given{most.first - 1, most.second}, taken{least.first + 1, least.second};
      all.insert(given);
      all.insert(taken);
      if (!from.empty()) givers.insert(given);
      if (givers.erase(least) > 0) givers.insert(taken);
    }
    return moved;
  }

  std::vector<Assignment> result() const {
    std::vector<Assignment> result(input_.members.size());
    for (const Topic& topic : topics_) {
      for (std::int32_t partition = 0; partition < topic.count; ++partition) {
        const std::int32_t owner = owners_[topic.first + static_cast<std::size_t>(partition)];
        CHECK(owner != kFree);
        result[static_cast<std::size_t>(owner)][topic.id].push_back(partition);
      }
    }
    return result;
  }

  const AssignorInput& input_;
  std::vector<Topic> topics_;         // by id
  std::vector<std::int32_t> owners_;  // by number
  std::vector<std::size_t> sizes_;    // by member
  std::vector<std::size_t> order_;    // of topics_, as balance and give_out_free go through them
};

}  // namespace

std::vector<Assignment> assign_uniform(const AssignorInput& input) {
  if (input.members.empty()) return {};
  return Uniform(input).run();
}

}  // namespace moldau::group
