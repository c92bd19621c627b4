// Which topic a partition's folder belongs to: ids that are written later, and two topics that bore one name.
#include <algorithm>
#include <gtest/gtest.h>

#include "log/manager_fixture.h"

namespace moldau::log {
namespace {

using simenv::Crash;
using simenv::DiskOp;
using testing::ManagerFixture;

const TopicPartition kName{"t", PartitionIndex{0}};
const Uuid kOld = *Uuid::parse("Nf8SNjxxS1iaaNI5b1REpA"), kNew = *Uuid::parse("AAAAAAAAAAAAAAAAAAAABA");

TopicPartition numbered(int i) { return {"t" + std::to_string(i), PartitionIndex{0}}; }

// Logs whose folders know no topic; the id of each written, then a power cut.
void name_logs(ManagerFixture& f, int count) {
  ASSERT_TRUE(f.open());
  for (int i = 0; i < count; ++i) ASSERT_TRUE(f.manager->create(numbered(i), Uuid{}));
  ASSERT_TRUE(f.manager->close());
  ASSERT_TRUE(f.disk.sync_all("/data"));
  ASSERT_TRUE(f.open());
  LogManager::TopicIds ids;
  for (const auto& handle : f.manager->all()) ids.emplace_back(handle, kNew);
  ASSERT_EQ(ids.size(), static_cast<std::size_t>(count));
  f.manager->store_topic_ids(ids);
  for (const auto& handle : f.manager->all()) EXPECT_EQ(LogManager::log(handle).topic_id().value(), kNew);
  f.crash(Crash::kPower);
}

void check_named(ManagerFixture& f, int count) {
  ASSERT_TRUE(f.open());
  for (int i = 0; i < count; ++i) {
    EXPECT_EQ(LogManager::log(f.manager->find(numbered(i))).topic_id().value(), kNew) << i;
    EXPECT_EQ(f.text_of("/data/t" + std::to_string(i) + "-0/partition.metadata"),
              "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAABA");
  }
}

TEST(TopicIds, AreDurableOnceTheyAreStored) {
  for (const int count : {1, 3, 40}) {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      SCOPED_TRACE(std::to_string(count) + " logs, seed " + std::to_string(seed));
      ManagerFixture f(seed);
      name_logs(f, count);
      check_named(f, count);
    }
  }
}

TEST(TopicIds, OfManyLogsWaitForTheDiskOnce) {
  ManagerFixture f;
  ASSERT_TRUE(f.open());
  LogManager::TopicIds ids;
  for (int i = 0; i < 100; ++i) ids.emplace_back(*f.manager->create(numbered(i), Uuid{}), kNew);
  const auto waits = [&] {
    return f.disk.counters()[DiskOp::kSync] + f.disk.counters()[DiskOp::kSyncDirectory];
  };
  const auto before = waits();
  f.manager->store_topic_ids(ids);
  EXPECT_LE(waits() - before, 1u);
}

TEST(TopicIds, ADiskThatDoesNotTakeThemFails) {
  ManagerFixture f;
  ASSERT_TRUE(f.open());
  const auto handle = *f.manager->create(kName, Uuid{});
  f.disk.add_fault({.op = DiskOp::kOpen, .path = "partition.metadata"});
  f.manager->store_topic_ids({{handle, kNew}});
  EXPECT_FALSE(f.manager->directories().at(0).online);
}

// The topic was deleted and made again while a directory was away.
struct TwoTopics : ::testing::Test {
  TwoTopics() {
    f.options.directories = {"/one", "/two"};
    make("/one", kOld, "old");
    make("/two", kNew, "new");
  }
  void make(const std::string& directory, const Uuid& id, const std::string& value) {
    ManagerFixture& m = f;
    m.options.directories = {directory};
    ASSERT_TRUE(m.open());
    m.options.cluster_id = m.manager->cluster_id();
    const auto handle = *m.manager->create(kName, id);
    ASSERT_TRUE(ManagerFixture::append(LogManager::log(handle), value));
    ASSERT_TRUE(m.manager->close());
    m.manager.reset();
    m.options.directories = {"/one", "/two"};
  }
  std::string stray_in(const std::string& directory) {
    const auto entries = *f.disk.list(directory);
    const auto found =
        std::ranges::find_if(entries, [](const auto& e) { return e.name.ends_with("-stray"); });
    return found == entries.end() ? "" : found->name;
  }
  bool told(std::initializer_list<std::string> parts) {
    return std::ranges::any_of(f.report.lines, [&](const std::string& line) {
      return std::ranges::all_of(parts,
                                 [&](const auto& part) { return line.find(part) != std::string::npos; });
    });
  }
  ManagerFixture f;
};

TEST_F(TwoTopics, OnlyTheOneThereIsNowStays) {
  struct Case {
    Uuid now, left;
    const char *kept_in, *left_in, *value;
  };
  for (const Case& c : {Case{kNew, kOld, "/two", "/one", "new0"}, Case{kOld, kNew, "/one", "/two", "old0"}}) {
    f.options.topic_id_of = [&](const std::string&) { return c.now; };
    ASSERT_TRUE(f.open());
    const auto handle = f.manager->find(kName);
    ASSERT_NE(handle, nullptr);
    EXPECT_EQ(LogManager::directory(handle), c.kept_in);
    EXPECT_EQ(ManagerFixture::values(LogManager::log(handle)), std::vector<std::string>{c.value});
    EXPECT_TRUE(told({std::string(c.left_in) + "/t-0", c.left.to_string(), c.now.to_string(), "set aside"}));
    const std::string stray = stray_in(c.left_in);
    ASSERT_NE(stray, "");
    EXPECT_EQ(stray_in(c.kept_in), "");
    ASSERT_TRUE(f.manager->close());
    f.manager.reset();
    ASSERT_TRUE(f.disk.rename(std::string(c.left_in) + "/" + stray, std::string(c.left_in) + "/t-0"));
  }
}

TEST_F(TwoTopics, OneIsLeftToBeJudgedWhenTheNameIsNobodys) {
  f.options.topic_id_of = [](const std::string&) { return Uuid{}; };
  ASSERT_TRUE(f.open());
  EXPECT_NE(f.manager->find(kName), nullptr);
  EXPECT_NE(stray_in("/one") + stray_in("/two"), "");
}

TEST_F(TwoTopics, AreAMistakeWhereThereAreNoMetadata) {
  const Status opened = f.open();
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("expected in one log directory"), std::string::npos);
}

}  // namespace
}  // namespace moldau::log
