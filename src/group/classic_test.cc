// Groups of the classic protocol, as clients see them.
#include <algorithm>

#include "group/classic_fixture.h"

namespace moldau::group {
namespace {

using wire::HeartbeatRequest;
using wire::HeartbeatResponse;
using wire::JoinGroupRequest;
using wire::JoinGroupResponse;
using wire::LeaveGroupRequest;
using wire::LeaveGroupResponse;
using wire::SyncGroupRequest;
using wire::SyncGroupResponse;

TEST_F(ClassicTest, MembersJoinTheLeaderGivesWork) {
  const std::string a = new_id(), b = new_id();
  const Ticket join_a = ask(join(a)), join_b = ask(join(b));
  pass(2'900);
  EXPECT_FALSE(answered(join_a)) << "group.initial.rebalance.delay.ms is 3,000";
  pass(3'200);
  const auto to_a = answer<JoinGroupResponse>(join_a);
  const auto to_b = answer<JoinGroupResponse>(join_b);
  EXPECT_EQ(to_a.generation_id, 1);
  EXPECT_EQ(to_a.leader, a);
  EXPECT_EQ(to_a.members.size(), 2u);
  EXPECT_EQ(to_a.protocol_name, "range");
  EXPECT_EQ(to_b.leader, a);
  EXPECT_TRUE(to_b.members.empty());
  EXPECT_EQ(heartbeat(b, 1), ErrorCode::kNone);
  const Ticket sync_b = sync(b, 1);
  EXPECT_FALSE(answered(sync_b)) << "the leader has not given work yet";
  const Ticket sync_a = sync(a, 1, {a, b});
  EXPECT_EQ(synced(sync_a), ErrorCode::kNone);
  const auto work = answer<SyncGroupResponse>(sync_b);
  EXPECT_TRUE(std::ranges::equal(work.assignment, kWork));
  EXPECT_EQ(state(), "Stable");
}

TEST_F(ClassicTest, WhoIsNotHeardOfIsRemovedAndTheOthersJoinAgain) {
  const auto ids = stable(2);
  for (int i = 0; i < 4; ++i) {
    pass(3'000);
    heartbeat(ids[0], 1);
  }
  EXPECT_EQ(heartbeat(ids[0], 1), ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(heartbeat(ids[1], 1), ErrorCode::kUnknownMemberId);
  const auto again = answer<JoinGroupResponse>(ask(join(ids[0])));
  EXPECT_EQ(again.generation_id, 2);
  EXPECT_EQ(again.members.size(), 1u);
}

TEST_F(ClassicTest, WhoLeavesIsGoneAtOnce) {
  const auto ids = stable(2);
  LeaveGroupRequest leave{.group_id = "g"};
  leave.members.push_back({.member_id = ids[1]});
  const auto left = answer<LeaveGroupResponse>(ask(leave));
  EXPECT_EQ(left.members[0].error_code, 0);
  EXPECT_EQ(heartbeat(ids[0], 1), ErrorCode::kRebalanceInProgress);
}

TEST_F(ClassicTest, AfterARestartTheGroupIsAsItWas) {
  const auto ids = stable(2);
  restart();
  EXPECT_EQ(state(), "Stable");
  EXPECT_EQ(heartbeat(ids[0], 1), ErrorCode::kNone);
  EXPECT_EQ(heartbeat(ids[1], 1), ErrorCode::kNone);
  const auto work = answer<SyncGroupResponse>(sync(ids[1], 1));
  EXPECT_TRUE(std::ranges::equal(work.assignment, kWork));
  EXPECT_EQ(heartbeat(ids[0], 0), ErrorCode::kIllegalGeneration);
}

TEST_F(ClassicTest, OnlyMembersOfTheGenerationCommit) {
  const auto ids = stable(1);
  const auto commit = [&](std::string_view member, std::int32_t generation) {
    wire::OffsetCommitRequest request{
        .group_id = "g", .generation_id_or_member_epoch = generation, .member_id = member};
    request.topics.push_back({.name = "t", .partitions = {{.partition_index = 1, .committed_offset = 42}}});
    const auto reply = answer<wire::OffsetCommitResponse>(ask(request, 9));
    return static_cast<ErrorCode>(reply.topics[0].partitions[0].error_code);
  };
  EXPECT_EQ(commit(ids[0], 1), ErrorCode::kNone);
  EXPECT_EQ(commit(ids[0], 2), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(commit("nobody", 1), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(commit("", -1), ErrorCode::kUnknownMemberId) << "the group has members";
}

TEST_F(ClassicTest, AStaticMemberComesBackUnderAnotherIdWithoutARebalance) {
  const Ticket first = ask(join("", "i1"));
  pass(3'100);
  const std::string old_id(answer<JoinGroupResponse>(first).member_id);
  EXPECT_EQ(synced(sync(old_id, 1, {old_id})), ErrorCode::kNone);
  const auto back = answer<JoinGroupResponse>(ask(join("", "i1")));
  EXPECT_EQ(back.generation_id, 1);
  EXPECT_TRUE(back.skip_assignment);
  EXPECT_NE(back.member_id, old_id);
  EXPECT_EQ(state(), "Stable");
  HeartbeatRequest late{.group_id = "g", .generation_id = 1, .member_id = old_id, .group_instance_id = "i1"};
  EXPECT_EQ(answer<HeartbeatResponse>(ask(late)).error_code, code(ErrorCode::kFencedInstanceId));
  restart();
  EXPECT_EQ(heartbeat(back.member_id, 1), ErrorCode::kNone);
}

TEST_F(ClassicTest, OfTwoWithOneStaticIdTheFirstIsFencedWhileItWaits) {
  const Ticket first = ask(join("", "i1"));
  const Ticket second = ask(join("", "i1"));
  EXPECT_EQ(joined(first), ErrorCode::kFencedInstanceId);
  pass(6'100);
  EXPECT_EQ(joined(second), ErrorCode::kNone);
  EXPECT_EQ(answer<JoinGroupResponse>(second).members.size(), 1u);
}

TEST_F(ClassicTest, AMemberThatNeverSyncsIsRemoved) {
  const std::string a = new_id(), b = new_id();
  const Ticket join_a = ask(join(a));
  ask(join(b));
  pass(6'100);
  ASSERT_TRUE(answered(join_a));
  sync(a, 1, {a, b});
  for (int i = 0; i < 13; ++i) {
    heartbeat(a, 1), heartbeat(b, 1);
    pass(5'000);
  }
  EXPECT_EQ(heartbeat(b, 1), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(heartbeat(a, 1), ErrorCode::kRebalanceInProgress);
}

// They are waited for as long as their sessions are, not for as long as members may take to join.
TEST_F(ClassicTest, IdsThatNobodyUsesAreForgotten) {
  const auto ids = stable(1);
  for (int i = 0; i < 100'000; ++i) new_id();
  const Ticket again = ask(join(ids[0]));
  pass(9'900);
  EXPECT_FALSE(answered(again));
  pass(200);
  ASSERT_TRUE(answered(again)) << "ids that never came back keep nobody waiting";
  EXPECT_EQ(answer<JoinGroupResponse>(again).members.size(), 1u);
}

// Everybody is gone, and the group waits for one who has only got its id so far.
TEST_F(ClassicTest, WhoHasGotAnIdMayJoinWhenNobodyIsLeft) {
  const auto ids = stable(1);
  const std::string late = new_id();
  LeaveGroupRequest leave{.group_id = "g"};
  leave.members.push_back({.member_id = ids[0]});
  ask(leave);
  EXPECT_EQ(state(), "PreparingRebalance");
  EXPECT_EQ(joined(ask(join(late))), ErrorCode::kNone);
}

TEST_F(ClassicTest, AnAssignmentTooLargeForARecordIsRefused) {
  const std::string a = new_id();
  const Ticket joined_a = ask(join(a));
  pass(3'100);
  ASSERT_TRUE(answered(joined_a));
  const Bytes large(2 << 20);
  SyncGroupRequest request{.group_id = "g", .generation_id = 1, .member_id = a};
  request.assignments.push_back({.member_id = a, .assignment = large});
  EXPECT_EQ(synced(ask(request)), ErrorCode::kUnknownServerError);
  EXPECT_EQ(state(), "PreparingRebalance");
}

TEST_F(ClassicTest, TheGroupIsNotLargerThanAllowed) {
  config_.group_max_size = 1;
  stable(1);
  const auto second = answer<JoinGroupResponse>(ask(join(), 3));
  EXPECT_EQ(second.error_code, code(ErrorCode::kGroupMaxSizeReached));
}

TEST_F(ClassicTest, WrongNamesTimesAndProtocolsAreRefused) {
  JoinGroupRequest request = join();
  request.group_id = "";
  EXPECT_EQ(joined(ask(request)), ErrorCode::kInvalidGroupId);
  request = join();
  request.session_timeout_ms = 5'999;
  EXPECT_EQ(joined(ask(request)), ErrorCode::kInvalidSessionTimeout);
  request = join("somebody");
  EXPECT_EQ(joined(ask(request)), ErrorCode::kUnknownMemberId);
  request = join();
  request.protocols.clear();
  EXPECT_EQ(joined(ask(request)), ErrorCode::kInconsistentGroupProtocol);
  EXPECT_EQ(machine_->group_count(), 0u) << "a refused request leaves no group behind";
}

}  // namespace
}  // namespace moldau::group
