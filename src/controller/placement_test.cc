#include "controller/placement.h"

#include <gtest/gtest.h>
#include <map>
#include <set>

#include "simenv/clock.h"

namespace moldau::controller {
namespace {

std::vector<UsableBroker> brokers(int racks, int per_rack) {
  std::vector<UsableBroker> all;
  for (int i = 0; i < racks * per_rack; ++i)
    all.push_back(
        {BrokerId{i}, racks > 1 ? std::optional("rack" + std::to_string(i % racks)) : std::nullopt});
  return all;
}

// Every list is good in itself, and leaders are spread evenly.
void expect_good(const std::vector<UsableBroker>& all, int racks, std::int16_t factor, std::uint64_t seed) {
  simenv::Random random(seed);
  const int partitions = static_cast<int>(all.size()) * 4;
  const auto placed = place(all, partitions, factor, random);
  ASSERT_TRUE(placed.has_value()) << placed.error().message;
  ASSERT_EQ(placed->size(), static_cast<std::size_t>(partitions));
  std::map<BrokerId, int> leads;
  for (const auto& replicas : *placed) {
    EXPECT_EQ(replicas.size(), static_cast<std::size_t>(factor));
    EXPECT_EQ(std::set(replicas.begin(), replicas.end()).size(), replicas.size());
    ++leads[replicas.front()];
    std::set<int> seen;
    for (const BrokerId id : replicas) seen.insert(id.value % racks);
    ASSERT_EQ(static_cast<int>(seen.size()), std::min<int>(racks, factor));
  }
  for (const auto& [broker, count] : leads) EXPECT_LE(count, 7) << broker.value;
  EXPECT_EQ(leads.size(), all.size());
}

TEST(Placement, stripes_over_brokers_and_racks) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    expect_good(brokers(1, 1), 1, 1, seed);
    expect_good(brokers(1, 5), 1, 3, seed);
    expect_good(brokers(3, 2), 3, 3, seed);
    expect_good(brokers(3, 3), 3, 2, seed);
  }
}

TEST(Placement, fenced_brokers_never_lead_and_come_last) {
  auto all = brokers(1, 4);
  all[0].fenced = all[1].fenced = true;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    simenv::Random random(seed);
    const auto placed = place(all, 10, 3, random);
    ASSERT_TRUE(placed.has_value());
    for (const auto& replicas : *placed) {
      EXPECT_GE(replicas[0].value, 2);
      EXPECT_GE(replicas[1].value, 2);
      EXPECT_LE(replicas[2].value, 1);
    }
  }
}

TEST(Placement, says_why_it_cannot) {
  simenv::Random random(1);
  auto all = brokers(1, 2);
  EXPECT_NE(place(all, 1, 3, random).error().message.find("only 2 broker(s)"), std::string::npos);
  EXPECT_NE(place(all, 1, 0, random).error().message.find("must be positive"), std::string::npos);
  all[0].fenced = all[1].fenced = true;
  EXPECT_EQ(place(all, 1, 1, random).error().message, "All brokers are currently fenced.");
  EXPECT_EQ(place({}, 1, 1, random).error().message, "All brokers are currently fenced.");
}

}  // namespace
}  // namespace moldau::controller
