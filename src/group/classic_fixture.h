// Clients of the classic protocol before a machine of the group coordinator.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "group/group_fixture.h"

namespace moldau::group {

constexpr std::uint8_t kWork[] = {1, 2, 3};

class ClassicTest : public GroupTest {
 protected:
  wire::JoinGroupRequest join(std::string_view member = "", std::optional<std::string_view> instance = {}) {
    return join_request(subscription_, member, instance);
  }
  // A new member of today's kind: it is given an id, and comes back with it.
  std::string new_id() {
    const auto reply = answer<wire::JoinGroupResponse>(ask(join()));
    EXPECT_EQ(reply.error_code, code(ErrorCode::kMemberIdRequired));
    return std::string(reply.member_id);
  }
  Ticket sync(std::string_view member, std::int32_t generation, std::vector<std::string> workers = {}) {
    wire::SyncGroupRequest request{.group_id = "g", .generation_id = generation, .member_id = member};
    for (const std::string& worker : workers)
      request.assignments.push_back({.member_id = worker, .assignment = kWork});
    return ask(request);
  }
  ErrorCode heartbeat(std::string_view member, std::int32_t generation) {
    const auto reply = answer<wire::HeartbeatResponse>(
        ask(wire::HeartbeatRequest{.group_id = "g", .generation_id = generation, .member_id = member}));
    return static_cast<ErrorCode>(reply.error_code);
  }
  ErrorCode joined(Ticket ticket) {
    return static_cast<ErrorCode>(answer<wire::JoinGroupResponse>(ticket).error_code);
  }
  ErrorCode synced(Ticket ticket) {
    return static_cast<ErrorCode>(answer<wire::SyncGroupResponse>(ticket).error_code);
  }
  std::string state() {
    const auto reply =
        answer<wire::DescribeGroupsResponse>(ask(wire::DescribeGroupsRequest{.groups = {"g"}}));
    return std::string(reply.groups[0].group_state);
  }
  // A stable group of `count` members; the first leads. Returns their ids.
  std::vector<std::string> stable(std::size_t count) {
    std::vector<std::string> ids;
    std::vector<Ticket> joins;
    for (std::size_t i = 0; i < count; ++i) ids.push_back(new_id());
    for (const std::string& id : ids) joins.push_back(ask(join(id)));
    pass(6'100);
    const auto first = answer<wire::JoinGroupResponse>(joins[0]);
    for (const std::string& id : ids)
      if (id != first.leader) sync(id, first.generation_id);
    const Ticket led = sync(first.leader, first.generation_id, ids);
    EXPECT_EQ(synced(led), ErrorCode::kNone);
    std::ranges::partition(ids, [&](const std::string& id) { return id == first.leader; });
    return ids;
  }

  const ByteView subscription_ = subscription();
};

}  // namespace moldau::group
