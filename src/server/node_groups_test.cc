// Consumer groups on a whole node with two loops: members and committers on threads of their own that meet in
// one coordinator. What the thread sanitizer should see.
#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "broker/group/partition.h"
#include "server/node_fixture.h"
#include "wire/gen/find_coordinator.h"
#include "wire/gen/heartbeat.h"
#include "wire/gen/join_group.h"
#include "wire/gen/leave_group.h"
#include "wire/gen/offset_commit.h"
#include "wire/gen/offset_fetch.h"
#include "wire/gen/sync_group.h"

namespace moldau::server {
namespace {

constexpr std::uint8_t kWork[] = {1, 2, 3};
constexpr std::uint8_t kAsks[] = {0};
constexpr std::int16_t kInProgress = 27, kLoading = 14, kIdRequired = 79;

class NodeGroupsTest : public NodeTest {
 protected:
  std::unique_ptr<Node> begin() {
    auto node = start("group.initial.rebalance.delay.ms=100\noffsets.topic.num.partitions=1\n");
    make_topic();
    Client client(port);
    wire::FindCoordinatorRequest request{.key = "g"};
    wire::FindCoordinatorResponse response;
    EXPECT_TRUE(client.ask(3, request, response));
    EXPECT_EQ(response.error_code, 0);
    return node;
  }

  // 0 when committed; tries again while the coordinator loads.
  static std::int16_t commit(Client& client, const std::string& group, std::int64_t offset,
                             std::string_view member = "", std::int32_t generation = -1) {
    wire::OffsetCommitRequest request{
        .group_id = group, .generation_id_or_member_epoch = generation, .member_id = member};
    request.topics.push_back({.name = "shared",
                              .topic_id = {},
                              .partitions = {{.partition_index = 0, .committed_offset = offset}}});
    wire::OffsetCommitResponse response;
    do {
      response = {};  // what is decoded is added to what is there
      if (!client.ask(8, request, response)) return -1000;
    } while (response.topics.at(0).partitions.at(0).error_code == kLoading);
    return response.topics.at(0).partitions.at(0).error_code;
  }
  static std::int64_t committed(Client& client, const std::string& group) {
    wire::OffsetFetchRequest request{.group_id = group};
    request.topics = {{.name = "shared", .partition_indexes = {0}}};
    wire::OffsetFetchResponse response;
    do {
      response = {};
      if (!client.ask(7, request, response)) return -1000;
    } while (response.error_code == kLoading);
    return response.topics.at(0).partitions.at(0).committed_offset;
  }

