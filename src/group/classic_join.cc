// JoinGroup, versions 0 to 9.
#include <algorithm>

#include "group/classic_protocol.h"
#include "wire/reader.h"

namespace moldau::group {
namespace {

using State = ClassicGroup::State;
using wire::JoinGroupRequest;
using wire::JoinGroupResponse;

constexpr std::int16_t kFirstWithKnownIds = 4;        // KIP-394: MEMBER_ID_REQUIRED
constexpr std::int16_t kFirstWithNullProtocol = 7;    // KIP-559
constexpr std::int16_t kFirstWithSkipAssignment = 9;  // KIP-814
// A client that does not know its id cannot be heard of otherwise than by joining.
constexpr std::int64_t kNewMemberTimeoutMs = 5 * 60'000;

// 36 characters, as java.util.UUID writes itself.
std::string hyphenated(const Uuid& uuid) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[uuid.bytes[i] >> 4];
    text += kDigits[uuid.bytes[i] & 15];
  }
  return text;
}

// A name of its own that says whose it is: of a name that is nearly as long as a string may be, the front.
std::string new_member_id(const Context& context, const Caller& caller, const JoinGroupRequest& request) {
  const std::string unique = "-" + hyphenated(context.random.uuid());
  std::string_view whose = request.group_instance_id.value_or(caller.client_id);
  const std::size_t most = wire::kMaxStringBytes - unique.size();
  if (whose.size() > most) whose = whose.substr(0, most);
  return std::string(whose) + unique;
}

// A group that is as large as it may be takes back only who is in it already.
bool accepts(const ClassicGroup& group, std::string_view member_id, std::size_t max_size) {
  const auto member = group.members().find(member_id);
  const bool known = member != group.members().end();
  switch (group.state()) {
    case State::kEmpty:
      return true;
    case State::kPreparingRebalance:
      return (known && member->second->joining) || group.joining() < max_size;
    default:
      return known || group.members().size() < max_size;
  }
}

std::int32_t rebalance_timeout_ms(const JoinGroupRequest& request) {
  return request.rebalance_timeout_ms == -1 ? request.session_timeout_ms : request.rebalance_timeout_ms;
}

ErrorCode check(const Context& context, const JoinGroupRequest& request) {
  if (request.group_id.empty()) return ErrorCode::kInvalidGroupId;
  if (request.session_timeout_ms < context.config.group_min_session_timeout_ms ||
      request.session_timeout_ms > context.config.group_max_session_timeout_ms)
    return ErrorCode::kInvalidSessionTimeout;
  return ErrorCode::kNone;
}

void add_members(const ClassicGroup& group, JoinGroupResponse& response) {
  for (const auto& [id, member] : group.members())
    response.members.push_back({.member_id = id,
                                .group_instance_id = member->instance_id,
                                .metadata = member->metadata(group.protocol())});
}

}  // namespace

void refuse_join(Step step, const ReplyTo& reply_to, ErrorCode error, std::string_view member_id) {
  JoinGroupResponse response{.error_code = code(error), .member_id = member_id};
  response.protocol_name =
      reply_to.version >= kFirstWithNullProtocol ? std::nullopt : std::optional(std::string_view(""));
  step.decision.answer(reply_to, response, true);
}

void ClassicProtocol::join(Step step, const Caller& caller, const JoinGroupRequest& request) {
  const auto refuse = [&](ErrorCode error) { refuse_join(step, caller.reply_to, error, request.member_id); };
  if (const ErrorCode wrong = check(step.context, request); wrong != ErrorCode::kNone) return refuse(wrong);
  const bool is_new = request.member_id.empty();
  Group* found = groups_.find(request.group_id);
  if (found == nullptr && !is_new) return refuse(ErrorCode::kUnknownMemberId);
  // An empty group of the other kind makes room for who is new; nobody else has anything to look for in it.
  if (found != nullptr && found->type() != ClassicGroup::kType)
    return refuse(is_new ? ErrorCode::kInconsistentGroupProtocol : ErrorCode::kUnknownMemberId);
  // A request that is refused must not leave a group behind.
  if (found == nullptr && (request.protocol_type.empty() || request.protocols.empty()))
    return refuse(ErrorCode::kInconsistentGroupProtocol);
  ClassicGroup& group = found != nullptr ? static_cast<ClassicGroup&>(*found)
                                         : groups_.put(std::make_unique<ClassicGroup>(
                                               timers_, std::string(request.group_id), step.wall_ms()));
  if (!accepts(group, request.member_id, static_cast<std::size_t>(step.context.config.group_max_size))) {
    if (group.has_member(request.member_id)) remove_member(step, group, request.member_id);
    return refuse_join(step, caller.reply_to, ErrorCode::kGroupMaxSizeReached, "");
  }
  is_new ? join_new(step, caller, request, group) : join_again(step, caller, request, group);
}

