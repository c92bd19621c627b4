// Who owns what in one group, as its members see it, and for how long the coordinator must think so, too. The
// invariants of owners stand here:
//
//   one owner   no partition is owned by two members at a time
//   converged   once nothing fails any more, each partition of each topic that is subscribed to has one owner
//
// A tenure begins when the coordinator has answered with the partition in it, and ends when its owner has let
// go. If the owner does not let go it counts until the coordinator may have put it out: a session's time
// after a request of its that was answered well had arrived, or a rebalance's time after it may first have
// been told to give something back. Both are bounds from below: what is called wrong here is wrong.
//
//   takes() ──▶ open ──gives_up()──▶ ended
//                └── heard(): the coordinator counts on it for longer
//
// Where the power goes, the group's records may go with it: all tenures end. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "env/clock.h"
#include "sim/group_book.h"

namespace moldau::sim {

using TopicPartition = std::pair<std::string, std::int32_t>;  // topics never come again under their name
using TopicPartitions = std::set<TopicPartition>;

std::string to_string(const TopicPartitions& partitions);

class OwnerBook {
 public:
  using Violate = std::function<void(std::string)>;
  // What is known of one member.
  struct Standing {
    std::string who;
    std::int32_t session_ms = 0, rebalance_ms = 0;
    env::Instant heard{};  // the last request that was answered well had arrived then
    // Since when it may have been told to give back what it has, or has not told yet that it gave up.
    std::map<TopicPartition, env::Instant> asked{};

    env::Instant counts_until() const;
  };

  // `commits`: a book for each topic that members may subscribe to.
  OwnerBook(std::string group, std::map<std::string, GroupBook*> commits, Violate violate)
      : group_(std::move(group)), commits_(std::move(commits)), violate_(std::move(violate)) {}

  const std::string& group() const { return group_; }
  const std::map<std::string, GroupBook*>& topics() const { return commits_; }
  GroupBook& commits(const std::string& topic) { return *commits_.at(topic); }

  std::size_t add_member(std::string who);
  Standing& standing(std::size_t member) { return standings_.at(member); }
  void takes(std::size_t member, const TopicPartition& partition, env::Instant from);
  void gives_up(std::size_t member, const TopicPartition& partition, env::Instant now);
  // `member`'s standing has become a better one.
  void heard(std::size_t member);

  void died(Death death);
  // Counts the times that the group's records may have gone.
  std::uint64_t era() const { return era_; }
  std::uint64_t taken() const { return taken_; }

  // Everything of `wanted` is in exactly one of `held`, and nothing else is.
  static bool shared_out(const TopicPartitions& wanted, const std::vector<TopicPartitions>& held);

 private:
  struct Tenure {
    std::size_t member = 0;
    env::Instant from{}, end{};
    bool open = true;
  };

  env::Instant end_of(const Tenure& tenure) const;
  void check(const TopicPartition& partition, const Tenure& one);

  const std::string group_;
  const std::map<std::string, GroupBook*> commits_;
  const Violate violate_;
  std::vector<Standing> standings_;
  std::map<TopicPartition, std::vector<Tenure>> tenures_;
  std::uint64_t era_ = 0, taken_ = 0;
};

}  // namespace moldau::sim