  struct Joined {
    std::string id;
    std::int32_t generation = -1;
  };
  // Joins until it has its work. A false id means that it failed.
  static Joined join(Client& client, std::string id) {
    for (int tries = 0; tries < 100; ++tries) {
      wire::JoinGroupRequest request{.group_id = "g",
                                     .session_timeout_ms = 30'000,
                                     .rebalance_timeout_ms = 30'000,
                                     .member_id = id,
                                     .group_instance_id = {},
                                     .protocol_type = "test",
                                     .protocols = {{.name = "p", .metadata = kAsks}},
                                     .reason = {}};
      wire::JoinGroupResponse joined;
      if (!client.ask(6, request, joined)) return {};
      id = joined.member_id;
      if (joined.error_code == kIdRequired || joined.error_code == kLoading) continue;
      if (joined.error_code != 0) return {};
      wire::SyncGroupRequest sync{
          .group_id = "g", .generation_id = joined.generation_id, .member_id = id, .group_instance_id = {}};
      std::vector<std::string> members;
      for (const auto& member : joined.members) members.emplace_back(member.member_id);
      const std::int32_t generation = joined.generation_id;
      for (const std::string& member : members)
        sync.assignments.push_back({.member_id = member, .assignment = kWork});
      wire::SyncGroupResponse synced;
      if (!client.ask(4, sync, synced)) return {};
      if (synced.error_code == kInProgress) continue;
      if (synced.error_code != 0 || synced.assignment.size() != sizeof kWork) return {};
      return {id, generation};
    }
    return {};
  }
};

TEST_F(NodeGroupsTest, CommittersOnTwoLoopsMeetInOneCoordinator) {
  constexpr int kThreads = 6, kCommits = 200;
  auto node = begin();
  std::vector<std::thread> threads;
  std::atomic<int> done = 0;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Client client(port);
      const std::string group = "committer" + std::to_string(t);
      for (int i = 1; i <= kCommits; ++i)
        done += commit(client, group, i) == 0 && committed(client, group) == i ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(done, kThreads * kCommits);
  EXPECT_TRUE(node->stop());
  node = start();
  Client client(port);
  for (int t = 0; t < kThreads; ++t) EXPECT_EQ(committed(client, "committer" + std::to_string(t)), kCommits);
  EXPECT_TRUE(node->stop());
}

TEST_F(NodeGroupsTest, MembersOnTwoLoopsShareAGroupAndLeaveIt) {
  constexpr int kMembers = 4;
  auto node = begin();
  std::vector<std::thread> threads;
  std::atomic<int> stable = 0, left = 0;
  for (int t = 0; t < kMembers; ++t) {
    threads.emplace_back([&] {
      Client client(port);
      Joined self = join(client, "");
      // Until everybody is in, and told so, some come late and all join again.
      for (int round = 0; round < 50 && !self.id.empty(); ++round) {
        wire::HeartbeatRequest beat{
            .group_id = "g", .generation_id = self.generation, .member_id = self.id, .group_instance_id = {}};
        wire::HeartbeatResponse told;
        if (!client.ask(3, beat, told)) break;
        if (told.error_code != 0) self = join(client, self.id);
      }
      stable += !self.id.empty();
      wire::LeaveGroupRequest leave;
      leave.group_id = "g";
      leave.member_id = self.id;
      wire::LeaveGroupResponse response;
      left += client.ask(2, leave, response) && response.error_code == 0;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(stable, kMembers);
  EXPECT_EQ(left, kMembers);
  EXPECT_TRUE(node->stop());
}

// Twenty groups of eight coordinators, asked for in one request: each is answered for, where it was asked
// for.
TEST_F(NodeGroupsTest, AFetchOfManyGroupsAsksAllTheirCoordinators) {
  constexpr int kGroups = 20, kPartitions = 8;
  auto node = start("offsets.topic.num.partitions=" + std::to_string(kPartitions) + "\n");
  make_topic();
  Client client(port);
  wire::FindCoordinatorResponse found;
  ASSERT_TRUE(client.ask(3, wire::FindCoordinatorRequest{.key = "g"}, found));
  std::vector<std::string> names;
  std::set<std::int32_t> coordinators;
  for (int i = 0; i < kGroups; ++i) {
    names.push_back("group" + std::to_string(i));
    coordinators.insert(broker::group_partition(names.back(), kPartitions));
    EXPECT_EQ(commit(client, names.back(), 100 + i), 0);
  }
  EXPECT_EQ(coordinators.size(), kPartitions);
  names.insert(names.begin() + 7, "nobody");
  names.push_back(names.front());
  wire::OffsetFetchRequest request;
  for (const std::string& name : names) {
    auto& group = request.groups.emplace_back();
    group.group_id = name;
    group.topics = std::nullopt;
    if (name != "group3") group.topics = {{.name = "shared", .topic_id = {}, .partition_indexes = {0, 5}}};
  }
  wire::OffsetFetchResponse response;
  ASSERT_TRUE(client.ask(8, request, response));
  EXPECT_EQ(response.groups.size(), names.size());
  for (std::size_t i = 0; i < response.groups.size(); ++i) {
    const auto& group = response.groups[i];
    EXPECT_EQ(group.group_id, names[i]);
    EXPECT_EQ(group.error_code, 0);
    EXPECT_EQ(group.topics.size(), 1u) << names[i];
    if (group.topics.empty()) continue;
    const auto& partitions = group.topics[0].partitions;
    EXPECT_EQ(partitions.size(), names[i] == "group3" ? 1u : 2u) << "all that there is: one partition";
    EXPECT_EQ(partitions.at(0).committed_offset,
              names[i] == "nobody" ? -1 : 100 + std::stoi(names[i].substr(5)));
  }
  EXPECT_TRUE(node->stop());
}

// Nobody else joins, so the answer would come when the group has waited long enough; the stop does not.
TEST_F(NodeGroupsTest, AStopDoesNotWaitForWhoWaitsForOthers) {
  auto node = start("group.initial.rebalance.delay.ms=60000\noffsets.topic.num.partitions=1\n");
  make_topic();
  Client client(port);
  wire::FindCoordinatorResponse found;
  ASSERT_TRUE(client.ask(3, wire::FindCoordinatorRequest{.key = "g"}, found));
  ASSERT_EQ(commit(client, "other", 1), 0);
  std::atomic<std::int16_t> told = -1;
  std::thread member([&] {
    wire::JoinGroupRequest request{.group_id = "g",
                                   .session_timeout_ms = 30'000,
                                   .member_id = "",
                                   .group_instance_id = {},
                                   .protocol_type = "test",
                                   .protocols = {{.name = "p", .metadata = kAsks}},
                                   .reason = {}};
    wire::JoinGroupResponse joined;
    if (client.ask(2, request, joined)) told = joined.error_code;
  });
  // The group is there once the join has been understood.
  Client other(port);
  while (commit(other, "g", 1) == 0) {
  }
  const auto before = std::chrono::steady_clock::now();
  EXPECT_TRUE(node->stop());
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(4));
  member.join();
  EXPECT_EQ(told, 16) << "NOT_COORDINATOR";
}

}  // namespace
}  // namespace moldau::server
