// Members that come, go, stall, miss answers and come back with old epochs, a coordinator that starts again,
// topics that grow: whatever happens, no partition is owned by two members of the group at a time, and when
// it stops everybody has what is due to them. A seed that fails is a test by itself:
// --gtest_filter=*Random* with MOLDAU_SEED set.
#include <algorithm>
#include <cstdlib>
#include <map>

#include "group/consumer_fixture.h"

namespace moldau::group {
namespace {

// A client process. What it owns is in its Member; it is gone from the group when the coordinator says so.
struct Client {
  Member member;
  bool stalled = false;
  int holds_on = 0;  // heartbeats for which it does not give back what it was told to
};

class RandomTest : public ConsumerTest {
 protected:
  void run(std::uint64_t seed) {
    dice_ = simenv::Random(seed);
    add_topic("u", 3);
    add_topic("very", 2);
    for (int step = 0; step < 150; ++step) {
      act();
      check_owners();
      if (HasFailure()) return;
    }
    converge();
  }

 private:
  void act() {
    const auto what = dice_.below(100);
    if (what < 8 && clients_.size() < 6) {
      start();
    } else if (what < 12 && !clients_.empty()) {
      stop();
    } else if (what < 18 && !clients_.empty()) {
      any().stalled ^= true;
    } else if (what < 21 && !clients_.empty()) {
      want(any().member);
    } else if (what < 23) {
      const std::string name = "t" + std::string(dice_.below(8), 'x');
      if (image_->find_topic(name) == nullptr) add_topic(name, static_cast<int>(dice_.between(1, 4)));
    } else if (what < 25) {
      restart();
    } else if (what < 40) {
      pass(dice_.one_in(8) ? dice_.between(10'000, 50'000) : dice_.between(100, 3'000));
    } else if (!clients_.empty()) {
      beat_as(any());
    }
  }

  Client& any() {
    auto at = clients_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(dice_.below(clients_.size())));
    return at->second;
  }
  void start() {
    const std::string id = "m" + std::to_string(next_++);
    Client& client = clients_.emplace(id, Client{.member = Member(id)}).first->second;
    if (dice_.one_in(3)) client.member.instance = "i" + std::to_string(dice_.below(3));
    if (dice_.one_in(3)) client.member.assignor = "range";
    want(client.member);
    beat_as(client);
  }
  void want(Member& member) {
    static const std::vector<std::vector<std::string>> kTopics = {{"t"}, {"t", "u"}, {"u", "very"}, {}};
    member.topics = kTopics[dice_.below(kTopics.size())];
    member.regex = dice_.one_in(4) ? std::optional<std::string>(dice_.one_in(2) ? "t.*" : ".*") : "";
    member.told_subscription = false;
  }
  // Closes, or is killed, or makes room for its successor.
  void stop() {
    auto at = clients_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(dice_.below(clients_.size())));
    Member& member = at->second.member;
    if (!dice_.one_in(3)) leave(member, member.instance && dice_.one_in(2) ? -2 : -1);
    clients_.erase(at);
  }

  void beat_as(Client& client) {
    if (client.stalled) return;
    Member& member = client.member;
    if (client.holds_on == 0 || --client.holds_on == 0) member.keep.clear();
    Member before = member;  // as it says in this heartbeat
    before.owned = before.assigned;
    before.owned.insert(before.keep.begin(), before.keep.end());
    if (dice_.one_in(20)) {
      // What is decided cannot be written: the machine is loaded again, and nobody hears anything.
      machine_->handle(context(), {{0, 1}, client_id_, "/127.0.0.1"}, request_of(before));
      restart();
      member = before;
      member.told_subscription = false;
      return;
    }
    const ErrorCode error = beat(member);
    if (error == ErrorCode::kFencedMemberEpoch || error == ErrorCode::kUnknownMemberId) {
      member.epoch = 0;
      forget(member);
    } else if (error != ErrorCode::kNone) {
      EXPECT_TRUE(error == ErrorCode::kUnreleasedInstanceId || error == ErrorCode::kFencedInstanceId ||
                  error == ErrorCode::kGroupIdNotFound)
          << member.message;
      member.epoch = 0;
      forget(member);
    } else if (dice_.one_in(6) && before.epoch != 0) {
      // The answer was lost: it is where it was, says all it has to, and what it gave back is given back.
      member = before;
      member.told_subscription = false;
    } else if (member.told && dice_.one_in(4)) {
      std::ranges::set_difference(before.owned, member.assigned,
                                  std::inserter(member.keep, member.keep.end()));
      client.holds_on = static_cast<int>(dice_.between(1, 5));
      member.owned.insert(member.keep.begin(), member.keep.end());
    }
  }
  static void forget(Member& member) {
    member.owned.clear();
    member.assigned.clear();
    member.keep.clear();
    member.told_subscription = false;
  }

