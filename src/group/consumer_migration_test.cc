// Members of both protocols in one group, and groups that go over.
#include "group/consumer_migration.h"

#include <algorithm>

#include "group/consumer_fixture.h"
#include "wire/gen/consumer_protocol.h"

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

// A client of the classic protocol, cooperative as today's are: it says what it owns.
struct Classic {
  std::string id{};
  std::int32_t generation = -1;
  std::optional<std::string> instance{};
  std::set<TopicPartition> owned{};
  std::string protocol_type = "consumer";
};

class MigrationTest : public ConsumerTest {
 protected:
  ByteView said_by(const Classic& c) {
    Owned owned;
    for (const auto& [id, partition] : c.owned) owned["t"].push_back(partition);
    return subscription({"t"}, owned);
  }
  Ticket send_join(Classic& c) {
    JoinGroupRequest request = join_request(said_by(c), c.id, c.instance);
    request.rebalance_timeout_ms = 20'000;
    request.protocol_type = c.protocol_type;
    return ask(request);
  }
  ErrorCode take_join(Classic& c, Ticket ticket) {
    const auto reply = answer<JoinGroupResponse>(ticket);
    if (reply.error_code == code(ErrorCode::kMemberIdRequired)) {
      c.id = reply.member_id;
      return take_join(c, send_join(c));
    }
    if (reply.error_code == 0) c.id = reply.member_id, c.generation = reply.generation_id;
    return static_cast<ErrorCode>(reply.error_code);
  }
  ErrorCode join(Classic& c) { return take_join(c, send_join(c)); }
  ErrorCode sync(Classic& c, const Bytes& leads_with = {}) {
    SyncGroupRequest request{.group_id = "g",
                             .generation_id = c.generation,
                             .member_id = c.id,
                             .group_instance_id = c.instance,
                             .protocol_type = "consumer",
                             .protocol_name = "range"};
    if (!leads_with.empty()) request.assignments.push_back({.member_id = c.id, .assignment = leads_with});
    const auto reply = answer<SyncGroupResponse>(ask(request));
    if (reply.error_code != 0) return static_cast<ErrorCode>(reply.error_code);
    c.owned.clear();
    wire::Reader reader(reply.assignment);
    reader.number<std::int16_t>("version");
    wire::ConsumerProtocolAssignment assignment;
    EXPECT_TRUE(decode(reader, 1, assignment));
    for (const auto& one : assignment.assigned_partitions) {
      for (const std::int32_t partition : one.partitions) c.owned.emplace(topic(one.topic), partition);
    }
    return ErrorCode::kNone;
  }
  ErrorCode heartbeat(const Classic& c) {
    return static_cast<ErrorCode>(
        answer<HeartbeatResponse>(ask(HeartbeatRequest{.group_id = "g",
                                                       .generation_id = c.generation,
                                                       .member_id = c.id,
                                                       .group_instance_id = c.instance}))
            .error_code);
  }
  void leave(const Classic& c) {
    LeaveGroupRequest request{.group_id = "g"};
    request.members.push_back({.member_id = c.id, .group_instance_id = c.instance});
    const auto reply = answer<LeaveGroupResponse>(ask(request));
    EXPECT_EQ(reply.members.at(0).error_code, 0);
  }
  using ConsumerTest::leave;
  // A classic group with one member that has all of topic t.
  Classic classic_group() {
    Classic c;
    EXPECT_EQ(static_cast<ErrorCode>(answer<JoinGroupResponse>(first_join(c)).error_code), ErrorCode::kNone);
    const Bytes all = write_assignment({{topic("t"), {0, 1, 2, 3}}}, said_by(c), *image_);
    EXPECT_EQ(sync(c, all), ErrorCode::kNone);
    EXPECT_EQ(c.owned, all_of("t"));
    return c;
  }
  Ticket first_join(Classic& c) {
    c.id = answer<JoinGroupResponse>(send_join(c)).member_id;
    const Ticket ticket = send_join(c);
    pass(3'100);  // the initial delay
    c.generation = answer<JoinGroupResponse>(ticket).generation_id;
    return ticket;
  }
  std::string type() {
    return std::string(
        answer<wire::ListGroupsResponse>(ask(wire::ListGroupsRequest{})).groups.at(0).group_type);
  }
  // Rounds of everybody, until nothing happens.
  void go_round(Classic& c, Member& m) {
    for (int i = 0; i < 6; ++i) {
      if (heartbeat(c) == ErrorCode::kRebalanceInProgress) {
        // What it was told to give back it gives back before it joins.
        if (join(c) == ErrorCode::kNone) sync(c);
      }
      beat(m);
      pass(1000);
    }
  }
  static std::size_t shared(const Classic& c, const Member& m) {
    return static_cast<std::size_t>(
        std::ranges::count_if(c.owned, [&](const TopicPartition& p) { return m.owned.contains(p); }));
  }
};

TEST_F(MigrationTest, UpAndDownAgain) {
  Classic c = classic_group();
  EXPECT_EQ(type(), "classic");
  Member m("m");
  EXPECT_EQ(beat(m), ErrorCode::kNone) << m.message;
  EXPECT_EQ(type(), "consumer");
  EXPECT_EQ(m.epoch, c.generation + 1);
  EXPECT_TRUE(m.owned.empty());
  const auto described = describe();
  ASSERT_EQ(described.members.size(), 2u);
  EXPECT_EQ(
      std::ranges::count(described.members, 0, &wire::ConsumerGroupDescribeResponse::Member::member_type), 1);
  EXPECT_EQ(heartbeat(c), ErrorCode::kRebalanceInProgress);
  go_round(c, m);
  EXPECT_EQ(state(), "Stable");
  EXPECT_EQ(c.owned.size(), 2u);
  EXPECT_EQ(m.owned.size(), 2u);
  EXPECT_EQ(shared(c, m), 0u);
  restart();
  EXPECT_EQ(heartbeat(c), ErrorCode::kNone);

  EXPECT_EQ(leave(m), ErrorCode::kNone);
  EXPECT_EQ(type(), "classic");
  EXPECT_EQ(heartbeat(c), ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(take_join(c, send_join(c)), ErrorCode::kNone);
  EXPECT_EQ(sync(c, write_assignment({{topic("t"), {0, 1, 2, 3}}}, said_by(c), *image_)), ErrorCode::kNone);
  EXPECT_EQ(c.owned, all_of("t"));
  restart();
  EXPECT_EQ(type(), "classic");
  EXPECT_EQ(heartbeat(c), ErrorCode::kNone);
}

TEST_F(MigrationTest, AClassicMemberComesToAConsumerGroup) {
  Member m("m");
  beat(m);
  pass(1000);
  Classic c;
  EXPECT_EQ(join(c), ErrorCode::kNone);
  EXPECT_EQ(sync(c), ErrorCode::kNone);
  EXPECT_TRUE(c.owned.empty());
  go_round(c, m);
  EXPECT_EQ(c.owned.size(), 2u);
  EXPECT_EQ(shared(c, m), 0u);
  EXPECT_EQ(state(), "Stable");
  Classic other = c;
  other.generation = 99;
  EXPECT_EQ(heartbeat(other), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(sync(other), ErrorCode::kIllegalGeneration);
  other.id = "nobody";
  EXPECT_EQ(heartbeat(other), ErrorCode::kUnknownMemberId);
  other.id = "m";  // speaks the other protocol
  EXPECT_EQ(heartbeat(other), ErrorCode::kUnknownMemberId);
  leave(c);
  pass(1000);
  beat(m);
  EXPECT_EQ(m.owned, all_of("t"));
}

TEST_F(MigrationTest, WhoDoesNotSyncOrJoinIsPutOut) {
  Member m("m");
  beat(m);
  pass(1000);
  Classic c;
  EXPECT_EQ(join(c), ErrorCode::kNone);
  for (int i = 0; i < 7; ++i) {  // 20 s to sync, and its session lives
    heartbeat(c);
    beat(m);
    pass(3'000);
  }
  EXPECT_EQ(heartbeat(c), ErrorCode::kUnknownMemberId);
}

TEST_F(MigrationTest, PoliciesShutTheWays) {
  config_.group_consumer_migration_policy = "disabled";
  classic_group();
  Member m("m");
  EXPECT_EQ(beat(m), ErrorCode::kGroupIdNotFound);
  EXPECT_EQ(m.message,
            "Cannot upgrade classic group g to consumer group because online upgrade is disabled.");
  EXPECT_EQ(type(), "classic");
  config_.group_consumer_migration_policy = "upgrade";
  EXPECT_EQ(beat(m), ErrorCode::kNone);
  leave(m);
  EXPECT_EQ(type(), "consumer");
  config_.group_consumer_migration_policy = "disabled";
  Classic c;
  EXPECT_EQ(join(c), ErrorCode::kInconsistentGroupProtocol);
}

TEST_F(MigrationTest, GroupsOfOtherKindsStayWhatTheyAre) {
  Classic c;
  c.protocol_type = "connect";
  first_join(c);
  Member m("m");
  EXPECT_EQ(beat(m), ErrorCode::kGroupIdNotFound);
  EXPECT_EQ(m.message,
            "Cannot upgrade classic group g to consumer group because the group does not use the consumer "
            "embedded protocol.");
  EXPECT_EQ(type(), "classic");
}

TEST_F(MigrationTest, WhoWaitsInAClassicGroupIsToldToComeAgain) {
  Classic c = classic_group();
  Classic waiting;
  waiting.id = answer<JoinGroupResponse>(send_join(waiting)).member_id;
  const Ticket ticket = send_join(waiting);
  EXPECT_FALSE(answered(ticket));
  Member m("m");
  EXPECT_EQ(beat(m), ErrorCode::kNone) << m.message;
  EXPECT_EQ(answer<JoinGroupResponse>(ticket).error_code, code(ErrorCode::kRebalanceInProgress));
  EXPECT_EQ(join(waiting), ErrorCode::kNone);
  EXPECT_EQ(describe().members.size(), 3u);
}

TEST_F(MigrationTest, AStaticMemberChangesItsProtocol) {
  Classic c;
  c.instance = "i";
  const Ticket ticket = send_join(c);
  pass(3'100);
  EXPECT_EQ(take_join(c, ticket), ErrorCode::kNone);
  EXPECT_EQ(sync(c, write_assignment({{topic("t"), {0, 1, 2, 3}}}, said_by(c), *image_)), ErrorCode::kNone);
  Member m("m");
  m.instance = "i";
  EXPECT_EQ(beat(m), ErrorCode::kNone) << m.message;
  EXPECT_EQ(m.owned, all_of("t"));
  EXPECT_EQ(heartbeat(c), ErrorCode::kFencedInstanceId);
  // … and back, when its process is an older one again.
  Classic again;
  again.instance = "i";
  EXPECT_EQ(join(again), ErrorCode::kNone);
  EXPECT_EQ(type(), "classic");
  EXPECT_EQ(sync(again), ErrorCode::kNone);
  EXPECT_EQ(again.owned, all_of("t"));
  restart();
  EXPECT_EQ(type(), "classic");
  EXPECT_EQ(heartbeat(again), ErrorCode::kNone);
}

// A client's assignor may have given out what is not there. Nobody has it when all have joined anew.
TEST_F(MigrationTest, WhatIsNotThereIsTakenFromWhoWasGivenIt) {
  Classic c;
  first_join(c);
  wire::ConsumerProtocolAssignment given;
  given.assigned_partitions = {{.topic = "t", .partitions = {0, 1, 2, 3, 4, 99, 2'000'000'000, -1}},
                               {.topic = "nowhere", .partitions = {0, 1}}};
  wire::Writer writer;
  writer.number(std::int16_t{1});
  encode(writer, 1, given);
  SyncGroupRequest request{.group_id = "g", .generation_id = c.generation, .member_id = c.id};
  request.assignments.push_back({.member_id = c.id, .assignment = keep(writer.to_bytes())});
  EXPECT_EQ(answer<SyncGroupResponse>(ask(request, 3)).error_code, 0);
  for (std::int32_t i = 0; i < 4; ++i) c.owned.emplace(topic("t"), i);
  Member m("m");
  EXPECT_EQ(beat(m), ErrorCode::kNone) << m.message;
  EXPECT_EQ(type(), "consumer");
  restart();
  go_round(c, m);
  EXPECT_EQ(state(), "Stable");
  std::set<TopicPartition> both = c.owned;
  both.insert(m.owned.begin(), m.owned.end());
  EXPECT_EQ(both, all_of("t"));
  EXPECT_EQ(shared(c, m), 0u);
  for (const auto& member : describe().members) {
    for (const auto& one : member.assignment.topic_partitions) {
      for (const std::int32_t partition : one.partitions) EXPECT_LT(partition, 4) << member.member_id;
    }
  }
}

TEST_F(MigrationTest, AnEmptyConsumerGroupMakesRoom) {
  Member m("m");
  beat(m);
  leave(m);
  EXPECT_EQ(type(), "consumer");
  const auto again = answer<JoinGroupResponse>(ask(wire::JoinGroupRequest{.group_id = "g",
                                                                          .session_timeout_ms = 10'000,
                                                                          .member_id = "m",
                                                                          .protocol_type = "consumer",
                                                                          .protocols = {{}},
                                                                          .reason = {}}));
  EXPECT_EQ(again.error_code, code(ErrorCode::kUnknownMemberId))
      << "clients give up at 23, and come anew at 25";
  classic_group();
  EXPECT_EQ(type(), "classic");
  restart();
  EXPECT_EQ(type(), "classic");
}

// INCONSISTENT_GROUP_PROTOCOL would be the end of a Java consumer.
TEST_F(MigrationTest, WhoWasGivenAnIdByAGroupThatIsEmptyNowAsksForAnother) {
  Member m("m");
  beat(m);
  Classic c;
  const auto first = answer<JoinGroupResponse>(send_join(c));
  EXPECT_EQ(first.error_code, code(ErrorCode::kMemberIdRequired));
  c.id = first.member_id;
  leave(m);
  EXPECT_EQ(answer<JoinGroupResponse>(send_join(c)).error_code, code(ErrorCode::kUnknownMemberId));
  classic_group();
  EXPECT_EQ(type(), "classic");
}

TEST_F(MigrationTest, AStaticMemberThatHadNotAllOfItsTargetGetsItInAClassicGroup) {
  Classic c = classic_group();
  Member m("m");
  m.instance = "i";
  EXPECT_EQ(beat(m), ErrorCode::kNone);
  EXPECT_TRUE(m.owned.empty());  // c has not given anything back yet
  EXPECT_EQ(leave(m, -2), ErrorCode::kNone);
  while (heartbeat(c) == ErrorCode::kRebalanceInProgress) {
    EXPECT_EQ(join(c), ErrorCode::kNone);
    EXPECT_EQ(sync(c), ErrorCode::kNone);
  }
  EXPECT_EQ(c.owned.size(), 2u);
  Classic again;
  again.instance = "i";
  EXPECT_EQ(join(again), ErrorCode::kNone);
  EXPECT_EQ(type(), "classic");
  EXPECT_EQ(heartbeat(c), ErrorCode::kRebalanceInProgress);
}

TEST_F(MigrationTest, ARebalanceThatFollowsAMigrationOutlivesTheCoordinator) {
  Classic c = classic_group();
  Member m("m");
  beat(m);
  go_round(c, m);
  EXPECT_EQ(m.owned.size(), 2u);
  EXPECT_EQ(leave(m), ErrorCode::kNone);
  EXPECT_EQ(type(), "classic");
  restart();
  EXPECT_EQ(heartbeat(c), ErrorCode::kRebalanceInProgress);
  EXPECT_EQ(join(c), ErrorCode::kNone);
  EXPECT_EQ(sync(c, write_assignment({{topic("t"), {0, 1, 2, 3}}}, said_by(c), *image_)), ErrorCode::kNone);
  EXPECT_EQ(c.owned, all_of("t"));
  restart();
  EXPECT_EQ(heartbeat(c), ErrorCode::kNone);
}

TEST_F(MigrationTest, ATopicThatGrewIsSharedOutAnewWithAMigration) {
  Classic c = classic_group();
  Member m("m");
  m.instance = "i";
  beat(m);
  go_round(c, m);
  EXPECT_EQ(leave(m, -2), ErrorCode::kNone);
  add_partition("t", 4);
  Classic again;
  again.instance = "i";
  EXPECT_EQ(join(again), ErrorCode::kNone);
  EXPECT_EQ(type(), "classic");
  EXPECT_EQ(heartbeat(c), ErrorCode::kRebalanceInProgress);
}

// A static member's successor wants what it wanted, so nothing but that would make a new target.
TEST_F(MigrationTest, WhatTheLeaderHasNotSharedOutIsSharedOut) {
  Classic c;
  c.instance = "i";
  const Ticket ticket = send_join(c);
  pass(3'100);
  EXPECT_EQ(take_join(c, ticket), ErrorCode::kNone);
  EXPECT_EQ(sync(c, write_assignment({{topic("t"), {0, 1}}}, said_by(c), *image_)), ErrorCode::kNone);
  Member m("m");
  m.instance = "i";
  beat(m);
  pass(1000);
  beat(m);
  EXPECT_EQ(m.owned, all_of("t"));
}

}  // namespace
}  // namespace moldau::group