void ClassicProtocol::join_new(Step step, const Caller& caller, const JoinGroupRequest& request,
                               ClassicGroup& group) {
  if (!group.supports(request.protocol_type, protocols_of(request)))
    return refuse_join(step, caller.reply_to, ErrorCode::kInconsistentGroupProtocol, "");
  const std::string id = new_member_id(step.context, caller, request);
  if (request.group_instance_id) {
    if (const auto old = group.static_member(*request.group_instance_id))
      return join_as_instance(step, caller, request, group, *old, id);
  } else if (caller.reply_to.version >= kFirstWithKnownIds) {
    return give_id(step, caller, request, group, id);
  }
  add_member(step, caller, request, group, id);
}

// Whoever comes back with the id joins; who does not, has cost a name (KIP-394).
void ClassicProtocol::give_id(Step step, const Caller& caller, const JoinGroupRequest& request,
                              ClassicGroup& group, const std::string& id) {
  auto& deadline = group.pending()[id];
  deadline = std::make_unique<Deadline>(timers_, Due{Due::Kind::kSession, group.name(), id});
  deadline->set(step.in_ms(request.session_timeout_ms));
  refuse_join(step, caller.reply_to, ErrorCode::kMemberIdRequired, id);
}

void ClassicProtocol::join_again(Step step, const Caller& caller, const JoinGroupRequest& request,
                                 ClassicGroup& group) {
  const auto refuse = [&](ErrorCode error) { refuse_join(step, caller.reply_to, error, request.member_id); };
  if (!group.supports(request.protocol_type, protocols_of(request)))
    return refuse(ErrorCode::kInconsistentGroupProtocol);
  if (const auto pending = group.pending().find(request.member_id); pending != group.pending().end()) {
    if (request.group_instance_id) return refuse(ErrorCode::kUnknownMemberId);
    group.pending().erase(pending);
    return add_member(step, caller, request, group, request.member_id);
  }
  const ErrorCode unknown = group.check_member(request.member_id, request.group_instance_id);
  if (unknown != ErrorCode::kNone) return refuse(unknown);
  ClassicMember& member = *group.find(request.member_id);
  const bool same = member.protocols == protocols_of(request);
  switch (group.state()) {
    case State::kEmpty:
      return refuse(ErrorCode::kUnknownMemberId);
    case State::kPreparingRebalance:
      break;
    case State::kCompletingRebalance:
      // Its first answer was lost: it gets it again.
      if (same) return tell_generation(step, group, member, caller.reply_to);
      break;
    case State::kStable:
      // The leader asks for a new round; a follower that has not changed is told where things stand.
      if (same && !group.is_leader(member.id)) return tell_generation(step, group, member, caller.reply_to);
      break;
  }
  update_member(step, caller, request, group, member);
  rebalance_or_complete(step, group, "member " + member.id + " joins again" + because(request.reason));
}