  // Whom the group has not put out, and who is not put out by itself: the coordinator counts on them.
  void check_owners() {
    const auto group = describe();
    std::map<TopicPartition, std::string> owners, told;
    for (const auto& member : group.members) {
      for (const auto& one : member.assignment.topic_partitions) {
        for (const std::int32_t partition : one.partitions) {
          const auto [at, added] = told.try_emplace({one.topic_id, partition}, member.member_id);
          EXPECT_TRUE(added) << "the coordinator gave " << partition << " to " << at->second << " and "
                             << member.member_id;
        }
      }
      const auto client = clients_.find(std::string(member.member_id));
      if (client == clients_.end()) continue;
      for (const TopicPartition& partition : client->second.member.owned) {
        const auto [at, added] = owners.try_emplace(partition, client->first);
        EXPECT_TRUE(added) << partition.second << " is owned by " << at->second << " and " << client->first;
      }
    }
  }

  // Faults stop; everybody lives. Of several with one instance id the first stays.
  void converge() {
    std::set<std::string> instances;
    for (auto at = clients_.begin(); at != clients_.end();) {
      const auto& instance = at->second.member.instance;
      at = instance && !instances.insert(*instance).second ? clients_.erase(at) : std::next(at);
    }
    for (int round = 0; round < 40; ++round) {
      for (auto& [id, client] : clients_) {
        client.holds_on = 0;
        client.member.keep.clear();
        const ErrorCode error = beat(client.member);
        if (error == ErrorCode::kNone) continue;
        client.member.epoch = 0;
        forget(client.member);
      }
      pass(3'000);
      check_owners();
    }
    const auto group = describe();
    if (clients_.empty()) return;
    EXPECT_EQ(group.group_state, "Stable");
    EXPECT_EQ(group.members.size(), clients_.size());
    for (const auto& member : group.members) {
      EXPECT_EQ(member.assignment, member.target_assignment);
      const auto client = clients_.find(std::string(member.member_id));
      ASSERT_NE(client, clients_.end());
      std::set<TopicPartition> due;
      for (const auto& one : member.target_assignment.topic_partitions) {
        for (const std::int32_t partition : one.partitions) due.emplace(one.topic_id, partition);
      }
      EXPECT_EQ(client->second.member.owned, due);
    }
    for (const auto& [id, client] : clients_) {
      for (const std::string& wanted : client.member.topics) expect_owned(wanted);
    }
    const Bytes before = describe_bytes();
    restart();
    EXPECT_EQ(describe_bytes(), before);
  }
  void expect_owned(const std::string& wanted) {
    for (const TopicPartition& partition : all_of(wanted)) {
      EXPECT_TRUE(std::ranges::any_of(
          clients_, [&](const auto& entry) { return entry.second.member.owned.contains(partition); }))
          << wanted << "-" << partition.second << " is owned by nobody";
    }
  }

  simenv::Random dice_{0};
  std::map<std::string, Client> clients_;
  int next_ = 0;
};

class RandomSeeds : public RandomTest, public testing::WithParamInterface<int> {};

TEST_P(RandomSeeds, NoPartitionHasTwoOwners) {
  const char* only = std::getenv("MOLDAU_SEED");
  run(only != nullptr ? std::strtoull(only, nullptr, 10) : static_cast<std::uint64_t>(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Consumer, RandomSeeds, testing::Range(0, 300));

}  // namespace
}  // namespace moldau::group
