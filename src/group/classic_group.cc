#include "group/classic_group.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/fault.h"
#include "group/records.h"
#include "wire/gen/consumer_protocol.h"
#include "wire/reader.h"

namespace moldau::group {
namespace {

constexpr std::string_view kConsumerProtocolType = "consumer";
// The newest without tagged fields that every Kafka since 2.3 reads.
constexpr std::int16_t kValueVersion = 3;

Bytes copy(ByteView bytes) { return {bytes.begin(), bytes.end()}; }

// The topics of a subscription: what stands first in every version of it, behind the version's number.
bool read_topics(ByteView metadata, std::set<std::string, std::less<>>& topics) {
  wire::Reader reader(metadata);
  reader.number<std::int16_t>("version");
  wire::ConsumerProtocolSubscription subscription;
  if (!decode(reader, 0, subscription)) return false;
  for (const std::string_view topic : subscription.topics) topics.emplace(topic);
  return true;
}

}  // namespace

std::vector<Protocol> protocols_of(const wire::JoinGroupRequest& request) {
  std::vector<Protocol> protocols;
  protocols.reserve(request.protocols.size());
  for (const auto& protocol : request.protocols)
    protocols.push_back({std::string(protocol.name), copy(protocol.metadata)});
  return protocols;
}

ByteView ClassicMember::metadata(std::string_view protocol) const {
  for (const Protocol& known : protocols)
    if (known.name == protocol) return known.metadata;
  return {};
}

ClassicGroup::ClassicGroup(Timers& timers, std::string name, std::int64_t now_ms)
    : Group(name),
      join_deadline(timers, {Due::Kind::kJoin, name, {}}),
      sync_deadline(timers, {Due::Kind::kSync, name, {}}),
      state_since_ms_(now_ms) {}

std::string_view ClassicGroup::state_name() const {
  switch (state_) {
    case State::kEmpty:
      return "Empty";
    case State::kPreparingRebalance:
      return "PreparingRebalance";
    case State::kCompletingRebalance:
      return "CompletingRebalance";
    case State::kStable:
      return "Stable";
  }
  return "";
}

void ClassicGroup::go_to(State state, std::int64_t now_ms) {
  previous_state_ = std::exchange(state_, state);
  state_since_ms_ = now_ms;
}

ErrorCode ClassicGroup::check_commit(const Committer& committer) const {
  if (committer.generation_or_epoch < 0 && state_ == State::kEmpty) return ErrorCode::kNone;
  if (committer.generation_or_epoch >= 0 || !committer.member_id.empty() || committer.instance_id) {
    const ErrorCode unknown = check_member(committer.member_id, committer.instance_id);
    if (unknown != ErrorCode::kNone) return unknown;
    if (committer.generation_or_epoch != generation_ && !fault_is(Fault::kTakeOldGeneration))
      return ErrorCode::kIllegalGeneration;
  } else if (!committer.transactional && state_ != State::kEmpty) {
    return ErrorCode::kUnknownMemberId;
  }
  // It knows the generation from its JoinGroup, and will soon know its assignment, too.
  if (!committer.transactional && state_ == State::kCompletingRebalance)
    return ErrorCode::kRebalanceInProgress;
  return ErrorCode::kNone;
}

ErrorCode ClassicGroup::check_delete() const {
  return state_ == State::kEmpty ? ErrorCode::kNone : ErrorCode::kNonEmptyGroup;
}

ErrorCode ClassicGroup::check_offset_delete() const {
  const bool known = protocol_type_ == kConsumerProtocolType;
  return state_ == State::kEmpty || known ? ErrorCode::kNone : ErrorCode::kNonEmptyGroup;
}

bool ClassicGroup::subscribed_to(std::string_view topic) const {
  return topics_ ? topics_->contains(topic) : protocol_type_ == kConsumerProtocolType;
}

std::optional<Ageing> ClassicGroup::ageing() const {
  if (!protocol_type_) return Ageing{};
  if (state_ == State::kEmpty) return Ageing{.since_ms = state_since_ms_};
  const bool knows = protocol_type_ == kConsumerProtocolType && topics_ && state_ == State::kStable;
  return knows ? std::optional(Ageing{}) : std::nullopt;
}

void ClassicGroup::add_tombstones(std::vector<Record>& records) const {
  records.push_back(make_tombstone(wire::GroupMetadataKey{.group = name()}));
}

ClassicMember* ClassicGroup::find(std::string_view id) {
  const auto found = members_.find(id);
  return found == members_.end() ? nullptr : found->second.get();
}

std::optional<std::string> ClassicGroup::static_member(std::string_view instance_id) const {
  const auto found = static_members_.find(instance_id);
  return found == static_members_.end() ? std::nullopt : std::optional(found->second);
}

ErrorCode ClassicGroup::check_member(std::string_view id, std::optional<std::string_view> instance_id) const {
  if (instance_id) {
    const auto current = static_member(*instance_id);
    if (!current) return ErrorCode::kUnknownMemberId;
    if (*current != id) return ErrorCode::kFencedInstanceId;
  }
  return has_member(id) ? ErrorCode::kNone : ErrorCode::kUnknownMemberId;
}

void ClassicGroup::count(const ClassicMember& member, int by) {
  std::set<std::string_view> once;
  for (const Protocol& protocol : member.protocols) {
    if (!once.insert(protocol.name).second) continue;
    std::size_t& members = supported_[protocol.name];
    members += static_cast<std::size_t>(by);
    if (members == 0) supported_.erase(protocol.name);
  }
  if (member.joining) joining_ += static_cast<std::size_t>(by);
}

ClassicMember& ClassicGroup::add(std::unique_ptr<ClassicMember> member, std::string_view protocol_type) {
  if (members_.empty()) protocol_type_ = protocol_type;
  if (!leader_) leader_ = member->id;
  if (member->instance_id) static_members_[*member->instance_id] = member->id;
  count(*member, 1);
  const auto [place, added] = members_.try_emplace(member->id, std::move(member));
  CHECK(added, place->first);
  return *place->second;
}

std::unique_ptr<ClassicMember> ClassicGroup::remove(std::string_view id) {
  const auto found = members_.find(id);
  CHECK(found != members_.end(), id);
  auto member = std::move(found->second);
  members_.erase(found);
  count(*member, -1);
  unsynced_.erase(member->id);
  if (member->instance_id && static_member(*member->instance_id) == member->id)
    static_members_.erase(*member->instance_id);
  if (is_leader(member->id))
    leader_ = members_.empty() ? std::nullopt : std::optional(members_.begin()->first);
  return member;
}

ClassicMember& ClassicGroup::rename(std::string_view old_id, std::unique_ptr<ClassicMember> renamed) {
  const bool led = is_leader(old_id);
  const auto found = members_.find(old_id);
  CHECK(found != members_.end(), old_id);
  count(*found->second, -1);
  unsynced_.erase(found->first);
  members_.erase(found);
  if (led) leader_ = renamed->id;
  static_members_[*renamed->instance_id] = renamed->id;
  count(*renamed, 1);
  return *members_.try_emplace(renamed->id, std::move(renamed)).first->second;
}

void ClassicGroup::set_protocols(ClassicMember& member, std::vector<Protocol> protocols) {
  count(member, -1);
  member.protocols = std::move(protocols);
  count(member, 1);
}

void ClassicGroup::set_joining(ClassicMember& member, std::optional<ReplyTo> reply_to) {
  if (member.joining) --joining_;
  member.joining = reply_to;
  if (member.joining) ++joining_;
}

bool ClassicGroup::elect_joined_leader() {
  const ClassicMember* leader = leader_ ? find(*leader_) : nullptr;
  if (leader != nullptr && leader->joining) return true;
  for (const auto& [id, member] : members_) {
    if (!member->joining) continue;
    leader_ = id;
    return true;
  }
  return false;
}

std::int32_t ClassicGroup::rebalance_timeout_ms() const {
  std::int32_t longest = 0;
  for (const auto& [id, member] : members_) longest = std::max(longest, member->rebalance_timeout_ms);
  return longest;
}

// A group that only waits for who has got an id has no members: every protocol is known to all of them.
bool ClassicGroup::supports(std::string_view protocol_type, const std::vector<Protocol>& protocols) const {
  if (state_ == State::kEmpty) return !protocol_type.empty() && !protocols.empty();
  return protocol_type_ == protocol_type && std::ranges::any_of(protocols, [&](const Protocol& protocol) {
           const auto found = supported_.find(protocol.name);
           return (found == supported_.end() ? 0 : found->second) == members_.size();
         });
}

std::string ClassicGroup::select_protocol() const {
  std::map<std::string_view, std::size_t> votes;
  for (const auto& [id, member] : members_) {
    for (const Protocol& protocol : member->protocols) {
      if (supported_.find(protocol.name)->second != members_.size()) continue;
      ++votes[protocol.name];
      break;
    }
  }
  CHECK(!votes.empty(), name());
  const auto most = std::ranges::max_element(votes, {}, [](const auto& vote) { return vote.second; });
  return std::string(most->first);
}

void ClassicGroup::next_generation(std::int64_t now_ms) {
  ++generation_;
  unsynced_.clear();
  protocol_name_ = members_.empty() ? std::nullopt : std::optional(select_protocol());
  learn_topics();
  go_to(members_.empty() ? State::kEmpty : State::kCompletingRebalance, now_ms);
}

void ClassicGroup::learn_topics() {
  topics_.reset();
  if (protocol_type_ != kConsumerProtocolType) return;
  std::set<std::string, std::less<>> topics;
  for (const auto& [id, member] : members_)
    if (!protocol_name_ || !read_topics(member->metadata(*protocol_name_), topics)) return;
  topics_ = std::move(topics);
}

Record ClassicGroup::to_record() const {
  wire::GroupMetadataValue value{.protocol_type = protocol_type(),
                                 .generation = generation_,
                                 .protocol = protocol_name_,
                                 .leader = leader_,
                                 .current_state_timestamp = state_since_ms_.value_or(-1),
                                 .members = {}};
  for (const auto& [id, member] : members_) {
    value.members.push_back({.member_id = id,
                             .group_instance_id = member->instance_id,
                             .client_id = member->client_id,
                             .client_host = member->client_host,
                             .rebalance_timeout = member->rebalance_timeout_ms,
                             .session_timeout = member->session_timeout_ms,
                             .subscription = member->metadata(protocol()),
                             .assignment = member->assignment});
  }
  return make_record(wire::GroupMetadataKey{.group = name()}, value, kValueVersion);
}

Result<std::unique_ptr<ClassicGroup>> ClassicGroup::from_record(Timers& timers, std::string_view name,
                                                                const wire::GroupMetadataValue& value) {
  if (!value.members.empty() && !value.protocol)
    return fail(ErrorKind::kCorrupt,
                "GroupMetadataValue: members: expected a protocol of theirs, found null");
  auto group = std::make_unique<ClassicGroup>(timers, std::string(name), value.current_state_timestamp);
  for (const auto& stored : value.members) {
    if (group->has_member(stored.member_id))
      return fail(ErrorKind::kCorrupt, "GroupMetadataValue: members: expected each once, found " +
                                           std::string(stored.member_id) + " twice");
    auto member = std::make_unique<ClassicMember>(timers, name, stored.member_id);
    if (stored.group_instance_id) member->instance_id = *stored.group_instance_id;
    member->client_id = stored.client_id;
    member->client_host = stored.client_host;
    member->session_timeout_ms = stored.session_timeout;
    member->rebalance_timeout_ms =
        stored.rebalance_timeout == -1 ? stored.session_timeout : stored.rebalance_timeout;
    member->protocols = {{std::string(value.protocol.value_or("")), copy(stored.subscription)}};
    member->assignment = copy(stored.assignment);
    group->add(std::move(member), value.protocol_type);
  }
  group->generation_ = value.generation;
  group->protocol_type_ =
      value.protocol_type.empty() ? std::nullopt : std::optional(std::string(value.protocol_type));
  group->protocol_name_ = value.protocol ? std::optional(std::string(*value.protocol)) : std::nullopt;
  if (!value.leader) group->depose_leader();
  if (value.leader && group->has_member(*value.leader)) group->leader_ = *value.leader;
  group->state_ = group->members_.empty() ? State::kEmpty : State::kStable;
  group->previous_state_ = group->state_;
  group->state_since_ms_ =
      value.current_state_timestamp == -1 ? std::nullopt : std::optional(value.current_state_timestamp);
  group->learn_topics();
  return group;
}

}  // namespace moldau::group
