// Members of a classic group that come and go at odd moments: leaders that are lost, newcomers while the
// group begins, several that leave with one request, one too many.
#include "group/classic_fixture.h"

namespace moldau::group {
namespace {

using wire::HeartbeatRequest;
using wire::JoinGroupRequest;
using wire::JoinGroupResponse;
using wire::LeaveGroupRequest;
using wire::LeaveGroupResponse;

class ClassicMembersTest : public ClassicTest {
 protected:
  // A client before KIP-394, which is a member with its first request; it waits 10 s for the others.
  Ticket join_early() {
    JoinGroupRequest request = join();
    request.rebalance_timeout_ms = 10'000;
    return ask(request, 3);
  }
  // Each leaves: (member id, instance id). What is said of each.
  std::vector<ErrorCode> leave(const std::vector<std::pair<std::string, std::optional<std::string>>>& who) {
    LeaveGroupRequest request{.group_id = "g"};
    for (const auto& [id, instance] : who)
      request.members.push_back({.member_id = id, .group_instance_id = instance});
    const auto reply = answer<LeaveGroupResponse>(ask(request));
    EXPECT_EQ(reply.error_code, 0);
    std::vector<ErrorCode> errors;
    for (std::size_t i = 0; i < reply.members.size(); ++i) {
      EXPECT_EQ(reply.members[i].member_id, who[i].first);
      errors.push_back(static_cast<ErrorCode>(reply.members[i].error_code));
    }
    return errors;
  }
};

// --- leaders ---

TEST_F(ClassicMembersTest, AnotherLeadsWhenTheLeaderLeaves) {
  const auto ids = stable(3);
  EXPECT_EQ(leave({{ids[0], {}}}), std::vector{ErrorCode::kNone});
  EXPECT_EQ(heartbeat(ids[1], 1), ErrorCode::kRebalanceInProgress);
  const Ticket one = ask(join(ids[1])), two = ask(join(ids[2]));
  const auto told = answer<JoinGroupResponse>(one);
  EXPECT_EQ(told.generation_id, 2);
  EXPECT_TRUE(told.leader == ids[1] || told.leader == ids[2]) << told.leader;
  EXPECT_EQ(answer<JoinGroupResponse>(two).leader, told.leader);
  const auto of_leader = answer<JoinGroupResponse>(told.leader == ids[1] ? one : two);
  EXPECT_EQ(of_leader.members.size(), 2u) << "it knows for whom it has to find work";
  sync(ids[1], 2, ids), sync(ids[2], 2, ids);
  EXPECT_EQ(state(), "Stable");
}

// It lives, says so, and does not join: the others do not wait longer than the rebalance timeout.
TEST_F(ClassicMembersTest, AnotherLeadsWhenTheLeaderDoesNotJoinAgain) {
  const auto ids = stable(2);
  const Ticket late = ask(join(new_id()));
  const Ticket one = ask(join(ids[1]));
  for (int i = 0; i < 11; ++i) {
    EXPECT_EQ(heartbeat(ids[0], 1), ErrorCode::kRebalanceInProgress);
    EXPECT_FALSE(answered(one) || answered(late)) << i;
    pass(5'000);
  }
  pass(5'100);
  const auto told = answer<JoinGroupResponse>(one);
  EXPECT_EQ(told.generation_id, 2);
  EXPECT_NE(told.leader, ids[0]);
  EXPECT_EQ(answer<JoinGroupResponse>(late).leader, told.leader);
  EXPECT_EQ(told.members.size() + answer<JoinGroupResponse>(late).members.size(), 2u);
  EXPECT_EQ(heartbeat(ids[0], 1), ErrorCode::kUnknownMemberId);
}

// A static leader keeps its place in the group, not its part in it.
TEST_F(ClassicMembersTest, AStaticLeaderThatDoesNotJoinAgainLeadsNoMore) {
  const Ticket first = ask(join("", "i1")), second = ask(join("", "i2"));
  pass(6'100);
  const std::string a(answer<JoinGroupResponse>(first).member_id);
  const std::string b(answer<JoinGroupResponse>(second).member_id);
  EXPECT_EQ(answer<JoinGroupResponse>(first).leader, a);
  sync(b, 1);
  EXPECT_EQ(synced(sync(a, 1, {a, b})), ErrorCode::kNone);
  const Ticket third = ask(join("", "i3"));
  const Ticket again = ask(join(b, "i2"));
  for (int i = 0; i < 12; ++i) {
    heartbeat(a, 1);
    pass(5'000);
  }
  pass(100);
  const auto told = answer<JoinGroupResponse>(again);
  EXPECT_NE(told.leader, a);
  EXPECT_EQ(told.members.size() + answer<JoinGroupResponse>(third).members.size(), 3u);
  EXPECT_EQ(heartbeat(a, 2), ErrorCode::kNone);
}

TEST_F(ClassicMembersTest, TheLeaderThatJoinsAgainAsksForANewRound) {
  const auto ids = stable(2);
  const auto follower = answer<JoinGroupResponse>(ask(join(ids[1])));
  EXPECT_EQ(follower.generation_id, 1) << "a follower that has nothing new is told where things stand";
  EXPECT_EQ(state(), "Stable");
  const Ticket leads = ask(join(ids[0]));
  EXPECT_FALSE(answered(leads));
  EXPECT_EQ(heartbeat(ids[1], 1), ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(answer<JoinGroupResponse>(ask(join(ids[1]))).generation_id, 2);
  EXPECT_EQ(answer<JoinGroupResponse>(leads).leader, ids[0]);
}

// --- group.initial.rebalance.delay.ms ---

TEST_F(ClassicMembersTest, WhoIsAloneWaitsTheInitialDelayOnce) {
  const Ticket one = join_early();
  pass(2'900);
  EXPECT_FALSE(answered(one));
  pass(200);
  EXPECT_EQ(joined(one), ErrorCode::kNone);
}

// Each newcomer moves the end by the delay, up to the rebalance timeout.
TEST_F(ClassicMembersTest, NewcomersExtendTheInitialDelayUpToTheRebalanceTimeout) {
  std::vector<Ticket> joins;
  for (const std::int64_t ms : {2'900, 3'000, 2'900, 1'100}) {  // at 0, 2.9, 5.9 and 8.8 s
    joins.push_back(join_early());
    pass(ms);
    for (const Ticket ticket : joins) EXPECT_FALSE(answered(ticket)) << joins.size();
  }
  joins.push_back(join_early());  // at 9.9 s: too late to move it once more
  EXPECT_FALSE(answered(joins[0]));
  pass(200);
  for (const Ticket ticket : joins) {
    ASSERT_EQ(joined(ticket), ErrorCode::kNone);
    EXPECT_EQ(answer<JoinGroupResponse>(ticket).generation_id, 1);
  }
  EXPECT_EQ(answer<JoinGroupResponse>(joins[0]).members.size(), 5u);
}

TEST_F(ClassicMembersTest, WhereNobodyComesTheDelayIsNotExtendedAgain) {
  const Ticket one = join_early();
  pass(1'000);
  const Ticket two = join_early();
  pass(4'900);
  EXPECT_FALSE(answered(one));
  pass(200);
  EXPECT_EQ(joined(one), ErrorCode::kNone);
  EXPECT_EQ(joined(two), ErrorCode::kNone);
}

// --- LeaveGroup of several ---

TEST_F(ClassicMembersTest, SeveralLeaveWithOneRequestAndEachIsTold) {
  const Ticket a = ask(join("", "i1")), b = ask(join("", "i2"));
  const std::string c = new_id();
  const Ticket join_c = ask(join(c));
  pass(6'100);
  const std::string id_a(answer<JoinGroupResponse>(a).member_id),
      id_b(answer<JoinGroupResponse>(b).member_id);
  ASSERT_EQ(joined(join_c), ErrorCode::kNone);
  const std::string pending = new_id();
  EXPECT_EQ(leave({{"nobody", {}}, {"", "i1"}, {c, "i2"}, {"", "i9"}, {pending, {}}, {id_b, "i9"}}),
            (std::vector{ErrorCode::kUnknownMemberId, ErrorCode::kNone, ErrorCode::kFencedInstanceId,
                         ErrorCode::kUnknownMemberId, ErrorCode::kNone, ErrorCode::kUnknownMemberId}));
  EXPECT_EQ(heartbeat(id_a, 1), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(heartbeat(id_b, 1), ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(joined(ask(join(pending))), ErrorCode::kUnknownMemberId) << "its id was given back";
  const Ticket join_b = ask(join(id_b, "i2")), again_c = ask(join(c));
  EXPECT_EQ(answer<JoinGroupResponse>(join_b).generation_id, 2);
  EXPECT_EQ(joined(again_c), ErrorCode::kNone);
}

TEST_F(ClassicMembersTest, WhereNobodyThatIsNamedIsAMemberNothingHappens) {
  const auto ids = stable(2);
  EXPECT_EQ(leave({{"nobody", {}}, {"", "i1"}}),
            (std::vector{ErrorCode::kUnknownMemberId, ErrorCode::kUnknownMemberId}));
  EXPECT_EQ(state(), "Stable");
  EXPECT_EQ(leave({}), std::vector<ErrorCode>{});
  EXPECT_EQ(heartbeat(ids[0], 1), ErrorCode::kNone);
}

// Who has only got its id keeps the others waiting until it leaves; named twice, it is gone the second time.
TEST_F(ClassicMembersTest, WhoeverIsWaitedForFreesTheOthersByLeaving) {
  const auto ids = stable(1);
  const std::string pending = new_id();
  const Ticket again = ask(join(ids[0]));
  EXPECT_FALSE(answered(again));
  EXPECT_EQ(leave({{pending, {}}, {pending, {}}}),
            (std::vector{ErrorCode::kNone, ErrorCode::kUnknownMemberId}));
  EXPECT_EQ(joined(again), ErrorCode::kNone);
}

TEST_F(ClassicMembersTest, AllLeaveTogether) {
  const auto ids = stable(2);
  EXPECT_EQ(leave({{ids[0], {}}, {ids[1], {}}}), (std::vector{ErrorCode::kNone, ErrorCode::kNone}));
  EXPECT_EQ(state(), "Empty");
  restart();
  EXPECT_EQ(state(), "Empty");
  EXPECT_EQ(heartbeat(ids[0], 1), ErrorCode::kUnknownMemberId);
}

// --- group.max.size ---

// While all join again the first are in, whoever they are; who was a member before and comes too late is out.
TEST_F(ClassicMembersTest, WhileAllJoinAgainTheFirstAreIn) {
  config_.group_max_size = 2;
  const auto ids = stable(2);
  const Ticket leads = ask(join(ids[0]));
  EXPECT_EQ(state(), "PreparingRebalance");
  const auto fast = new_id();
  const Ticket newcomer = ask(join(fast));
  EXPECT_FALSE(answered(newcomer));
  EXPECT_EQ(joined(ask(join(), 3)), ErrorCode::kGroupMaxSizeReached);
  EXPECT_EQ(joined(ask(join(ids[1]))), ErrorCode::kGroupMaxSizeReached);
  EXPECT_EQ(heartbeat(ids[1], 1), ErrorCode::kUnknownMemberId);
  const Ticket repeated = ask(join(ids[0]));
  EXPECT_EQ(joined(leads), ErrorCode::kRebalanceInProgress) << "the newer question counts";
  pass(60'100);
  EXPECT_EQ(joined(repeated), ErrorCode::kNone);
  EXPECT_EQ(answer<JoinGroupResponse>(newcomer).generation_id, 2);
  EXPECT_EQ(
      answer<JoinGroupResponse>(repeated).members.size() + answer<JoinGroupResponse>(newcomer).members.size(),
      2u);
}

}  // namespace
}  // namespace moldau::group
