// Groups of the consumer protocol, as clients see them.
#include <algorithm>
#include <set>

#include "group/consumer_fixture.h"

namespace moldau::group {
namespace {

TEST_F(ConsumerTest, OneMemberHasAll) {
  Member a("a");
  EXPECT_EQ(beat(a), ErrorCode::kNone);
  EXPECT_EQ(a.epoch, 2);  // a new group is at 1
  EXPECT_EQ(a.heartbeat_ms, 5000);
  EXPECT_EQ(a.owned, all_of("t"));
  EXPECT_EQ(state(), "Stable");
  const std::size_t written = log_.size();
  EXPECT_EQ(beat(a), ErrorCode::kNone);
  EXPECT_FALSE(a.told);
  EXPECT_EQ(log_.size(), written);
}

TEST_F(ConsumerTest, WhatIsTakenIsGivenBackBeforeAnotherHasIt) {
  Member a("a"), b("b");
  beat(a);
  pass(1000);
  EXPECT_EQ(beat(b), ErrorCode::kNone);
  EXPECT_EQ(b.epoch, 3);
  EXPECT_TRUE(b.owned.empty());
  EXPECT_EQ(state(), "Reconciling");
  a.keep = a.owned;  // it does not give anything back yet
  EXPECT_EQ(beat(a), ErrorCode::kNone);
  EXPECT_EQ(a.epoch, 2);
  EXPECT_EQ(a.assigned.size(), 2u);
  EXPECT_EQ(beat(b), ErrorCode::kNone);
  EXPECT_TRUE(b.owned.empty());
  a.keep.clear();
  EXPECT_EQ(beat(a), ErrorCode::kNone);  // … now it does
  EXPECT_EQ(a.epoch, 3);
  EXPECT_EQ(beat(b), ErrorCode::kNone);
  EXPECT_EQ(b.owned.size(), 2u);
  EXPECT_EQ(state(), "Stable");
  std::set<TopicPartition> both = a.owned;
  both.insert(b.owned.begin(), b.owned.end());
  EXPECT_EQ(both, all_of("t"));
}

TEST_F(ConsumerTest, TargetsAreMadeOnceASecond) {
  Member a("a"), b("b");
  beat(a);
  beat(b);
  EXPECT_EQ(state(), "Assigning");
  EXPECT_EQ(b.epoch, 2);
  EXPECT_TRUE(b.owned.empty());
  pass(1000);
  beat(b);
  EXPECT_EQ(state(), "Reconciling");
  EXPECT_EQ(b.epoch, 3);
}

TEST_F(ConsumerTest, LeavingFreesAtOnce) {
  Member a("a"), b("b");
  join_both(a, b);
  EXPECT_EQ(leave(b), ErrorCode::kNone);
  EXPECT_EQ(b.epoch, -1);
  pass(1000);
  beat(a);
  EXPECT_EQ(a.owned, all_of("t"));
  EXPECT_EQ(leave(a), ErrorCode::kNone);
  EXPECT_EQ(state(), "Empty");
  EXPECT_EQ(leave(a), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(a.message, "Member a is not a member of group g.");
}

TEST_F(ConsumerTest, SilenceEndsASession) {
  Member a("a"), b("b");
  join_both(a, b);
  pass(44'000);
  beat(a);
  pass(2'000);
  EXPECT_EQ(beat(b), ErrorCode::kUnknownMemberId);
  beat(a);
  EXPECT_EQ(a.owned, all_of("t"));
}

TEST_F(ConsumerTest, AGroupMayHaveItsOwnTimes) {
  set_group_config("g", "consumer.session.timeout.ms", "6000");
  set_group_config("g", "consumer.heartbeat.interval.ms", "1500");
  Member a("a");
  beat(a);
  EXPECT_EQ(a.heartbeat_ms, 1500);
  pass(6'010);
  EXPECT_EQ(state(), "Empty");
}

TEST_F(ConsumerTest, WhoGivesNothingBackIsFenced) {
  Member a("a"), b("b");
  beat(a);
  pass(1000);
  beat(b);
  a.keep = a.owned;
  for (int i = 0; i < 4; ++i) {  // its rebalance timeout is 30 s
    beat(a);
    beat(b);
    pass(10'000);
  }
  EXPECT_EQ(beat(a), ErrorCode::kUnknownMemberId);
  beat(b);
  EXPECT_EQ(b.owned, all_of("t"));
}

TEST_F(ConsumerTest, EpochsFence) {
  Member a("a");
  beat(a);
  Member old = a;
  old.epoch = 1;
  EXPECT_EQ(beat(old), ErrorCode::kFencedMemberEpoch);
  EXPECT_EQ(old.message,
            "The consumer group member has a smaller member epoch (1) than the one known by the group "
            "coordinator (2). The member must abandon all its partitions and rejoin.");
  Member future = a;
  future.epoch = 3;
  EXPECT_EQ(beat(future), ErrorCode::kFencedMemberEpoch);
  EXPECT_EQ(future.message,
            "The consumer group member has a greater member epoch (3) than the one known by the group "
            "coordinator (2). The member must abandon all its partitions and rejoin.");
  // Back to the start is always allowed.
  Member again("a");
  EXPECT_EQ(beat(again), ErrorCode::kNone);
  EXPECT_EQ(again.owned, all_of("t"));
}

TEST_F(ConsumerTest, AMissedAnswerIsGivenAgain) {
  Member a("a"), b("b");
  join_both(a, b);
  leave(b);
  pass(1000);
  Member before = a;
  beat(a);  // to epoch 4; the answer is lost
  EXPECT_EQ(beat(before), ErrorCode::kNone);
  EXPECT_EQ(before.epoch, a.epoch);
}

TEST_F(ConsumerTest, StrangersAreTold) {
  Member a("a");
  a.epoch = 5;
  EXPECT_EQ(beat(a), ErrorCode::kGroupIdNotFound);
  EXPECT_EQ(a.message, "Consumer group g not found.");
  a.epoch = 0;
  beat(a);
  Member b("b");
  b.epoch = 2;
  EXPECT_EQ(beat(b), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(b.message, "Member b is not a member of group g.");
}

TEST_F(ConsumerTest, RequestsThatCannotBe) {
  const auto refused = [&](auto change, std::int16_t version = 1) {
    wire::ConsumerGroupHeartbeatRequest request{.group_id = "g",
                                                .member_id = "a",
                                                .rebalance_timeout_ms = 1000,
                                                .subscribed_topic_names = {{"t"}},
                                                .topic_partitions = {{}}};
    change(request);
    const auto response = answer<wire::ConsumerGroupHeartbeatResponse>(ask(request, version));
    EXPECT_EQ(response.error_code, code(ErrorCode::kInvalidRequest));
    return std::string(response.error_message.value_or(""));
  };
  EXPECT_EQ(refused([](auto& r) { r.group_id = ""; }), "GroupId can't be empty.");
  EXPECT_EQ(refused([](auto& r) { r.member_id = " "; }), "MemberId can't be empty.");
  EXPECT_EQ(refused([](auto& r) { r.member_id = "", r.member_epoch = 1; }, 0), "MemberId can't be empty.");
  EXPECT_EQ(refused([](auto& r) { r.instance_id = ""; }), "InstanceId can't be empty.");
  EXPECT_EQ(refused([](auto& r) { r.rack_id = ""; }), "RackId can't be empty.");
  EXPECT_EQ(refused([](auto& r) { r.rebalance_timeout_ms = -1; }),
            "RebalanceTimeoutMs must be provided in first request.");
  EXPECT_EQ(refused([](auto& r) { r.topic_partitions.reset(); }),
            "TopicPartitions must be empty when (re-)joining.");
  EXPECT_EQ(refused([](auto& r) { r.subscribed_topic_names.reset(); }),
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.");
  EXPECT_EQ(refused([](auto& r) { r.member_epoch = -2; }), "InstanceId can't be null.");
  EXPECT_EQ(refused([](auto& r) { r.member_epoch = -3; }), "MemberEpoch is invalid.");
  EXPECT_TRUE(log_.empty());

  Member a("a");
  a.assignor = "sticky";
  EXPECT_EQ(beat(a), ErrorCode::kUnsupportedAssignor);
  EXPECT_EQ(a.message, "ServerAssignor sticky is not supported. Supported assignors: uniform, range.");
}

TEST_F(ConsumerTest, Version0GivesAnId) {
  const wire::ConsumerGroupHeartbeatRequest request{.group_id = "g",
                                                    .rebalance_timeout_ms = 1000,
                                                    .subscribed_topic_names = {{"t"}},
                                                    .topic_partitions = {{}}};
  const auto response = answer<wire::ConsumerGroupHeartbeatResponse>(ask(request, 0));
  EXPECT_EQ(response.error_code, 0);
  EXPECT_EQ(response.member_id.value_or("").size(), 22u);
}

TEST_F(ConsumerTest, AGroupMayBeFull) {
  config_.group_consumer_max_size = 1;
  Member a("a"), b("b");
  beat(a);
  EXPECT_EQ(beat(b), ErrorCode::kGroupMaxSizeReached);
  EXPECT_EQ(b.message, "The consumer group has reached its maximum capacity of 1 members.");
  EXPECT_EQ(beat(a), ErrorCode::kNone);
}

TEST_F(ConsumerTest, MembersOfAnAssignorsChoice) {
  Member a("a"), b("b");
  a.assignor = "range";
  beat(a);
  EXPECT_EQ(describe().assignor_name, "range");
  beat(b);
  pass(1000);
  settle({&a, &b});
  EXPECT_EQ(a.owned, (std::set<TopicPartition>{{topic("t"), 0}, {topic("t"), 1}}));
}

TEST_F(ConsumerTest, AssignorsThatNobodyKnowsAreLeftOut) {
  config_.group_consumer_assignors = {"org.acme.Best",
                                      "org.apache.kafka.coordinator.group.assignor.RangeAssignor"};
  Member a("a");
  EXPECT_EQ(beat(a), ErrorCode::kNone);
  EXPECT_EQ(a.owned, all_of("t"));
  EXPECT_EQ(describe().assignor_name, "range");
  config_.group_consumer_assignors.clear();
  EXPECT_EQ(describe().assignor_name, "uniform");
}

TEST_F(ConsumerTest, WhatDoesNotFitABatchIsRefused) {
  Member a("a");
  a.topics.clear();
  for (int i = 0; i < 10'000; ++i) a.topics.push_back(std::string(100, 'x') + std::to_string(i));
  EXPECT_EQ(beat(a), ErrorCode::kUnknownServerError);
  EXPECT_TRUE(log_.empty());
  a.topics.resize(9'000);
  EXPECT_EQ(beat(a), ErrorCode::kNone);
}

// --- static members ---

TEST_F(ConsumerTest, AStaticMemberComesBackToWhatItHad) {
  Member a("a"), b("b");
  a.instance = "i";
  join_both(a, b);
  const auto had = a.owned;
  Member thief("c");
  thief.instance = "i";
  EXPECT_EQ(beat(thief), ErrorCode::kUnreleasedInstanceId);
  EXPECT_EQ(thief.message,
            "Static member c with instance id i cannot join the group because the instance id is owned by a "
            "member.");
  EXPECT_EQ(leave(a, -2), ErrorCode::kNone);
  EXPECT_EQ(a.epoch, -2);
  Member heir("c");
  heir.instance = "i";
  EXPECT_EQ(beat(heir), ErrorCode::kNone);
  EXPECT_EQ(heir.owned, had);
  EXPECT_EQ(heir.epoch, b.epoch);
  EXPECT_EQ(describe().members.size(), 2u);
  a.epoch = 3;
  EXPECT_EQ(beat(a), ErrorCode::kFencedInstanceId);
  EXPECT_EQ(a.message, "Static member a with instance id i was fenced by member c.");
}

TEST_F(ConsumerTest, AStaticMemberThatStaysAwayLosesItsPlace) {
  Member a("a"), b("b");
  a.instance = "i";
  join_both(a, b);
  leave(a, -2);
  for (int i = 0; i < 10; ++i) {
    pass(5'000);
    beat(b);
  }
  EXPECT_EQ(b.owned, all_of("t"));
  Member unknown("a");
  unknown.instance = "i", unknown.epoch = 3;
  EXPECT_EQ(beat(unknown), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(unknown.message, "Instance id i is unknown.");
}

// --- topics ---

TEST_F(ConsumerTest, TopicsGrowComeAndGo) {
  Member a("a");
  a.topics = {"t", "unborn"};
  beat(a);
  EXPECT_EQ(a.owned.size(), 4u);
  pass(1000);
  add_topic("unborn", 3);
  beat(a);
  EXPECT_EQ(a.owned.size(), 7u);
  pass(1000);
  a.topics = {"unborn"};
  beat(a);
  beat(a);
  EXPECT_EQ(a.owned, all_of("unborn"));
}

TEST_F(ConsumerTest, ChangesElsewhereChangeNothing) {
  Member a("a");
  beat(a);
  const std::size_t written = log_.size();
  add_topic("other", 3);
  pass(2000);
  beat(a);
  EXPECT_EQ(log_.size(), written);
}

TEST_F(ConsumerTest, RegularExpressions) {
  add_topic("tail", 2);
  add_topic("head", 2);
  Member a("a");
  a.topics.clear();
  a.regex = "t.*";
  EXPECT_EQ(beat(a), ErrorCode::kNone);
  EXPECT_EQ(a.owned.size(), 6u);
  EXPECT_EQ(describe().members[0].subscribed_topic_regex, "t.*");
  pass(10'000);
  add_topic("top", 1);
  beat(a);
  EXPECT_EQ(a.owned.size(), 7u);
  restart();
  beat(a);
  EXPECT_EQ(a.owned.size(), 7u);
  a.regex = "he.d";
  a.told_subscription = false;
  pass(1000);
  beat(a);
  beat(a);
  EXPECT_EQ(a.owned, all_of("head"));
  EXPECT_EQ(leave(a), ErrorCode::kNone);
}

TEST_F(ConsumerTest, RegularExpressionsThatAreNone) {
  Member a("a");
  a.regex = "[";
  EXPECT_EQ(beat(a), ErrorCode::kInvalidRegularExpression);
  EXPECT_EQ(a.message, "SubscribedTopicRegex `[` is not a valid regular expression: missing closing ].");
  EXPECT_TRUE(log_.empty());
  a.regex = "((a{0,100}){0,100}){0,100}";  // would explode
  EXPECT_EQ(beat(a), ErrorCode::kInvalidRegularExpression);
  a.regex = "(a*)*(a*)*(a*)*b";  // takes for ever where it is matched by trying
  EXPECT_EQ(beat(a), ErrorCode::kNone);
}

// --- the log ---

TEST_F(ConsumerTest, ARestartForgetsNothing) {
  Member a("a"), b("b");
  a.instance = "i";
  join_both(a, b);
  const auto had = std::pair(a.owned, b.owned);
  restart();
  EXPECT_EQ(state(), "Stable");
  const std::size_t written = log_.size();
  beat(a);
  beat(b);
  EXPECT_EQ(std::pair(a.owned, b.owned), had);
  EXPECT_EQ(log_.size(), written);
  pass(46'000);
  EXPECT_EQ(state(), "Empty");
}

// Compaction leaves the last record of each key, in the order of the log.
TEST_F(ConsumerTest, ACompactedLogIsTheSame) {
  Member a("a"), b("b"), c("c");
  a.instance = "i";
  b.regex = "t.*";
  join_both(a, b);
  beat(c);
  leave(a, -2);
  pass(1000);
  for (int i = 0; i < 3; ++i) beat(b), beat(c);
  leave(c);
  const auto before = describe_bytes();
  std::vector<Record> compacted;
  for (std::size_t i = 0; i < log_.size(); ++i) {
    const bool last = std::none_of(log_.begin() + static_cast<std::ptrdiff_t>(i) + 1, log_.end(),
                                   [&](const Record& later) { return later.key == log_[i].key; });
    if (last && (log_[i].value || i % 2 == 0)) compacted.push_back(log_[i]);
  }
  log_ = std::move(compacted);
  restart();
  EXPECT_EQ(describe_bytes(), before);
}

TEST_F(ConsumerTest, AnEmptyClassicGroupBecomesOne) {
  wire::OffsetCommitRequest commit{.group_id = "g", .generation_id_or_member_epoch = -1};
  commit.topics.push_back({.name = "t", .topic_id = topic("t"), .partitions = {{.committed_offset = 7}}});
  ask(commit);
  Member a("a");
  EXPECT_EQ(beat(a), ErrorCode::kNone);
  EXPECT_EQ(state(), "Stable");
  restart();
  EXPECT_EQ(state(), "Stable");
}

// --- offsets ---

TEST_F(ConsumerTest, WhoMayCommit) {
  Member a("a"), b("b");
  join_both(a, b);  // epoch 3; what a has is its own since 2
  const auto commit = [&](std::string_view member, std::int32_t epoch, std::int32_t partition,
                          std::int16_t version = 9) {
    wire::OffsetCommitRequest request{
        .group_id = "g", .generation_id_or_member_epoch = epoch, .member_id = member};
    request.topics.push_back({.name = "t", .partitions = {{.partition_index = partition}}});
    const auto response = answer<wire::OffsetCommitResponse>(ask(request, version));
    return static_cast<ErrorCode>(response.topics[0].partitions[0].error_code);
  };
  const std::int32_t of_a = a.owned.begin()->second, of_b = b.owned.begin()->second;
  EXPECT_EQ(commit("a", 3, of_a), ErrorCode::kNone);
  EXPECT_EQ(commit("a", 2, of_a), ErrorCode::kNone);
  EXPECT_EQ(commit("a", 2, of_b), ErrorCode::kStaleMemberEpoch);
  EXPECT_EQ(commit("a", 1, of_a), ErrorCode::kStaleMemberEpoch);
  EXPECT_EQ(commit("a", 4, of_a), ErrorCode::kStaleMemberEpoch);
  EXPECT_EQ(commit("b", 2, of_b), ErrorCode::kStaleMemberEpoch);
  EXPECT_EQ(commit("c", 3, of_a), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(commit("", -1, of_a), ErrorCode::kUnknownMemberId);
  EXPECT_EQ(commit("a", 3, of_a, 8), ErrorCode::kUnsupportedVersion);
  leave(a);
  leave(b);
  EXPECT_EQ(commit("", -1, of_a), ErrorCode::kNone);
}

// --- descriptions ---

TEST_F(ConsumerTest, Descriptions) {
  Member a("a");
  a.rack = "r";
  beat(a);
  const auto group = describe();
  EXPECT_EQ(group.group_epoch, 2);
  EXPECT_EQ(group.assignment_epoch, 2);
  EXPECT_EQ(group.assignor_name, "uniform");
  ASSERT_EQ(group.members.size(), 1u);
  const auto& member = group.members[0];
  EXPECT_EQ(member.rack_id, "r");
  EXPECT_EQ(member.member_epoch, 2);
  EXPECT_EQ(member.client_host, "/127.0.0.1");
  EXPECT_EQ(member.member_type, 1);
  ASSERT_EQ(member.assignment.topic_partitions.size(), 1u);
  EXPECT_EQ(member.assignment.topic_partitions[0].topic_name, "t");
  EXPECT_EQ(member.assignment.topic_partitions[0].partitions.size(), 4u);
  EXPECT_EQ(member.target_assignment, member.assignment);

  const auto listed =
      answer<wire::ListGroupsResponse>(ask(wire::ListGroupsRequest{.types_filter = {"Consumer"}}));
  ASSERT_EQ(listed.groups.size(), 1u);
  EXPECT_EQ(listed.groups[0].group_type, "consumer");
  const auto deleted =
      answer<wire::DeleteGroupsResponse>(ask(wire::DeleteGroupsRequest{.groups_names = {"g"}}));
  EXPECT_EQ(deleted.results[0].error_code, code(ErrorCode::kNonEmptyGroup));
  leave(a);
  ask(wire::DeleteGroupsRequest{.groups_names = {"g"}});
  EXPECT_EQ(describe().error_message, "Group g not found.");
  restart();
  EXPECT_EQ(describe().error_code, code(ErrorCode::kGroupIdNotFound));
}

}  // namespace
}  // namespace moldau::group
