// The consumer protocol's half: ConsumerGroupHeartbeat as it should be and as it should not, and
// ConsumerGroupDescribe.
#include <algorithm>

#include "sim/owner.h"
#include "wire/gen/consumer_group_describe.h"

namespace moldau::sim {
namespace {

using wire::ErrorCode;

constexpr std::int16_t kFirstWithRegex = 1;
// No group gets there.
constexpr std::int32_t kFarAhead = 1000;

bool may_be_told(ErrorCode error) {
  switch (error) {
    case ErrorCode::kUnknownMemberId:
    case ErrorCode::kGroupIdNotFound:
    case ErrorCode::kCoordinatorLoadInProgress:
    case ErrorCode::kCoordinatorNotAvailable:
    case ErrorCode::kNotCoordinator:
      return true;
    default:
      return false;
  }
}

}  // namespace

Owner::Beat Owner::beat_request(std::int32_t epoch) const {
  Beat request{.group_id = book_.group(), .member_id = id_, .member_epoch = epoch};
  if (spec_.instance_id) request.instance_id = *spec_.instance_id;
  return request;
}

void Owner::add_owned(Beat& request, const TopicPartitions& owned) const {
  auto& out = request.topic_partitions.emplace();
  for (const auto& [topic, partition] : owned) {
    const Uuid id = book_.topics().at(topic)->topic().id;
    if (out.empty() || out.back().topic_id != id) out.push_back({.topic_id = id, .partitions = {}});
    out.back().partitions.push_back(partition);
  }
}

void Owner::heartbeat() {
  const bool all = epoch_ == 0 || tell_all_;
  Beat request = beat_request(epoch_);
  std::optional<TopicPartitions> said;
  if (all || held_ != told_ || one_in(8)) said = held_;
  if (said) add_owned(request, *said);
  if (all) {
    request.rebalance_timeout_ms = spec_.rebalance_ms;
    request.subscribed_topic_names = {names_.begin(), names_.end()};
    if (spec_.heartbeat_version >= kFirstWithRegex) request.subscribed_topic_regex = regex_;
    if (!spec_.assignor.empty()) request.server_assignor = spec_.assignor;
  }
  for (const TopicPartition& partition : held_) standing().asked.try_emplace(partition, world_.clock.now());
  const Asked asked = now_asked();
  ask<wire::ConsumerGroupHeartbeatResponse>(
      spec_.heartbeat_version, request,
      [this, asked, said, all](const wire::ConsumerGroupHeartbeatResponse& response) {
        answered(asked, response, said, all);
      },
      0, true, asked.times);
}

void Owner::answered(const Asked& asked, const wire::ConsumerGroupHeartbeatResponse& response,
                     const std::optional<TopicPartitions>& said, bool must_tell) {
  if (outdated(asked)) return;
  if (response.error_code != 0) return told(error_of(response.error_code));
  if (id_.empty()) id_ = response.member_id.value_or("");
  if (response.member_id.value_or("") != id_)
    return world_.violate(name() + " (" + id_ + ") gets the answer to " +
                          std::string(response.member_id.value_or("nobody")));
  if (response.member_epoch < std::max(epoch_, 1))
    return world_.violate(name() + " goes back from epoch " + std::to_string(epoch_) + " to " +
                          std::to_string(response.member_epoch));
  if (must_tell && !response.assignment)
    return world_.violate(name() + " has asked for its assignment, and is not told");
  if (epoch_ != response.member_epoch) {
    epoch_ = response.member_epoch;
    epochs_.push_back(epoch_);
    settled_ = false;
  }
  if (response.assignment) {
    assigned_.clear();
    for (const auto& topic : response.assignment->topic_partitions) {
      const std::string topic_name = topic_of(topic.topic_id);
      for (const std::int32_t partition : topic.partitions) assigned_.emplace(topic_name, partition);
    }
  }
  world_.note([&] {
    return name() + " (" + id_ + ") says " + (said ? sim::to_string(*said) : "nothing new") +
           ", shall have " + sim::to_string(assigned_) + " at epoch " + std::to_string(epoch_);
  });
  phase_ = Phase::kIn;
  tell_all_ = false;
  confirm(asked, said);
  reconcile(asked.times->answered);
  go_on_soon(settled_ ? 300 : kPaceMs);
}

// The coordinator counts on it, and knows what it was told.
void Owner::confirm(const Asked& asked, const std::optional<TopicPartitions>& said) {
  auto& being_asked = standing().asked;
  standing().heard = asked.times->arrived;
  if (said) {
    told_ = *said;
    std::erase_if(being_asked, [&](const auto& entry) { return !said->contains(entry.first); });
  }
  for (const TopicPartition& partition : assigned_) being_asked.erase(partition);
  book_.heard(number_);
  for (const TopicPartition& partition : all_partitions()) {
    const bool may_have =
        assigned_.contains(partition) || held_.contains(partition) || being_asked.contains(partition);
    if (!may_have) lacked_[partition] = epoch_;
  }
}

void Owner::reconcile(env::Instant decided) {
  take(assigned_, decided);
  if (held_ != assigned_) let_go_later();
}

void Owner::let_go_later() {
  if (std::exchange(letting_go_, true)) return;
  const std::int64_t most_ms = world_.calm ? 60 : one_in(5) ? 2 * spec_.rebalance_ms : 150;
  after(milliseconds(world_.random.between(1, most_ms)), [this, incarnation = incarnation_] {
    if (incarnation != incarnation_) return;
    letting_go_ = false;
    TopicPartitions rest;
    std::ranges::set_difference(held_, assigned_, std::inserter(rest, rest.end()));
    give_up(rest);
  });
}

// With an epoch or a name that it has not: nobody may listen to it.
void Owner::beat_wrongly() {
  Beat request = beat_request(epoch_ + kFarAhead);
  const std::string nobody = name() + "-nobody";
  ErrorCode expected = ErrorCode::kFencedMemberEpoch;
  switch (below(4)) {
    case 0:
      break;
    case 1:  // as somebody else
      request = {.group_id = book_.group(), .member_id = nobody, .member_epoch = epoch_};
      expected = ErrorCode::kUnknownMemberId;
      break;
    case 2:  // joins and has something already
      if (held_.empty() || spec_.instance_id) return heartbeat();
      request = beat_request(0);
      request.rebalance_timeout_ms = spec_.rebalance_ms;
      request.subscribed_topic_names = {names_.begin(), names_.end()};
      add_owned(request, held_);
      expected = ErrorCode::kInvalidRequest;
      break;
    default:
      // The last but one might be one whose answer was lost.
      if (epochs_.size() < 3) return heartbeat();
      request = beat_request(epochs_[below(epochs_.size() - 2)]);
      add_owned(request, held_);
  }
  world_.note([&] {
    return name() + " says it is " + std::string(request.member_id) + " at epoch " +
           std::to_string(request.member_epoch);
  });
  ask<wire::ConsumerGroupHeartbeatResponse>(
      spec_.heartbeat_version, request,
      [this, expected, epoch = request.member_epoch](const wire::ConsumerGroupHeartbeatResponse& response) {
        const ErrorCode error = error_of(response.error_code);
        if (error != expected && !may_be_told(error))
          world_.violate(name() + " (" + id_ + ") at epoch " + std::to_string(epoch_) +
                         " was heard as if at epoch " + std::to_string(epoch) + ": expected " +
                         std::string(wire::name(expected)) + ", found " + std::string(wire::name(error)));
        go_on_soon();
      });
}

void Owner::leave_with(std::int32_t epoch) {
  const std::string id = id_;
  world_.note([&] { return name() + " (" + id + ") leaves with epoch " + std::to_string(epoch); });
  Beat request = beat_request(epoch);
  request.member_id = id;
  start_anew(epoch == -2 || one_in(2));
  ask<wire::ConsumerGroupHeartbeatResponse>(
      spec_.heartbeat_version, request, [this, epoch](const wire::ConsumerGroupHeartbeatResponse& response) {
        if (response.error_code == 0 && response.member_epoch != epoch)
          world_.violate(name() + " leaves with epoch " + std::to_string(epoch) + ", and is told " +
                         std::to_string(response.member_epoch));
        go_on_soon(one_in(3) ? 2 * kSessionMs : 300);
      });
}

void Owner::change_wishes() {
  names_.clear();
  regex_.clear();
  const bool regex = spec_.heartbeat_version >= kFirstWithRegex && one_in(2);
  if (regex) regex_ = one_in(3) ? "t0" : "t.*";
  for (const auto& [topic, commits] : book_.topics())
    if (!regex && (names_.empty() || one_in(2))) names_.push_back(topic);
  tell_all_ = true;
  settled_ = false;
  go_on_soon();
}

// Settled is who is described as he is, in a group that is stable.
void Owner::describe() {
  wire::ConsumerGroupDescribeRequest request;
  request.group_ids = {book_.group()};
  ask<wire::ConsumerGroupDescribeResponse>(
      1, request, [this](const wire::ConsumerGroupDescribeResponse& response) {
        const auto& group = response.groups.at(0);
        const ErrorCode error = error_of(group.error_code);
        const auto me = std::ranges::find(group.members, std::string_view(id_),
                                          &wire::ConsumerGroupDescribeResponse::Member::member_id);
        if (error == ErrorCode::kGroupIdNotFound) {
          settled_ = classic_;  // a group of classic members alone is no consumer group
        } else if (error == ErrorCode::kNone && me != group.members.end()) {
          TopicPartitions mine;
          for (const auto& topic : me->assignment.topic_partitions)
            for (const std::int32_t p : topic.partitions) mine.emplace(topic_of(topic.topic_id), p);
          settled_ = group.group_state == "Stable" && group.group_epoch == epoch_ &&
                     group.assignment_epoch == epoch_ && me->member_epoch == epoch_ && mine == held_;
        }
        go_on_soon();
      });
}

}  // namespace moldau::sim
