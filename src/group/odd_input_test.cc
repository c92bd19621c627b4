// What no proper client asks for: groups with odd names, subscriptions of a megabyte.
#include "group/consumer_fixture.h"
#include "wire/gen/consumer_group_heartbeat.h"

namespace moldau::group {
namespace {

using wire::ConsumerGroupHeartbeatRequest;
using wire::ConsumerGroupHeartbeatResponse;
using wire::JoinGroupRequest;
using wire::JoinGroupResponse;
using wire::SyncGroupRequest;
using wire::SyncGroupResponse;

const std::string kEmoji = "gr\xf0\x9f\x98\x80p", kLong(10'000, 'g');

class OddInputTest : public ConsumerTest {
 protected:
  // Joins as a client before KIP-394 does and takes all the work. Its answer to SyncGroup.
  std::pair<std::string, ErrorCode> lead(std::string_view group, ByteView metadata) {
    JoinGroupRequest join = join_request(metadata);
    join.group_id = group;
    const Ticket ticket = ask(join, 3);
    pass(3'100);
    const auto joined = answer<JoinGroupResponse>(ticket);
    EXPECT_EQ(joined.error_code, 0);
    std::string id(joined.member_id);
    return {id, sync(group, id, joined.generation_id)};
  }
  ErrorCode sync(std::string_view group, const std::string& id, std::int32_t generation) {
    static constexpr std::uint8_t kWork[] = {1, 2, 3};
    SyncGroupRequest request{.group_id = group, .generation_id = generation, .member_id = id};
    request.assignments.push_back({.member_id = id, .assignment = kWork});
    return static_cast<ErrorCode>(answer<SyncGroupResponse>(ask(request, 3)).error_code);
  }
  std::string classic_state(std::string_view group) {
    const auto reply =
        answer<wire::DescribeGroupsResponse>(ask(wire::DescribeGroupsRequest{.groups = {group}}));
    return std::string(reply.groups.at(0).group_state);
  }
  ErrorCode beat_in(std::string_view group, std::int32_t epoch) {
    ConsumerGroupHeartbeatRequest request{.group_id = group, .member_id = "m", .member_epoch = epoch};
    if (epoch == 0) {
      request.rebalance_timeout_ms = 30'000;
      request.subscribed_topic_names = {"t"};
      request.topic_partitions.emplace();
    }
    return static_cast<ErrorCode>(answer<ConsumerGroupHeartbeatResponse>(ask(request)).error_code);
  }
};

// --- names ---

TEST_F(OddInputTest, AClassicGroupMayBeCalledAnythingButNothing) {
  const ByteView said = subscription();
  for (const std::string& name : {kEmoji, kLong}) {
    EXPECT_EQ(lead(name, said).second, ErrorCode::kNone) << name.size();
    EXPECT_EQ(classic_state(name), "Stable");
  }
  restart();
  EXPECT_EQ(classic_state(kEmoji), "Stable");
  EXPECT_EQ(classic_state(kLong), "Stable");
  const auto listed = answer<wire::ListGroupsResponse>(ask(wire::ListGroupsRequest{}));
  EXPECT_EQ(listed.groups.size(), 2u);
  JoinGroupRequest nameless = join_request(said);
  nameless.group_id = "";
  EXPECT_EQ(answer<JoinGroupResponse>(ask(nameless)).error_code, code(ErrorCode::kInvalidGroupId));
  EXPECT_EQ(machine_->group_count(), 2u);
}

TEST_F(OddInputTest, AConsumerGroupMayBeCalledAnythingButNothing) {
  for (const std::string& name : {kEmoji, kLong})
    EXPECT_EQ(beat_in(name, 0), ErrorCode::kNone) << name.size();
  restart();
  for (const std::string& name : {kEmoji, kLong}) {
    EXPECT_EQ(beat_in(name, 2), ErrorCode::kNone) << name.size();
    const auto told = answer<wire::ConsumerGroupDescribeResponse>(
        ask(wire::ConsumerGroupDescribeRequest{.group_ids = {name}}));
    EXPECT_EQ(told.groups.at(0).group_id, name);
    EXPECT_EQ(told.groups.at(0).group_state, "Stable");
  }
  EXPECT_EQ(beat_in("", 0), ErrorCode::kInvalidRequest);
  EXPECT_EQ(machine_->group_count(), 2u);
}

// --- subscriptions of a megabyte ---

// It joins, and what its leader gives out cannot be written. The group goes on when it has gone.
TEST_F(OddInputTest, AMegabyteInJoinGroupIsRefusedWhenItWouldBeWritten) {
  const auto [large, error] = lead("g", keep(Bytes(1 << 20)));
  EXPECT_EQ(error, ErrorCode::kUnknownServerError);
  EXPECT_EQ(classic_state("g"), "PreparingRebalance");
  const Ticket small = ask(join_request(subscription()), 3);
  EXPECT_FALSE(answered(small));
  ask(wire::LeaveGroupRequest{.group_id = "g", .members = {{.member_id = large}}});
  const auto joined = answer<JoinGroupResponse>(small);
  EXPECT_EQ(joined.error_code, 0);
  EXPECT_EQ(sync("g", std::string(joined.member_id), joined.generation_id), ErrorCode::kNone);
  restart();
  EXPECT_EQ(classic_state("g"), "Stable");
}

TEST_F(OddInputTest, AMegabyteThatFitsABatchIsTaken) {
  EXPECT_EQ(lead("g", keep(Bytes((1 << 20) - 4096))).second, ErrorCode::kNone);
  restart();
  EXPECT_EQ(classic_state("g"), "Stable");
}

// Who is in the group and then wants too much is refused, and has what it had; so have the others.
TEST_F(OddInputTest, AMegabyteInAConsumersHeartbeatIsRefused) {
  Member a("a"), b("b");
  join_both(a, b);
  const Member before = a;
  const std::size_t written = log_.size();
  a.topics.assign(100, std::string(10'500, 'x'));
  for (std::size_t i = 0; i < a.topics.size(); ++i) a.topics[i] += std::to_string(i);
  EXPECT_EQ(beat(a), ErrorCode::kUnknownServerError);
  const auto told = answer<ConsumerGroupHeartbeatResponse>(ask(request_of(a)));
  EXPECT_FALSE(told.error_message) << "as Kafka: no words, rather than empty ones";
  EXPECT_EQ(log_.size(), written);
  a = before;
  settle({&a, &b});
  EXPECT_EQ(a.owned, before.owned);
  restart();
  settle({&a, &b});
}

}  // namespace
}  // namespace moldau::group
