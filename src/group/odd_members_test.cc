// Members and records that no client of good will makes, and rare turns in the life of a group.
#include <limits>

#include "group/group_fixture.h"
#include "group/offsets.h"
#include "group/records.h"
#include "wire/gen/consumer_group_records.h"
#include "wire/gen/group_records.h"

namespace moldau::group {
namespace {

using wire::JoinGroupRequest;
using wire::JoinGroupResponse;
using wire::OffsetCommitRequest;
using wire::OffsetDeleteRequest;
using wire::OffsetDeleteResponse;
using wire::SyncGroupRequest;
using wire::SyncGroupResponse;

constexpr std::uint8_t kSubscribedToT[] = {0, 0, 0, 0, 0, 1, 0, 1, 't', 0xff, 0xff, 0xff, 0xff};
constexpr std::uint8_t kWork[] = {1, 2, 3};

class OddMembers : public GroupTest {
 protected:
  static JoinGroupRequest join(std::string_view member, std::optional<std::string_view> instance,
                               std::optional<std::string_view> reason = {}) {
    JoinGroupRequest request = join_request(kSubscribedToT, member, instance);
    request.session_timeout_ms = 6'000;
    request.rebalance_timeout_ms = 10'000;
    request.reason = reason;
    return request;
  }
  Ticket sync(std::string_view member, std::int32_t generation,
              std::optional<std::string_view> instance = {}) {
    return ask(SyncGroupRequest{.group_id = "g",
                                .generation_id = generation,
                                .member_id = member,
                                .group_instance_id = instance,
                                .protocol_type = "consumer",
                                .protocol_name = "range",
                                .assignments = {{.member_id = member, .assignment = kWork}}});
  }
  std::string state() {
    const auto reply =
        answer<wire::DescribeGroupsResponse>(ask(wire::DescribeGroupsRequest{.groups = {"g"}}));
    return std::string(reply.groups[0].group_state);
  }
  bool noted(std::string_view text) const {
    return std::ranges::any_of(notes_, [&](const std::string& note) { return note.contains(text); });
  }
  ErrorCode commit(std::string_view metadata, std::int64_t retention_ms = -1, std::int16_t version = 8) {
    OffsetCommitRequest request{.group_id = "offsets", .retention_time_ms = retention_ms};
    request.topics = {{.name = "t", .partitions = {{.committed_offset = 7, .committed_metadata = metadata}}}};
    const Ticket ticket = ask(request, version);
    return static_cast<ErrorCode>(
        answer<wire::OffsetCommitResponse>(ticket).topics[0].partitions[0].error_code);
  }
};

TEST_F(OddMembers, AClientIdAsLongAsAStringMayBeMakesAMemberIdThatIsOne) {
  const std::string longest(wire::kMaxStringBytes, 'x');
  client_id_ = longest;
  for (const std::optional<std::string_view> instance : {std::optional<std::string_view>(), {longest}}) {
    const Ticket joined = ask(join("", instance), 5);
    if (!answered(joined)) pass(3'100);
    const auto reply = answer<JoinGroupResponse>(joined);
    EXPECT_EQ(reply.member_id.size(), static_cast<std::size_t>(wire::kMaxStringBytes));
    EXPECT_TRUE(reply.member_id.starts_with("xxx"));
    EXPECT_EQ(reply.member_id[reply.member_id.size() - 37], '-');
  }
  const auto described = ask(wire::DescribeGroupsRequest{.groups = {"g"}}, 0);
  EXPECT_EQ(answer<wire::DescribeGroupsResponse>(described).groups.size(), 1u);
}

TEST_F(OddMembers, ItsSyncIsWrittenAndReadAgain) {
  const std::string longest(wire::kMaxStringBytes, 'x');
  const Ticket joined = ask(join("", longest));
  pass(3'100);
  const auto reply = answer<JoinGroupResponse>(joined);
  const Ticket synced = sync(reply.member_id, 1, longest);
  EXPECT_EQ(answer<SyncGroupResponse>(synced).error_code, 0);
  restart();
  EXPECT_EQ(state(), "Stable");
}

TEST_F(OddMembers, ARecordWithAMemberTwiceIsToldAndLeftOut) {
  wire::GroupMetadataValue value{
      .protocol_type = "consumer", .protocol = "range", .leader = "m", .members = {}};
  value.members = {{.member_id = "m"}, {.member_id = "m"}};
  const Record record = make_record(wire::GroupMetadataKey{.group = "g"}, value, 3);
  const Status twice = machine_->apply({record.key, ByteView(*record.value)});
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().message, "GroupMetadataValue: members: expected each once, found m twice");
}

TEST_F(OddMembers, ARecordWithMembersAndNoProtocolIsToldAndLeftOut) {
  wire::GroupMetadataValue value{.protocol_type = "consumer", .leader = "m", .members = {{.member_id = "m"}}};
  value.protocol.reset();
  const Record record = make_record(wire::GroupMetadataKey{.group = "g"}, value, 3);
  const Status without = machine_->apply({record.key, ByteView(*record.value)});
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().message,
            "GroupMetadataValue: members: expected a protocol of theirs, found null");
}

// Its session ends while it waits for its share; then the rebalance begins anew, and it never comes back.
TEST_F(OddMembers, AStaticMemberThatDiesWhileItWaitsForItsShareIsMissed) {
  const Ticket first = ask(join("", "a")), second = ask(join("", "b"));
  pass(6'200);
  const auto leads = answer<JoinGroupResponse>(first);
  const auto follows = answer<JoinGroupResponse>(second);
  ASSERT_EQ(leads.leader, leads.member_id);
  const Ticket waits = sync(follows.member_id, 1, "b");
  for (int i = 0; i < 2; ++i) {
    pass(4'000);
    ask(wire::HeartbeatRequest{.group_id = "g", .generation_id = 1, .member_id = leads.member_id});
  }
  EXPECT_FALSE(answered(waits));
  pass(3'000);  // the leader has not asked for its share within the rebalance timeout
  EXPECT_EQ(answer<SyncGroupResponse>(waits).error_code, code(ErrorCode::kRebalanceInProgress));
  pass(20'000);
  EXPECT_EQ(state(), "Empty");
}

TEST_F(OddMembers, CommitsThatOutliveTheirGroupAreListedAndDeleted) {
  log_.push_back(commit_record("lost", "t", 0, {.offset = 5, .commit_ms = clock_.wall_ms()}));
  log_.push_back(make_tombstone(wire::ConsumerGroupMetadataKey{.group_id = "lost"}));
  const Record member = make_record(wire::ConsumerGroupMetadataKey{.group_id = "lost"},
                                    wire::ConsumerGroupMetadataValue{.epoch = 1}, 0);
  log_.insert(log_.begin(), member);
  restart();
  const auto listed = answer<wire::ListGroupsResponse>(ask(wire::ListGroupsRequest{}));
  ASSERT_EQ(listed.groups.size(), 1u);
  EXPECT_EQ(listed.groups[0].group_id, "lost");
  const auto gone =
      answer<wire::DeleteGroupsResponse>(ask(wire::DeleteGroupsRequest{.groups_names = {"lost"}}));
  EXPECT_EQ(gone.results[0].error_code, 0);
}

TEST_F(OddMembers, OffsetDeleteTellsOfPartitionsThatAreNotThere) {
  EXPECT_EQ(commit(""), ErrorCode::kNone);
  const auto reply = answer<OffsetDeleteResponse>(ask(OffsetDeleteRequest{
      .group_id = "offsets",
      .topics = {{.name = "t", .partitions = {{0}, {9}}}, {.name = "none", .partitions = {{0}}}}}));
  EXPECT_EQ(reply.error_code, 0);
  EXPECT_EQ(reply.topics[0].partitions[0].error_code, 0);
  EXPECT_EQ(reply.topics[0].partitions[1].error_code, code(ErrorCode::kUnknownTopicOrPartition));
  EXPECT_EQ(reply.topics[1].partitions[0].error_code, code(ErrorCode::kUnknownTopicOrPartition));
  OffsetDeleteRequest nameless{.topics = {{.name = "t", .partitions = {{0}}}}};
  EXPECT_EQ(answer<OffsetDeleteResponse>(ask(nameless)).error_code, code(ErrorCode::kInvalidGroupId));
  nameless.group_id = "nobody";
  EXPECT_EQ(answer<OffsetDeleteResponse>(ask(nameless)).error_code, code(ErrorCode::kGroupIdNotFound));
  nameless.topics[0].partitions = {{9}};  // Kafka does not look for the group then
  EXPECT_EQ(answer<OffsetDeleteResponse>(ask(nameless)).error_code, 0);
}

TEST_F(OddMembers, MetadataIsMeasuredAsJavaCountsIt) {
  std::string umlauts, clefs;
  for (int i = 0; i < 4096; ++i) umlauts += "\u00e9";
  for (int i = 0; i < 2048; ++i) clefs += "\U0001d11e";  // two units each
  EXPECT_EQ(commit(umlauts), ErrorCode::kNone);
  EXPECT_EQ(commit(umlauts + "x"), ErrorCode::kOffsetMetadataTooLarge);
  EXPECT_EQ(commit(clefs), ErrorCode::kNone);
  EXPECT_EQ(commit(clefs + "x"), ErrorCode::kOffsetMetadataTooLarge);
}

TEST_F(OddMembers, ARetentionForEverIsNotOverAtOnce) {
  EXPECT_EQ(commit("", std::numeric_limits<std::int64_t>::max(), 2), ErrorCode::kNone);
  pass(std::int64_t{8} * 24 * 3'600'000);
  EXPECT_EQ(machine_->group_count(), 1u);
}

TEST_F(OddMembers, IdsThatNobodyUsesDoNotKeepOthersOut) {
  config::Layer layer;
  layer["group.initial.rebalance.delay.ms"] = "3000";
  layer["group.max.size"] = "1";
  config_ = *config::BrokerConfig::from(config::BrokerValues(std::move(layer)));
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(answer<JoinGroupResponse>(ask(join("", {}))).error_code, code(ErrorCode::kMemberIdRequired));
}

TEST_F(OddMembers, WhyTheyComeAndGoIsNoted) {
  const std::string why(300, 'w');
  const Ticket joined = ask(join("", "a", "rolling restart"));
  pass(3'100);
  const std::string id(answer<JoinGroupResponse>(joined).member_id);
  EXPECT_TRUE(noted("Empty with generation 0: rolling restart"));
  sync(id, 1, "a");
  ask(join(id, "a", why));
  EXPECT_TRUE(noted("joins again: " + why.substr(0, 255)));
  EXPECT_FALSE(noted(why.substr(0, 256)));
  wire::LeaveGroupRequest leave{.group_id = "g"};
  leave.members = {{.member_id = id, .group_instance_id = "a", .reason = "the consumer is being closed"}};
  ask(leave);
  EXPECT_TRUE(noted(": the consumer is being closed"));
}

}  // namespace
}  // namespace moldau::group
