#include "sim/owner_book.h"

#include <algorithm>

#include "base/check.h"

namespace moldau::sim {
namespace {

using std::chrono::milliseconds;

std::string to_string(const TopicPartition& partition) {
  return partition.first + "-" + std::to_string(partition.second);
}

std::string ms(env::Instant when) { return std::to_string(when.since_origin / milliseconds(1)); }

}  // namespace

std::string to_string(const TopicPartitions& partitions) {
  std::string text;
  for (const TopicPartition& partition : partitions) text += (text.empty() ? "" : " ") + to_string(partition);
  return "{" + text + "}";
}

env::Instant OwnerBook::Standing::counts_until() const {
  env::Instant until = heard + milliseconds(session_ms);
  for (const auto& [partition, since] : asked) until = std::min(until, since + milliseconds(rebalance_ms));
  return until;
}

std::size_t OwnerBook::add_member(std::string who) {
  standings_.push_back({.who = std::move(who)});
  return standings_.size() - 1;
}

env::Instant OwnerBook::end_of(const Tenure& tenure) const {
  return tenure.open ? standings_[tenure.member].counts_until() : tenure.end;
}

void OwnerBook::takes(std::size_t member, const TopicPartition& partition, env::Instant from) {
  ++taken_;
  auto& tenures = tenures_[partition];
  tenures.push_back({.member = member, .from = from});
  check(partition, tenures.back());
}

void OwnerBook::gives_up(std::size_t member, const TopicPartition& partition, env::Instant now) {
  for (Tenure& tenure : tenures_[partition]) {
    if (tenure.member != member || !tenure.open) continue;
    tenure.end = std::min(end_of(tenure), now);
    tenure.open = false;
  }
}

void OwnerBook::heard(std::size_t member) {
  for (const auto& [partition, tenures] : tenures_) {
    for (const Tenure& tenure : tenures)
      if (tenure.member == member && tenure.open) check(partition, tenure);
  }
}

void OwnerBook::check(const TopicPartition& partition, const Tenure& one) {
  for (const Tenure& other : tenures_[partition]) {
    if (other.member == one.member) continue;
    const env::Instant from = std::max(one.from, other.from), until = std::min(end_of(one), end_of(other));
    if (from >= until) continue;
    violate_("group " + group_ + ": " + to_string(partition) + " is owned by " +
             standings_[other.member].who + " and by " + standings_[one.member].who + " from " + ms(from) +
             " to " + ms(until) + " ms");
  }
}

void OwnerBook::died(Death death) {
  if (death != Death::kPower) return;
  ++era_;
  tenures_.clear();
  for (Standing& standing : standings_) standing.asked.clear();
}

bool OwnerBook::shared_out(const TopicPartitions& wanted, const std::vector<TopicPartitions>& held) {
  std::size_t count = 0;
  for (const TopicPartitions& one : held) {
    count += one.size();
    if (!std::ranges::includes(wanted, one)) return false;
  }
  if (count != wanted.size()) return false;
  return std::ranges::all_of(wanted, [&](const TopicPartition& partition) {
    return std::ranges::any_of(held, [&](const TopicPartitions& one) { return one.contains(partition); });
  });
}

}  // namespace moldau::sim
