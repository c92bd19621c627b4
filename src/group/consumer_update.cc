#include "group/consumer_update.h"

#include <algorithm>

#include "config/values.h"
#include "group/regex_subscription.h"

namespace moldau::group {
namespace {

// New topics do not make a group look at all of its regular expressions more often than this (Kafka:
// REGEX_BATCH_REFRESH_MIN_INTERVAL_MS).
constexpr std::int64_t kRegexPauseMs = 10'000;

const std::string kNoRegex;

const std::string& regex_of(const ConsumerMember& member) {
  return member.has_regex() ? *member.regex : kNoRegex;
}

}  // namespace

std::int32_t group_setting(const Context& context, std::string_view group, std::string_view name,
                           std::int32_t otherwise) {
  const auto& own = context.image.config(metadata::ResourceType::kGroup, group);
  const auto found = own.find(name);
  if (found == own.end()) return otherwise;
  return static_cast<std::int32_t>(config::parse_integer(found->second).value_or(otherwise));
}

std::string_view default_assignor(const config::BrokerConfig& config) {
  for (const std::string& name : config.group_consumer_assignors) {
    if (const std::string_view known = assignor_name(name); !known.empty()) return known;
  }
  return "uniform";
}

TopicDemands demands_after(const ConsumerGroup& group, const ConsumerMember* before,
                           const ConsumerMember* after, const ResolvedRegexes& resolved) {
  TopicDemands demands = group.demands();
  if (after != nullptr) {
    for (const std::string& topic : after->topics) count_topic(demands, topic, +1, 0);
  }
  if (before != nullptr) {
    for (const std::string& topic : before->topics) count_topic(demands, topic, -1, 0);
  }
  for (const auto& [regex, now] : resolved) {
    const auto was = group.resolved().find(regex);
    if (was != group.resolved().end() && was->second.topics == now.topics) continue;
    for (const std::string& topic : now.topics) count_topic(demands, topic, 0, +1);
  }
  for (const auto& [regex, was] : group.resolved()) {
    const auto now = resolved.find(regex);
    if (now != resolved.end() && now->second.topics == was.topics) continue;
    for (const std::string& topic : was.topics) count_topic(demands, topic, 0, -1);
  }
  return demands;
}

Verdict<ConsumerMember> MemberUpdate::run(ConsumerMember member, const OwnedPartitions* owned) {
  if (auto written = write_down(member); !written) return std::unexpected(std::move(written.error()));
  Assignment target;
  const bool fresh = make_target(member, target);
  return advance(member, fresh ? epoch_ : group_.target_epoch(), target, owned);
}

Verdict<void> MemberUpdate::write_down(const ConsumerMember& member) {
  epoch_ = group_.epoch();
  names_changed_ = member.topics != before_.topics;
  regex_changed_ = regex_of(member) != regex_of(before_);
  demands_changed_ = names_changed_;
  if (member != before_) step_.decision.records.push_back(consumer_member_record(group_.name(), member));
  if (regex_changed_) {
    if (auto changed = change_regex(member); !changed) return changed;
  }
  refresh_regexes(member);

  const ConsumerGroup::Checked now{step_.context.image.provenance().last_offset, epoch_};
  const bool looked_at = group_.checked.metadata == now.metadata && epoch_ >= group_.checked.epoch;
  if (demands_changed_ || !looked_at) bump_epoch(member);
  return {};
}

Verdict<void> MemberUpdate::change_regex(const ConsumerMember& member) {
  const std::string& old_regex = regex_of(before_);
  if (!old_regex.empty() && group_.subscribers(old_regex) == 1) {
    step_.decision.records.push_back(consumer_regex_tombstone(group_.name(), old_regex));
    resolved_.erase(old_regex);
  }
  const std::string& regex = regex_of(member);
  if (!regex.empty() && !resolved_.contains(regex)) {
    if (const auto error = regex_error(regex))
      return refuse(
          ErrorCode::kInvalidRegularExpression,
          "SubscribedTopicRegex `" + regex + "` is not a valid regular expression: " + *error + ".");
    resolve(regex);
  }
  demands_changed_ = true;
  return {};
}

void MemberUpdate::resolve(const std::string& regex) {
  ResolvedRegex now{.topics = matching_topics(regex, step_.context.image),
                    .version = step_.context.image.provenance().last_offset.value,
                    .at_ms = step_.wall_ms()};
  const auto known = resolved_.find(regex);
  if (known != resolved_.end() && known->second.topics == now.topics) return;
  step_.decision.records.push_back(consumer_regex_record(group_.name(), regex, now));
  resolved_.insert_or_assign(regex, std::move(now));
  demands_changed_ = true;
}

// Topics have come or gone since the group has looked, or it has not looked for long.
void MemberUpdate::refresh_regexes(const ConsumerMember& member) {
  if (resolved_.empty() && !member.has_regex()) return;
  const Offset metadata = step_.context.image.provenance().last_offset;
  const std::int64_t age_ms = step_.wall_ms() - group_.regexes_checked_ms;
  const bool lost = epoch_ < group_.regexes_checked.epoch;  // what came of it was not written
  const bool old = age_ms >= step_.context.config.group_consumer_regex_refresh_interval_ms || age_ms < 0;
  const bool newer = group_.regexes_checked.metadata != metadata && age_ms >= kRegexPauseMs;
  if (!lost && !old && !newer) return;
  std::set<std::string> regexes;
  for (const auto& [regex, resolved] : resolved_) regexes.insert(regex);
  // Of a log that Kafka wrote: subscribed to, and not resolved yet.
  for (const auto& [id, other] : group_.members()) {
    if (other.has_regex() && (other.id != before_.id || !regex_changed_)) regexes.insert(*other.regex);
  }
  for (const std::string& regex : regexes) resolve(regex);
  group_.regexes_checked = {metadata, epoch_ + (demands_changed_ ? 1 : 0)};
  group_.regexes_checked_ms = step_.wall_ms();
}

void MemberUpdate::bump_epoch(const ConsumerMember& member) {
  const TopicDemands demands = demands_after(group_, &before_, &member, resolved_);
  const std::int64_t hash = hashes_.group_hash(demands, step_.context.image);
  if (demands_changed_ || hash != group_.metadata_hash()) {
    ++epoch_;
    step_.decision.records.push_back(consumer_epoch_record(group_.name(), epoch_, hash));
  }
  if (group_.has_partition_metadata())
    step_.decision.records.push_back(consumer_partition_metadata_tombstone(group_.name()));
  group_.checked = {step_.context.image.provenance().last_offset, epoch_};
}

bool MemberUpdate::make_target(const ConsumerMember& member, Assignment& target) {
  const ConsumerMember* replaced = group_.find_static(member.instance_id);
  target = group_.target(replaced != nullptr ? replaced->id : member.id);
  if (group_.target_epoch() >= epoch_) return false;
  const std::int32_t interval_ms =
      group_setting(step_.context, group_.name(), "consumer.assignment.interval.ms",
                    step_.context.config.group_consumer_assignment_interval_ms);
  // A target from the future was made before the wall clock was put back.
  const std::int64_t age_ms = step_.wall_ms() - group_.target_at_ms();
  if (group_.target_at_ms() != 0 && age_ms >= 0 && age_ms < interval_ms) return false;
  auto changed = build_target(group_, member, resolved_, step_.context.image, assignor(member));
  for (const auto& [id, assignment] : changed) {
    step_.decision.records.push_back(consumer_target_record(group_.name(), id, assignment));
  }
  step_.decision.records.push_back(consumer_target_epoch_record(group_.name(), epoch_, step_.wall_ms()));
  if (const auto own = changed.find(member.id); own != changed.end()) target = std::move(own->second);
  return true;
}

// The one that most members would like; the broker's first if none said.
Assignor MemberUpdate::assignor(const ConsumerMember& member) const {
  auto votes = group_.assignor_votes();
  if (before_.assignor) --votes[*before_.assignor];
  if (member.assignor) ++votes[*member.assignor];
  const auto most = std::ranges::max_element(votes, {}, [](const auto& vote) { return vote.second; });
  Assignor found = most == votes.end() || most->second <= 0 ? nullptr : find_assignor(most->first);
  if (found == nullptr) found = find_assignor(default_assignor(step_.context.config));
  return found;
}

Verdict<ConsumerMember> MemberUpdate::advance(const ConsumerMember& member, std::int32_t target_epoch,
                                              const Assignment& target, const OwnedPartitions* owned) {
  if (!subscription_changed() && member.reconciled_to(target_epoch)) return member;
  const std::set<Uuid> subscribed = subscribed_topics(member, resolved_, step_.context.image);
  auto next =
      reconcile(member, {.target_epoch = target_epoch,
                         .target = target,
                         .subscription_changed = subscription_changed(),
                         .subscribed = subscribed,
                         .owned = owned,
                         .taken = [&](const Uuid& topic, std::int32_t p) { return group_.taken(topic, p); }});
  if (!next) return refuse(ErrorCode::kFencedMemberEpoch, std::move(next.error()));
  if (*next != member) step_.decision.records.push_back(consumer_current_record(group_.name(), *next));
  return std::move(*next);
}

}  // namespace moldau::group