void ClassicProtocol::add_member(Step step, const Caller& caller, const JoinGroupRequest& request,
                                 ClassicGroup& group, std::string_view id) {
  auto made = std::make_unique<ClassicMember>(timers_, group.name(), id);
  if (request.group_instance_id) made->instance_id = *request.group_instance_id;
  made->client_id = caller.client_id;
  made->client_host = caller.client_host;
  made->rebalance_timeout_ms = rebalance_timeout_ms(request);
  made->session_timeout_ms = request.session_timeout_ms;
  made->protocols = protocols_of(request);
  made->is_new = true;
  if (group.is(State::kPreparingRebalance) && group.previous_state() == State::kEmpty)
    group.new_member_added = true;
  ClassicMember& member = group.add(std::move(made), request.protocol_type);
  group.set_joining(member, caller.reply_to);
  member.session.set(step.in_ms(kNewMemberTimeoutMs));
  step.decision.notes.push_back("member " + member.id + " joins " + describe(group) +
                                because(request.reason));
  rebalance_or_complete(step, group, "member " + member.id + " joins");
}

void ClassicProtocol::update_member(Step step, const Caller& caller, const JoinGroupRequest& request,
                                    ClassicGroup& group, ClassicMember& member) {
  // Asked twice at once: the older question has no one who waits for it.
  if (member.joining) refuse_join(step, *member.joining, ErrorCode::kRebalanceInProgress, member.id);
  group.set_protocols(member, protocols_of(request));
  group.set_joining(member, caller.reply_to);
  member.rebalance_timeout_ms = rebalance_timeout_ms(request);
  member.session_timeout_ms = request.session_timeout_ms;
}

// Another process with the same group.instance.id: it is the member now, and who was it before is fenced. If
// nothing changes for the others they do not have to join again (KIP-345).
void ClassicProtocol::join_as_instance(Step step, const Caller& caller, const JoinGroupRequest& request,
                                       ClassicGroup& group, const std::string& old_id,
                                       const std::string& new_id) {
  ClassicMember& old = *group.find(old_id);
  const std::string leader_before(group.leader());
  if (old.joining) refuse_join(step, *old.joining, ErrorCode::kFencedInstanceId, old_id);
  if (old.syncing) refuse_sync(step, *old.syncing, ErrorCode::kFencedInstanceId);
  group.set_joining(old, std::nullopt);
  auto made = std::make_unique<ClassicMember>(timers_, group.name(), new_id);
  made->instance_id = *request.group_instance_id;
  made->client_id = caller.client_id;
  made->client_host = caller.client_host;
  made->rebalance_timeout_ms = rebalance_timeout_ms(request);
  made->session_timeout_ms = request.session_timeout_ms;
  made->protocols = protocols_of(request);
  made->assignment = old.assignment;
  ClassicMember& member = group.rename(old_id, std::move(made));
  step.decision.notes.push_back("static member " + *member.instance_id + " of " + describe(group) + " is " +
                                new_id + " now, " + old_id + " is fenced");
  group.set_joining(member, caller.reply_to);
  member.session.set(step.in_ms(member.session_timeout_ms));
  const bool quiet = group.is(State::kStable) && group.protocol_name() == group.select_protocol();
  if (!quiet) return rebalance_or_complete(step, group, "static member " + new_id + " joins");
  group.set_joining(member, std::nullopt);
  step.decision.records.push_back(group.to_record());
  // Who leads now must not give out work again. Since version 9 that can be said; an older client is told of
  // a leader that is not itself.
  const bool skip = caller.reply_to.version >= kFirstWithSkipAssignment;
  const bool leads = group.is_leader(new_id);
  JoinGroupResponse response{.generation_id = group.generation(),
                             .protocol_type = group.protocol_type(),
                             .protocol_name = *group.protocol_name(),
                             .leader = skip ? group.leader() : std::string_view(leader_before),
                             .skip_assignment = skip && leads,
                             .member_id = new_id,
                             .members = {}};
  if (skip && leads) add_members(group, response);
  step.decision.answer(caller.reply_to, response);
}

void ClassicProtocol::tell_generation(Step step, ClassicGroup& group, ClassicMember& member,
                                      const ReplyTo& reply_to) {
  JoinGroupResponse response{.generation_id = group.generation(),
                             .protocol_type = group.protocol_type(),
                             .protocol_name = *group.protocol_name(),
                             .leader = group.leader(),
                             .member_id = member.id,
                             .members = {}};
  if (group.is_leader(member.id) && !group.is(State::kStable)) add_members(group, response);
  step.decision.answer(reply_to, response);
}

}  // namespace moldau::group
