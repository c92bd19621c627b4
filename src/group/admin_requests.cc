// What administrators ask of groups: ListGroups, DescribeGroups, DeleteGroups. Whoever asks about several
// groups has sorted out which are here.
#include <algorithm>
#include <cctype>

#include "group/classic_group.h"
#include "group/machine.h"
#include "group/offset_requests.h"
#include "wire/text.h"

namespace moldau::group {
namespace {

using wire::DeleteGroupsResponse;
using wire::DescribeGroupsResponse;
using wire::ListGroupsResponse;

constexpr std::int16_t kFirstWithNotFound = 6;  // DescribeGroups, KIP-1043

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

// No filter, or one of those, whatever their case.
bool passes(const std::vector<std::string_view>& filter, std::string_view name) {
  return filter.empty() ||
         std::ranges::any_of(filter, [&](std::string_view wanted) { return lower(wanted) == lower(name); });
}

void describe_group(const ClassicGroup& group, DescribeGroupsResponse::DescribedGroup& out) {
  const bool stable = group.is(ClassicGroup::State::kStable);
  out.group_state = group.state_name();
  out.protocol_type = group.protocol_type();
  const std::string_view protocol =
      stable && group.protocol_name() ? std::string_view(*group.protocol_name()) : std::string_view();
  out.protocol_data = protocol;
  for (const auto& [id, member] : group.members()) {
    out.members.push_back({.member_id = id,
                           .group_instance_id = member->instance_id,
                           .client_id = member->client_id,
                           .client_host = member->client_host,
                           .member_metadata = stable ? member->metadata(protocol) : ByteView{},
                           .member_assignment = stable ? ByteView(member->assignment) : ByteView{}});
  }
}

}  // namespace

Decision Machine::handle(const Context&, const Caller& caller, const wire::ListGroupsRequest& request) {
  ListGroupsResponse response;
  for (const auto& [name, group] : groups_.all()) {
    if (!passes(request.states_filter, group->state_name()) ||
        !passes(request.types_filter, type_name(group->type())))
      continue;
    response.groups.push_back({.group_id = name,
                               .protocol_type = group->protocol_type(),
                               .group_state = group->state_name(),
                               .group_type = type_name(group->type())});
  }
  Decision decision;
  decision.answer(caller.reply_to, response);
  return decision;
}

Decision Machine::handle(const Context&, const Caller& caller, const wire::DescribeGroupsRequest& request) {
  DescribeGroupsResponse response;
  std::vector<std::string> texts;
  texts.reserve(request.groups.size());
  for (const std::string_view name : request.groups) {
    auto& out = response.groups.emplace_back();
    out.group_id = name;
    const Group* group = groups_.find(name);
    if (group != nullptr && group->type() == ClassicGroup::kType) {
      describe_group(static_cast<const ClassicGroup&>(*group), out);
      continue;
    }
    out.group_state = "Dead";
    if (caller.reply_to.version < kFirstWithNotFound) continue;
    out.error_code = code(ErrorCode::kGroupIdNotFound);
    out.error_message = texts.emplace_back(wire::sayable(
        "Group " + std::string(name) + (group == nullptr ? " not found." : " is not a classic group.")));
  }
  Decision decision;
  decision.answer(caller.reply_to, response);
  return decision;
}

Decision Machine::handle(const Context&, const Caller& caller, const wire::DeleteGroupsRequest& request) {
  Decision decision{.divisible = true};
  DeleteGroupsResponse response;
  bool error = false;
  for (const std::string_view name : request.groups_names) {
    const Group* group = groups_.find(name);
    const ErrorCode verdict = group == nullptr ? ErrorCode::kGroupIdNotFound : group->check_delete();
    response.results.push_back({.group_id = name, .error_code = code(verdict)});
    error = error || verdict != ErrorCode::kNone;
    if (verdict != ErrorCode::kNone) continue;
    offset_requests_->add_tombstones(name, decision.records);
    group->add_tombstones(decision.records);
  }
  decision.answer(caller.reply_to, response, error);
  return decision;
}

}  // namespace moldau::group
