#include "group/assignor.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <deque>
#include <gtest/gtest.h>
#include <set>
#include <sstream>
#include <string>

#include "tests/support/golden.h"

namespace moldau::group {
namespace {

// A group that is assigned again and again.
struct World {
  struct Member {
    std::optional<std::string> instance_id{};
    std::vector<Uuid> topics{};
    Assignment target{};
  };
  std::map<std::string, Member> members{};
  std::map<Uuid, std::int32_t> topics{};

  AssignorInput input() const {
    AssignorInput input{.topics = topics};
    for (const auto& [id, member] : members) {
      input.members.push_back(
          {.id = id, .instance_id = member.instance_id, .topics = member.topics, .previous = &member.target});
    }
    return input;
  }
};

using Owned = std::set<std::pair<Uuid, std::int32_t>>;
Owned flat(const Assignment& assignment) {
  Owned owned;
  for (const auto& [topic, partitions] : assignment) {
    for (const std::int32_t partition : partitions) owned.emplace(topic, partition);
  }
  return owned;
}

// How many partitions have another owner than before.
std::size_t moves(const AssignorInput& input, const std::vector<Assignment>& result) {
  std::size_t moved = 0;
  for (std::size_t m = 0; m < result.size(); ++m) {
    const Owned before = input.members[m].previous == nullptr ? Owned{} : flat(*input.members[m].previous);
    for (const auto& partition : flat(result[m])) moved += before.contains(partition) ? 0 : 1;
  }
  return moved;
}

// Each partition of each topic with subscribers belongs to exactly one of these.
void expect_complete(const AssignorInput& input, const std::vector<Assignment>& result) {
  ASSERT_EQ(result.size(), input.members.size());
  Owned owned, wanted;
  std::set<Uuid> subscribed;
  for (std::size_t m = 0; m < result.size(); ++m) {
    for (const auto& [topic, partitions] : result[m]) {
      EXPECT_TRUE(std::ranges::binary_search(input.members[m].topics, topic));
      EXPECT_TRUE(std::ranges::is_sorted(partitions));
      EXPECT_FALSE(partitions.empty());
      for (const std::int32_t partition : partitions) EXPECT_TRUE(owned.emplace(topic, partition).second);
    }
    subscribed.insert(input.members[m].topics.begin(), input.members[m].topics.end());
  }
  for (const Uuid& topic : subscribed) {
    for (std::int32_t p = 0; p < input.topics.at(topic); ++p) wanted.emplace(topic, p);
  }
  EXPECT_EQ(owned, wanted);
}

std::vector<std::size_t> sizes(const std::vector<Assignment>& result) {
  std::vector<std::size_t> sizes;
  for (const Assignment& assignment : result) sizes.push_back(partition_count(assignment));
  return sizes;
}

Uuid topic_id(std::uint8_t n) { return Uuid{{n, n}}; }

// --- Kafka's own decisions (tests/golden/groups/Assignors.java) ---

struct Recorded {
  std::string assignor{};
  World world{};
  std::vector<Uuid> topics{};
  std::vector<Assignment> result{};
};

Assignment parse_assignment(std::istringstream& words, const std::vector<Uuid>& topics) {
  Assignment assignment;
  for (std::string word; words >> word;) {
    const auto colon = word.find(':');
    auto& partitions = assignment[topics.at(std::stoul(word.substr(0, colon)))];
    std::istringstream numbers(word.substr(colon + 1));
    for (std::string number; std::getline(numbers, number, ',');) partitions.push_back(std::stoi(number));
  }
  return assignment;
}

std::vector<Recorded> recorded() {
  std::vector<Recorded> cases;
  std::istringstream text(golden::text("groups/assignors.txt"));
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line);
    std::string kind, id;
    words >> kind >> id;
    if (kind == "case") {
      cases.push_back({.assignor = id});
    } else if (kind == "t") {
      cases.back().topics.push_back(*Uuid::parse(id));
      words >> cases.back().world.topics[*Uuid::parse(id)];
    } else if (kind == "m") {
      std::string instance, subscribed;
      words >> instance >> subscribed;
      World::Member& member = cases.back().world.members[id];
      if (instance != "-") member.instance_id = instance;
      std::istringstream numbers(subscribed == "-" ? "" : subscribed);
      for (std::string number; std::getline(numbers, number, ',');) {
        member.topics.push_back(cases.back().topics.at(std::stoul(number)));
      }
      member.target = parse_assignment(words, cases.back().topics);
    } else if (kind == "r") {
      cases.back().result.push_back(parse_assignment(words, cases.back().topics));
    }
  }
  return cases;
}

