// How long committed offsets stay (KIP-211): while somebody is subscribed to their topic they do; of an empty
// classic group they age from the moment when it became empty, else from their own commit.
#include "group/classic_fixture.h"
#include "group/consumer_fixture.h"

namespace moldau::group {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int32_t kRetentionMinutes = 60;

// Offsets are kept for an hour, and looked through each minute.
template <typename Base>
class WithRetention : public Base {
 protected:
  WithRetention() {
    Base::config_.offsets_retention_minutes = kRetentionMinutes;
    Base::config_.offsets_retention_check_interval_ms = kMinuteMs;
    Base::add_topic("u", 1);
    Base::restart();
  }
  ErrorCode commit(std::string_view topic, std::string_view member, std::int32_t generation_or_epoch) {
    wire::OffsetCommitRequest request{
        .group_id = "g", .generation_id_or_member_epoch = generation_or_epoch, .member_id = member};
    request.topics.push_back({.name = topic, .partitions = {{.partition_index = 0, .committed_offset = 42}}});
    const auto reply = Base::template answer<wire::OffsetCommitResponse>(Base::ask(request, 9));
    return static_cast<ErrorCode>(reply.topics.at(0).partitions.at(0).error_code);
  }
  bool is_kept(std::string_view topic) {
    wire::OffsetFetchRequest request{.group_id = "g"};
    request.topics = {{.name = topic, .partition_indexes = {0}}};
    const auto reply = Base::template answer<wire::OffsetFetchResponse>(Base::ask(request, 7));
    return reply.topics.at(0).partitions.at(0).committed_offset == 42;
  }
};

class ClassicExpiryTest : public WithRetention<ClassicTest> {
 protected:
  // A stable group of one, whose member need not be heard of for half an hour.
  std::string member(std::string_view protocol_type = "consumer") {
    wire::JoinGroupRequest request = join();
    request.session_timeout_ms = 30 * kMinuteMs;
    request.protocol_type = protocol_type;
    const Ticket ticket = ask(request, 3);
    pass(3'100);
    const std::string id(answer<wire::JoinGroupResponse>(ticket).member_id);
    EXPECT_EQ(synced(sync(id, 1, {id})), ErrorCode::kNone);
    return id;
  }
  void live(std::string_view id, int minutes) {
    for (int i = 0; i < minutes; i += 20) {
      EXPECT_EQ(heartbeat(id, 1), ErrorCode::kNone);
      pass(20 * kMinuteMs);
    }
  }
  void leave(std::string_view id) {
    ask(wire::LeaveGroupRequest{.group_id = "g", .members = {{.member_id = id}}});
    EXPECT_EQ(state(), "Empty");
  }
};

TEST_F(ClassicExpiryTest, WhatMembersReadIsKeptAndOtherTopicsAge) {
  const std::string id = member();
  EXPECT_EQ(commit("t", id, 1), ErrorCode::kNone);
  EXPECT_EQ(commit("u", id, 1), ErrorCode::kNone);
  live(id, 40);
  EXPECT_TRUE(is_kept("u"));
  live(id, 40);
  EXPECT_FALSE(is_kept("u")) << "nobody is subscribed to it";
  live(id, 200);
  EXPECT_TRUE(is_kept("t"));
  EXPECT_EQ(state(), "Stable");
}

TEST_F(ClassicExpiryTest, OfAnEmptyGroupTheyAgeSinceItBecameEmpty) {
  const std::string id = member();
  EXPECT_EQ(commit("t", id, 1), ErrorCode::kNone);
  live(id, 200);
  leave(id);
  pass(59 * kMinuteMs);
  EXPECT_TRUE(is_kept("t")) << "its commit is hours old, the group has been empty for less than one";
  pass(2 * kMinuteMs);
  EXPECT_FALSE(is_kept("t"));
  EXPECT_EQ(machine_->group_count(), 0u) << "a group with nothing is forgotten";
  restart();
  EXPECT_EQ(machine_->group_count(), 0u);
}

TEST_F(ClassicExpiryTest, ARestartDoesNotMakeThemYounger) {
  const std::string id = member();
  EXPECT_EQ(commit("t", id, 1), ErrorCode::kNone);
  live(id, 100);
  leave(id);
  pass(40 * kMinuteMs);
  restart();
  pass(18 * kMinuteMs);
  EXPECT_TRUE(is_kept("t"));
  pass(3 * kMinuteMs);
  EXPECT_FALSE(is_kept("t"));
}

// Of those who read nothing that the coordinator understands everything is kept while they are there.
TEST_F(ClassicExpiryTest, WhereNobodyKnowsWhatIsReadNothingAges) {
  const std::string id = member("connect");
  EXPECT_EQ(commit("u", id, 1), ErrorCode::kNone);
  live(id, 200);
  EXPECT_TRUE(is_kept("u"));
  leave(id);
  pass(61 * kMinuteMs);
  EXPECT_FALSE(is_kept("u"));
}

// Whom it waits for might want them.
TEST_F(ClassicExpiryTest, WhileMembersJoinNothingAges) {
  const std::string id = member();
  EXPECT_EQ(commit("u", id, 1), ErrorCode::kNone);
  live(id, 40);
  heartbeat(id, 1);
  wire::JoinGroupRequest late = join();
  late.session_timeout_ms = 30 * kMinuteMs;
  late.rebalance_timeout_ms = 25 * kMinuteMs;
  ask(late, 3);
  for (int i = 0; i < 4; ++i) {  // it will not wait longer than that for the first
    pass(6 * kMinuteMs);
    heartbeat(id, 1);
    EXPECT_EQ(state(), "PreparingRebalance");
  }
  EXPECT_TRUE(is_kept("u")) << "its hour is over";
}

class ConsumerExpiryTest : public WithRetention<ConsumerTest> {
 protected:
  ConsumerExpiryTest() { config_.group_consumer_session_timeout_ms = 30 * kMinuteMs; }
  void live(Member& m, int minutes) {
    for (int i = 0; i < minutes; i += 20) {
      EXPECT_EQ(beat(m), ErrorCode::kNone) << m.message;
      pass(20 * kMinuteMs);
    }
  }
};

TEST_F(ConsumerExpiryTest, WhatMembersReadIsKeptAndOtherTopicsAge) {
  Member m("m");
  beat(m);
  EXPECT_EQ(commit("t", "m", m.epoch), ErrorCode::kNone);
  EXPECT_EQ(commit("u", "m", m.epoch), ErrorCode::kNone);
  live(m, 40);
  EXPECT_TRUE(is_kept("u"));
  live(m, 40);
  EXPECT_FALSE(is_kept("u"));
  live(m, 200);
  EXPECT_TRUE(is_kept("t"));
}

TEST_F(ConsumerExpiryTest, WhatARegularExpressionReadsIsKept) {
  Member m("m");
  m.topics.clear();
  m.regex = "[tu]";
  beat(m);
  EXPECT_EQ(commit("u", "m", m.epoch), ErrorCode::kNone);
  live(m, 100);
  EXPECT_TRUE(is_kept("u"));
}

// Other than those of classic groups: their own commit counts.
TEST_F(ConsumerExpiryTest, OfAnEmptyGroupTheyAgeSinceTheirCommit) {
  Member m("m");
  beat(m);
  EXPECT_EQ(commit("t", "m", m.epoch), ErrorCode::kNone);
  live(m, 40);
  leave(m);
  EXPECT_EQ(state(), "Empty");
  EXPECT_TRUE(is_kept("t"));
  pass(18 * kMinuteMs);
  EXPECT_TRUE(is_kept("t"));
  pass(3 * kMinuteMs);
  EXPECT_FALSE(is_kept("t"));
  EXPECT_EQ(machine_->group_count(), 0u);
  restart();
  EXPECT_EQ(machine_->group_count(), 0u);
}

TEST_F(ConsumerExpiryTest, AGroupOfMembersStaysWhenItsOffsetsAreGone) {
  Member m("m");
  beat(m);
  EXPECT_EQ(commit("u", "m", m.epoch), ErrorCode::kNone);
  live(m, 80);
  EXPECT_FALSE(is_kept("u"));
  EXPECT_EQ(beat(m), ErrorCode::kNone);
  EXPECT_EQ(state(), "Stable");
}

}  // namespace
}  // namespace moldau::group
