// Which of the ways that its members know a classic group takes, and who may join it with what he knows.
#include <initializer_list>

#include "group/classic_fixture.h"

namespace moldau::group {
namespace {

using wire::JoinGroupRequest;
using wire::JoinGroupResponse;

// Clients before KIP-394, which are members with their first request.
class ClassicProtocolsTest : public ClassicTest {
 protected:
  JoinGroupRequest offer(std::initializer_list<std::string_view> protocols, std::string_view member = "") {
    JoinGroupRequest request = join(member);
    request.protocols.clear();
    for (const std::string_view name : protocols)
      request.protocols.push_back({.name = name, .metadata = keep(Bytes(name.begin(), name.end()))});
    return request;
  }
  Ticket ask_old(const JoinGroupRequest& request) { return ask(request, 3); }
  // What a new group of members with these lists takes, best first in each.
  std::string chosen(std::initializer_list<std::initializer_list<std::string_view>> lists) {
    std::vector<Ticket> joins;
    for (const auto& list : lists) joins.push_back(ask_old(offer(list)));
    pass(6'100);
    std::string found(answer<JoinGroupResponse>(joins.front()).protocol_name.value_or(""));
    for (const Ticket ticket : joins) EXPECT_EQ(answer<JoinGroupResponse>(ticket).protocol_name, found);
    return found;
  }
};

TEST_F(ClassicProtocolsTest, WhatAllKnowIsTaken) {
  EXPECT_EQ(chosen({{"a", "b"}, {"c", "b"}}), "b") << "a and c have their votes only where all know them";
}

TEST_F(ClassicProtocolsTest, OfWhatAllKnowTheMostLiked) {
  EXPECT_EQ(chosen({{"a", "b"}, {"b", "x", "a"}, {"b", "a"}}), "b");
}

TEST_F(ClassicProtocolsTest, AVoteIsForTheFirstThatAllKnow) {
  EXPECT_EQ(chosen({{"x", "b", "a"}, {"y", "b", "a"}, {"a", "b"}}), "b");
}

TEST_F(ClassicProtocolsTest, WhatIsNamedTwiceByOneIsNotWhatTwoKnow) {
  EXPECT_EQ(chosen({{"a", "a", "b"}, {"b"}}), "b");
}

// Whoever comes first, and whatever ids they are given.
TEST_F(ClassicProtocolsTest, ATieIsDecidedTheSameWayEachTime) {
  EXPECT_EQ(chosen({{"b", "a"}, {"a", "b"}}), "a");
  machine_ = std::make_unique<Machine>(clock_.now());
  log_.clear();
  restart();
  EXPECT_EQ(chosen({{"a", "b"}, {"b", "a"}}), "a");
}

TEST_F(ClassicProtocolsTest, TheLeaderIsToldWhatEachSaysUnderTheChosen) {
  const Ticket leads = ask_old(offer({"a", "b"}));
  ask_old(offer({"b"}));
  pass(6'100);
  const auto told = answer<JoinGroupResponse>(leads);
  ASSERT_EQ(told.members.size(), 2u);
  for (const auto& member : told.members)
    EXPECT_EQ(std::string(member.metadata.begin(), member.metadata.end()), "b");
}

TEST_F(ClassicProtocolsTest, WhoKnowsNothingThatAllKnowIsRefused) {
  ask_old(offer({"a", "b"}));
  ask_old(offer({"b", "c"}));
  pass(6'100);
  EXPECT_EQ(joined(ask_old(offer({"a", "c"}))), ErrorCode::kInconsistentGroupProtocol)
      << "each of both is known to one only";
  JoinGroupRequest other = offer({"b"});
  other.protocol_type = "connect";
  EXPECT_EQ(joined(ask_old(other)), ErrorCode::kInconsistentGroupProtocol);
  EXPECT_EQ(state(), "CompletingRebalance") << "nobody was disturbed";
  ask_old(offer({"b"}));
  EXPECT_EQ(state(), "PreparingRebalance");
}

// A rolling upgrade: when the last that knows the old way alone has gone, the new one is taken.
TEST_F(ClassicProtocolsTest, WhoGoesTakesItsVoteAlong) {
  const Ticket first = ask_old(offer({"new", "old"})), second = ask_old(offer({"old"}));
  pass(6'100);
  const std::string a(answer<JoinGroupResponse>(first).member_id),
      b(answer<JoinGroupResponse>(second).member_id);
  EXPECT_EQ(answer<JoinGroupResponse>(first).protocol_name, "old");
  wire::LeaveGroupRequest leave{.group_id = "g"};
  leave.members.push_back({.member_id = b});
  ask(leave);
  const auto again = answer<JoinGroupResponse>(ask_old(offer({"new", "old"}, a)));
  EXPECT_EQ(again.generation_id, 2);
  EXPECT_EQ(again.protocol_name, "new");
}

}  // namespace
}  // namespace moldau::group
