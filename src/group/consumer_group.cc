#include "group/consumer_group.h"

#include <algorithm>

#include "base/fault.h"

namespace moldau::group {
namespace {

// From which version on OffsetCommit can say that an epoch is old.
constexpr std::int16_t kFirstWithMemberEpochs = 9;

template <typename Key>
void change(std::map<std::string, int, std::less<>>& counts, const Key& key, int by) {
  const auto found = counts.try_emplace(std::string(key), 0).first;
  if ((found->second += by) <= 0) counts.erase(found);
}

}  // namespace

void count_topic(TopicDemands& demands, std::string_view topic, int by_name, int by_regex) {
  const auto found = demands.try_emplace(std::string(topic)).first;
  found->second.by_name += by_name;
  found->second.by_regex += by_regex;
  if (found->second.by_name <= 0 && found->second.by_regex <= 0) demands.erase(found);
}

std::string_view ConsumerGroup::state_name() const {
  if (members_.empty()) return "Empty";
  if (epoch_ > target_epoch_) return "Assigning";
  return std::ranges::all_of(members_, [&](const auto& m) { return m.second.reconciled_to(target_epoch_); })
             ? "Stable"
             : "Reconciling";
}

ErrorCode ConsumerGroup::check_commit(const Committer& committer) const {
  if (committer.generation_or_epoch < 0 && members_.empty()) return ErrorCode::kNone;
  if (committer.transactional && committer.generation_or_epoch == -1 && committer.member_id.empty() &&
      !committer.instance_id)
    return ErrorCode::kNone;
  const ConsumerMember* member = find(committer.member_id);
  if (member == nullptr) return ErrorCode::kUnknownMemberId;
  if (!committer.transactional && !member->classic && committer.version < kFirstWithMemberEpochs)
    return ErrorCode::kUnsupportedVersion;
  // An older epoch may do for some partitions: check_commit_of.
  if (committer.generation_or_epoch <= member->epoch) return ErrorCode::kNone;
  return member->classic ? ErrorCode::kIllegalGeneration : ErrorCode::kStaleMemberEpoch;
}

ErrorCode ConsumerGroup::check_commit_of(const Committer& committer, const Uuid& topic,
                                         std::int32_t partition) const {
  const ConsumerMember* member = find(committer.member_id);
  if (member == nullptr || committer.generation_or_epoch >= member->epoch) return ErrorCode::kNone;
  if (fault_is(Fault::kTakeStaleCommit)) return ErrorCode::kNone;
  const auto since = member->assignment_epoch(topic, partition);
  if (since && committer.generation_or_epoch >= *since) return ErrorCode::kNone;
  return member->classic ? ErrorCode::kIllegalGeneration : ErrorCode::kStaleMemberEpoch;
}

ErrorCode ConsumerGroup::check_offset_fetch(std::string_view member_id, std::int32_t epoch) const {
  // An administrator, or a client that tells nothing about itself.
  if (member_id.empty() && epoch < 0) return ErrorCode::kNone;
  const ConsumerMember* member = find(member_id);
  if (member == nullptr) return ErrorCode::kUnknownMemberId;
  if (member->epoch == epoch) return ErrorCode::kNone;
  return member->classic ? ErrorCode::kIllegalGeneration : ErrorCode::kStaleMemberEpoch;
}

ErrorCode ConsumerGroup::check_delete() const {
  return members_.empty() ? ErrorCode::kNone : ErrorCode::kNonEmptyGroup;
}

void ConsumerGroup::add_tombstones(std::vector<Record>& records) const {
  for (const auto& [id, member] : members_) records.push_back(consumer_current_tombstone(name(), id));
  for (const auto& [id, member] : members_) records.push_back(consumer_target_tombstone(name(), id));
  // Targets of members that are none: a log may hold them.
  for (const auto& [id, target] : targets_) {
    if (!members_.contains(id)) records.push_back(consumer_target_tombstone(name(), id));
  }
  records.push_back(consumer_target_epoch_tombstone(name()));
  for (const auto& [id, member] : members_) records.push_back(consumer_member_tombstone(name(), id));
  for (const auto& [regex, resolved] : resolved_) records.push_back(consumer_regex_tombstone(name(), regex));
  records.push_back(consumer_partition_metadata_tombstone(name()));
  records.push_back(consumer_epoch_tombstone(name()));
}

const ConsumerMember* ConsumerGroup::find(std::string_view id) const {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

const ConsumerMember* ConsumerGroup::find_static(const std::optional<std::string>& instance_id) const {
  if (!instance_id) return nullptr;
  const auto found = static_members_.find(*instance_id);
  return found == static_members_.end() ? nullptr : find(found->second);
}

const Assignment& ConsumerGroup::target(std::string_view member) const {
  static const Assignment kNothing;
  const auto found = targets_.find(member);
  return found == targets_.end() ? kNothing : found->second;
}

int ConsumerGroup::subscribers(std::string_view regex) const {
  const auto found = regexes_.find(regex);
  return found == regexes_.end() ? 0 : found->second;
}

bool ConsumerGroup::taken(const Uuid& topic, std::int32_t partition) const {
  const auto found = owners_.find(topic);
  return found != owners_.end() && found->second.contains(partition);
}

void ConsumerGroup::put(ConsumerMember member) {
  if (const ConsumerMember* old = find(member.id)) count(*old, -1);
  count(member, +1);
  if (member.instance_id) static_members_[*member.instance_id] = member.id;
  const std::string id = member.id;
  members_.insert_or_assign(id, std::move(member));
}

void ConsumerGroup::remove(std::string_view id) {
  const auto found = members_.find(id);
  if (found == members_.end()) return;
  count(found->second, -1);
  if (const auto& instance = found->second.instance_id) {
    // Somebody else may have taken its place.
    const auto now = static_members_.find(*instance);
    if (now != static_members_.end() && now->second == id) static_members_.erase(now);
  }
  members_.erase(found);
}

void ConsumerGroup::count(const ConsumerMember& member, int by) {
  for (const std::string& topic : member.topics) count_topic(demands_, topic, by, 0);
  if (member.has_regex()) change(regexes_, *member.regex, by);
  if (member.assignor) change(assignor_votes_, *member.assignor, by);
  if (member.classic) {
    classic_members_ += by;
    for (const Protocol& offer : member.classic->protocols) {
      change(classic_protocols_, offer.name, by);
    }
  }
  for (const EpochAssignment* has : {&member.assigned, &member.revoking}) {
    for (const auto& [topic, partitions] : *has) {
      auto& owners = owners_[topic];
      for (const auto& [partition, epoch] : partitions) {
        if ((owners[partition] += by) <= 0) owners.erase(partition);
      }
      if (owners.empty()) owners_.erase(topic);
    }
  }
}

void ConsumerGroup::set_epoch(std::int32_t epoch, std::int64_t metadata_hash) {
  epoch_ = epoch;
  metadata_hash_ = metadata_hash;
}

void ConsumerGroup::set_target(std::string_view member, Assignment target) {
  targets_.insert_or_assign(std::string(member), std::move(target));
}

void ConsumerGroup::remove_target(std::string_view member) {
  if (const auto found = targets_.find(member); found != targets_.end()) targets_.erase(found);
}

void ConsumerGroup::set_target_epoch(std::int32_t epoch, std::int64_t at_ms) {
  target_epoch_ = epoch;
  target_at_ms_ = at_ms;
}

void ConsumerGroup::put_resolved(std::string_view regex, ResolvedRegex resolved) {
  remove_resolved(regex);
  for (const std::string& topic : resolved.topics) count_topic(demands_, topic, 0, +1);
  resolved_.emplace(regex, std::move(resolved));
}

void ConsumerGroup::remove_resolved(std::string_view regex) {
  const auto found = resolved_.find(regex);
  if (found == resolved_.end()) return;
  for (const std::string& topic : found->second.topics) count_topic(demands_, topic, 0, -1);
  resolved_.erase(found);
}

}  // namespace moldau::group