// range has no choice; uniform has one between partitions that are as good, but not in how many each member
// has, nor in how many move.
TEST(AssignorTest, DecidesAsKafka) {
  std::size_t count = 0;
  for (const Recorded& one : recorded()) {
    SCOPED_TRACE(std::to_string(count++) + " " + one.assignor);
    const AssignorInput input = one.world.input();
    const std::vector<Assignment> result = find_assignor(one.assignor)(input);
    expect_complete(input, result);
    EXPECT_EQ(sizes(result), sizes(one.result));
    EXPECT_EQ(moves(input, result), moves(input, one.result));
    if (one.assignor == "range") {
      EXPECT_EQ(result, one.result);
    }
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_EQ(count, 1200u);
}

TEST(AssignorTest, KnowsNamesAndClasses) {
  EXPECT_EQ(find_assignor("uniform"), &assign_uniform);
  EXPECT_EQ(find_assignor("org.apache.kafka.coordinator.group.assignor.RangeAssignor"), &assign_range);
  EXPECT_EQ(find_assignor("sticky"), nullptr);
}

// A log may hold a target that no assignor of today would make.
TEST(AssignorTest, UniformGetsOverTargetsThatCannotBe) {
  World world;
  const Uuid topic = topic_id(1);
  world.topics[topic] = 3;
  world.members["a"] = {.topics = {topic}, .target = {{topic, {0, 1, 7}}, {topic_id(9), {0}}}};
  world.members["b"] = {.topics = {topic}, .target = {{topic, {-1, 1}}}};
  expect_complete(world.input(), assign_uniform(world.input()));
  world.members["c"] = {.topics = {}, .target = {{topic, {2}}}};
  expect_complete(world.input(), assign_uniform(world.input()));
}

TEST(AssignorTest, NobodyAndNothing) {
  EXPECT_TRUE(assign_uniform({}).empty());
  EXPECT_TRUE(assign_range({}).empty());
  World world;
  world.members["a"] = {};
  EXPECT_EQ(assign_uniform(world.input()), std::vector<Assignment>(1));
  EXPECT_EQ(assign_range(world.input()), std::vector<Assignment>(1));
}

// A group to the size that Kafka's own benchmarks use; the second run has a member less.
TEST(AssignorTest, AThousandMembersAndTenThousandPartitions) {
  for (const bool same : {true, false}) {
    World world;
    for (std::uint8_t t = 0; t < 100; ++t) world.topics[topic_id(t)] = 100;
    for (int m = 0; m < 1000; ++m) {
      World::Member& member = world.members["member-" + std::to_string(m)];
      for (std::uint8_t t = 0; t < 100; ++t) {
        if (same || (m + t) % 2 == 0) member.topics.push_back(topic_id(t));
      }
    }
    for (int round = 0; round < 2; ++round) {
      const AssignorInput input = world.input();
      const auto begin = std::chrono::steady_clock::now();
      const std::vector<Assignment> result = assign_uniform(input);
      const auto took = std::chrono::steady_clock::now() - begin;
      RecordProperty(std::string(same ? "same" : "different") + std::to_string(round) + "_us",
                     static_cast<int>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
      expect_complete(input, result);
      const auto [least, most] = std::ranges::minmax(sizes(result));
      EXPECT_LE(most - least, 1u);
      EXPECT_EQ(result, assign_uniform(input));
      if (round == 1) {
        EXPECT_EQ(moves(input, result), 10u);
      }
      std::size_t m = 0;
      for (auto& [id, member] : world.members) member.target = result[m++];
      world.members.erase("member-500");
    }
  }
}

}  // namespace
}  // namespace moldau::group
