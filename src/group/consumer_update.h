// What happens to a consumer group when one of its members says what it wants, in the three steps of KIP-848:
//
//   1. the member is written down; if what the group is subscribed to changes by that, or has changed by
//      itself, the group's epoch is bumped
//   2. if the group's epoch is ahead of the target's, and the last target is old enough, a new target is made
//   3. the member takes a step towards the target
//
// Decides: the records are the result, nothing is changed but what the group remembers of metadata that it
// has looked at. (Kafka: GroupMetadataManager.consumerGroupHeartbeat and what it shares with
// classicGroupJoinToConsumerGroup.)
#pragma once

#include <expected>
#include <string>

#include "group/classic_protocol.h"
#include "group/consumer_group.h"
#include "group/consumer_hash.h"
#include "group/consumer_reconcile.h"
#include "group/target_builder.h"

namespace moldau::group {

// A request that is answered with an error.
struct Refusal {
  ErrorCode error;
  std::string message;
};
template <typename T>
using Verdict = std::expected<T, Refusal>;
inline std::unexpected<Refusal> refuse(ErrorCode error, std::string message) {
  return std::unexpected(Refusal{error, std::move(message)});
}

class MemberUpdate {
 public:
  // `before`: the member as the log tells it after the records of `step` so far; one with an id only if it is
  // new.
  MemberUpdate(Step step, MetadataHashes& hashes, ConsumerGroup& group, const ConsumerMember& before)
      : step_(step), hashes_(hashes), group_(group), before_(before), resolved_(group.resolved()) {}

  // All three steps. The member as it is then.
  Verdict<ConsumerMember> run(ConsumerMember member, const OwnedPartitions* owned);

  // The first step, and what it leads to.
  Verdict<void> write_down(const ConsumerMember& member);
  bool subscription_changed() const { return names_changed_ || regex_changed_; }
  std::int32_t group_epoch() const { return epoch_; }
  // The third step, towards a given target.
  Verdict<ConsumerMember> advance(const ConsumerMember& member, std::int32_t target_epoch,
                                  const Assignment& target, const OwnedPartitions* owned);

 private:
  Verdict<void> change_regex(const ConsumerMember& member);
  void refresh_regexes(const ConsumerMember& member);
  void resolve(const std::string& regex);
  void bump_epoch(const ConsumerMember& member);
  // The second step: the target of `member`, and whether it is new.
  bool make_target(const ConsumerMember& member, Assignment& target);
  Assignor assignor(const ConsumerMember& member) const;

  Step step_;
  MetadataHashes& hashes_;
  ConsumerGroup& group_;
  const ConsumerMember& before_;
  ResolvedRegexes resolved_;  // as they are after this
  bool names_changed_ = false, regex_changed_ = false;
  bool demands_changed_ = false;  // what the group is subscribed to
  std::int32_t epoch_ = 0;        // of the group, after this
};

// The topics that a group is subscribed to, after a member became another (nullptr: came, or went), and
// regular expressions became others.
TopicDemands demands_after(const ConsumerGroup& group, const ConsumerMember* before,
                           const ConsumerMember* after, const ResolvedRegexes& resolved);

// What members get that have no wish: the first of group.consumer.assignors that is known here.
std::string_view default_assignor(const config::BrokerConfig& config);

// A setting of this group, or else of the broker: "consumer.session.timeout.ms".
std::int32_t group_setting(const Context& context, std::string_view group, std::string_view name,
                           std::int32_t otherwise);

}  // namespace moldau::group
