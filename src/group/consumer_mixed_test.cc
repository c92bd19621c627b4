// Members of both protocols at random in one group, which goes over from one protocol to the other whenever
// it comes to that: no partition is owned by two of its members at a time, and when it stops everybody has
// what is due. (Members of the classic protocol give back all before they join, as those before KIP-429 do.)
#include <algorithm>
#include <cstdlib>
#include <map>

#include "group/consumer_fixture.h"
#include "group/consumer_migration.h"
#include "wire/gen/consumer_protocol.h"

namespace moldau::group {
namespace {

using wire::JoinGroupRequest;
using wire::JoinGroupResponse;
using wire::SyncGroupRequest;
using wire::SyncGroupResponse;

struct OldClient {
  std::string id{};
  std::int32_t generation = -1;
  std::set<TopicPartition> owned{};
  std::optional<Ticket> joining{}, syncing{};
  bool stable = false, stalled = false;
};
struct NewClient {
  Member member;
  bool stalled = false;
};

class MixedTest : public ConsumerTest {
 protected:
  void run(std::uint64_t seed) {
    dice_ = simenv::Random(seed);
    for (int step = 0; step < 150 && !HasFailure(); ++step) {
      act();
      check_owners();
    }
    if (!HasFailure()) converge();
  }

 private:
  void act() {
    const auto what = dice_.below(100);
    if (what < 6 && old_.size() < 3) {
      old_.emplace_back();
    } else if (what < 12 && new_.size() < 3) {
      new_.push_back({.member = Member("n" + std::to_string(next_++))});
    } else if (what < 15 && !old_.empty()) {
      go(old_[dice_.below(old_.size())]);
    } else if (what < 19 && !new_.empty()) {
      const auto at = new_.begin() + static_cast<std::ptrdiff_t>(dice_.below(new_.size()));
      if (dice_.one_in(2)) leave(at->member);
      new_.erase(at);
    } else if (what < 23 && !old_.empty()) {
      old_[dice_.below(old_.size())].stalled ^= true;
    } else if (what < 26 && !new_.empty()) {
      new_[dice_.below(new_.size())].stalled ^= true;
    } else if (what < 28) {
      restart_all();
    } else if (what < 40) {
      pass(dice_.one_in(8) ? dice_.between(5'000, 25'000) : dice_.between(100, 2'000));
    } else if (what < 70 && !old_.empty()) {
      turn(old_[dice_.below(old_.size())]);
    } else if (!new_.empty()) {
      turn(new_[dice_.below(new_.size())]);
    }
  }

  // Closes, or is killed.
  void go(OldClient& client) {
    if (!client.id.empty() && dice_.one_in(2)) {
      wire::LeaveGroupRequest request{.group_id = "g"};
      request.members.push_back({.member_id = client.id});
      ask(request);
    }
    std::erase_if(old_, [&](const OldClient& other) { return &other == &client; });
  }
  // Questions that wait are not answered any more.
  void restart_all() {
    restart();
    for (OldClient& client : old_) {
      if (client.joining || client.syncing) reset(client, true);
    }
  }
  static void reset(OldClient& client, bool keep_id) {
    client = {.id = keep_id ? client.id : "", .stalled = client.stalled};
  }

  void turn(NewClient& client) {
    if (client.stalled) return;
    const ErrorCode error = beat(client.member);
    if (error == ErrorCode::kNone) return;
    client.member.epoch = 0;
    client.member.owned.clear();
    client.member.assigned.clear();
    client.member.told_subscription = false;
  }

  void turn(OldClient& client) {
    if (client.stalled) return;
    if (client.joining && answered(*client.joining)) return joined(client);
    if (client.syncing && answered(*client.syncing)) return synced(client);
    if (client.joining || client.syncing) return;
    if (!client.stable) return join(client);
    const auto reply = answer<wire::HeartbeatResponse>(ask(
        wire::HeartbeatRequest{.group_id = "g", .generation_id = client.generation, .member_id = client.id}));
    if (reply.error_code == 0) return;
    const auto error = static_cast<ErrorCode>(reply.error_code);
    reset(client, error != ErrorCode::kUnknownMemberId);  // and what it owns is given back
  }
  void join(OldClient& client) {
    JoinGroupRequest request = join_request(subscription_, client.id);
    request.rebalance_timeout_ms = 12'000;
    client.joining = ask(request);
    if (answered(*client.joining)) joined(client);
  }
  void joined(OldClient& client) {
    const auto reply = answer<JoinGroupResponse>(*client.joining);
    client.joining.reset();
    const auto error = static_cast<ErrorCode>(reply.error_code);
    if (error == ErrorCode::kMemberIdRequired) {
      client.id = reply.member_id;
      return join(client);
    }
    if (error != ErrorCode::kNone) return reset(client, error != ErrorCode::kUnknownMemberId);
    client.id = reply.member_id;
    client.generation = reply.generation_id;
    SyncGroupRequest request{.group_id = "g", .generation_id = client.generation, .member_id = client.id};
    std::vector<Bytes> work;
    work.reserve(reply.members.size());
    for (std::size_t i = 0; i < reply.members.size(); ++i) {  // it leads: by turns
      Assignment share;
      for (std::size_t p = i; p < 4; p += reply.members.size()) {
        share[topic("t")].push_back(static_cast<std::int32_t>(p));
      }
      work.push_back(write_assignment(share, reply.members[i].metadata, *image_));
      request.assignments.push_back({.member_id = reply.members[i].member_id, .assignment = work.back()});
    }
    client.syncing = ask(request);
    if (answered(*client.syncing)) synced(client);
  }
  void synced(OldClient& client) {
    const auto reply = answer<SyncGroupResponse>(*client.syncing);
    client.syncing.reset();
    const auto error = static_cast<ErrorCode>(reply.error_code);
    if (error != ErrorCode::kNone) return reset(client, error != ErrorCode::kUnknownMemberId);
    client.stable = true;
    client.owned.clear();
    if (reply.assignment.empty()) return;
    wire::Reader reader(reply.assignment);
    reader.number<std::int16_t>("version");
    wire::ConsumerProtocolAssignment assignment;
    EXPECT_TRUE(decode(reader, 1, assignment));
    for (const auto& one : assignment.assigned_partitions) {
      for (const std::int32_t partition : one.partitions) client.owned.emplace(topic(one.topic), partition);
    }
  }

  std::set<std::string> members() {
    std::set<std::string> ids;
    for (const auto& member : describe().members) ids.emplace(member.member_id);
    const auto reply =
        answer<wire::DescribeGroupsResponse>(ask(wire::DescribeGroupsRequest{.groups = {"g"}}));
    for (const auto& member : reply.groups[0].members) ids.emplace(member.member_id);
    return ids;
  }
  void check_owners() {
    const std::set<std::string> here = members();
    std::map<TopicPartition, std::string> owners;
    const auto add = [&](const std::string& id, const std::set<TopicPartition>& owned) {
      if (!here.contains(id)) return;
      for (const TopicPartition& partition : owned) {
        const auto [at, added] = owners.try_emplace(partition, id);
        EXPECT_TRUE(added) << partition.second << " is owned by " << at->second << " and " << id;
      }
    };
    for (const OldClient& client : old_) add(client.id, client.owned);
    for (const NewClient& client : new_) add(client.member.id, client.member.owned);
  }

  void converge() {
    for (int round = 0; round < 60; ++round) {
      for (OldClient& client : old_) client.stalled = false, turn(client);
      for (NewClient& client : new_) client.stalled = false, turn(client);
      pass(1'500);
      check_owners();
    }
    if (old_.empty() && new_.empty()) return;
    std::set<TopicPartition> all;
    for (const OldClient& client : old_) {
      EXPECT_TRUE(client.stable);
      all.insert(client.owned.begin(), client.owned.end());
    }
    for (const NewClient& client : new_) {
      EXPECT_GT(client.member.epoch, 0) << client.member.message;
      all.insert(client.member.owned.begin(), client.member.owned.end());
    }
    EXPECT_EQ(all, all_of("t"));
    EXPECT_EQ(members().size(), old_.size() + new_.size());
  }

  simenv::Random dice_{0};
  const ByteView subscription_ = subscription();
  std::vector<OldClient> old_;
  std::vector<NewClient> new_;
  int next_ = 0;
};

class MixedSeeds : public MixedTest, public testing::WithParamInterface<int> {};

TEST_P(MixedSeeds, NoPartitionHasTwoOwners) {
  const char* only = std::getenv("MOLDAU_SEED");
  run(only != nullptr ? std::strtoull(only, nullptr, 10) : static_cast<std::uint64_t>(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Mixed, MixedSeeds, testing::Range(0, 300));

}  // namespace
}  // namespace moldau::group
