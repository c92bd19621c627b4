// What a flush promises: what was told to be durable is there after a power loss, and trouble of one log is
// no trouble of the others.
#include <gtest/gtest.h>

#include "log/checkpoint.h"
#include "log/manager_fixture.h"

namespace moldau::log {
namespace {

using simenv::Crash;
using testing::ManagerFixture;

const Uuid kId = *Uuid::parse("AAAAAAAAAAAAAAAAAAAAAQ");

TopicPartition partition(int index) { return {"t", PartitionIndex{index}}; }

void make_logs(ManagerFixture& f, int count, int batches) {
  for (int i = 0; i < count; ++i) {
    auto log = f.manager->create(partition(i), kId);
    ASSERT_TRUE(log);
    for (int k = 0; k < batches; ++k)
      ASSERT_TRUE(ManagerFixture::append(LogManager::log(*log), "x" + std::to_string(k) + "-"));
  }
}

// Many logs are closed with one wait for the disk; a power loss right behind it loses nothing.
TEST(Flush, ManyLogsAreSyncedTogether) {
  ManagerFixture f;
  ASSERT_TRUE(f.open());
  make_logs(f, 40, 5);
  const auto before = f.disk.counters()[simenv::DiskOp::kSync];
  ASSERT_TRUE(f.manager->close());
  EXPECT_LE(f.disk.counters()[simenv::DiskOp::kSync] - before, 5u);
  f.crash(Crash::kPower);
  ASSERT_TRUE(f.open());
  EXPECT_TRUE(f.manager->directories()[0].was_clean);
  for (int i = 0; i < 40; ++i) {
    Log& log = LogManager::log(f.manager->find(partition(i)));
    EXPECT_EQ(ManagerFixture::values(log).size(), 5u);
    EXPECT_EQ(*log.topic_id(), kId);
  }

  // The same for what a checkpoint finds unflushed.
  f.options.background_flush_bytes = 1;
  ASSERT_TRUE(f.manager->close());
  ASSERT_TRUE(f.open());
  for (const auto& handle : f.manager->all())
    ASSERT_TRUE(ManagerFixture::append(LogManager::log(handle), "y"));
  const auto again = f.disk.counters()[simenv::DiskOp::kSync];
  ASSERT_TRUE(f.manager->write_checkpoints());
  EXPECT_LE(f.disk.counters()[simenv::DiskOp::kSync] - again, 5u);
  f.crash(Crash::kPower);
  ASSERT_TRUE(f.open());
  for (const auto& handle : f.manager->all()) EXPECT_EQ(LogManager::log(handle).end_offset(), Offset{6});
}

// New epochs alone, as every start brings them, leave a quiet log untouched.
TEST(Flush, ALogThatOnlyHeardOfAnEpochIsNotSynced) {
  ManagerFixture f;
  ASSERT_TRUE(f.open());
  make_logs(f, 40, 1);
  ASSERT_TRUE(f.manager->close());
  ASSERT_TRUE(f.open());
  for (const auto& handle : f.manager->all())
    ASSERT_TRUE(LogManager::log(handle).assign_epoch(LeaderEpoch{7}, Offset{1}));
  const auto before = f.disk.counters();
  ASSERT_TRUE(f.manager->close());
  EXPECT_LE(f.disk.counters()[simenv::DiskOp::kSync] - before[simenv::DiskOp::kSync], 5u);
  EXPECT_LE(f.disk.counters()[simenv::DiskOp::kOpen] - before[simenv::DiskOp::kOpen], 10u);
  f.crash(Crash::kPower);
  ASSERT_TRUE(f.open());
  EXPECT_TRUE(f.manager->directories()[0].was_clean);
  for (const auto& handle : f.manager->all())
    EXPECT_EQ(ManagerFixture::values(LogManager::log(handle)).size(), 1u);
}

// The file system may fail for a file of somebody else: then each of ours is asked for itself.
TEST(Flush, WhenAllTogetherFailsEachIsSynced) {
  ManagerFixture f;
  ASSERT_TRUE(f.open());
  make_logs(f, 20, 2);
  f.disk.add_fault({.op = simenv::DiskOp::kSync, .path = "/data", .times = 1});
  ASSERT_TRUE(f.manager->close());
  f.crash(Crash::kPower);
  ASSERT_TRUE(f.open());
  EXPECT_TRUE(f.manager->directories()[0].was_clean);
  for (const auto& handle : f.manager->all())
    EXPECT_EQ(ManagerFixture::values(LogManager::log(handle)).size(), 2u);

  f.options.background_flush_bytes = 1;
  ASSERT_TRUE(f.manager->close());
  ASSERT_TRUE(f.open());
  for (const auto& handle : f.manager->all())
    ASSERT_TRUE(ManagerFixture::append(LogManager::log(handle), "y"));
  f.disk.add_fault({.op = simenv::DiskOp::kSync, .path = "/data/t-3/"});  // but one is really gone
  f.disk.add_fault({.op = simenv::DiskOp::kSync, .path = "/data", .times = 1});
  EXPECT_FALSE(f.manager->write_checkpoints());
}

// A log that finds no room is no reason for the others to stay unsynced.
TEST(Flush, OneFullLogDoesNotStopTheOthers) {
  ManagerFixture f;
  f.options.background_flush_bytes = 1;
  ASSERT_TRUE(f.open());
  make_logs(f, 20, 1);
  f.disk.add_fault({.op = simenv::DiskOp::kWrite, .path = "/t-3/leader-epoch", .kind = ErrorKind::kNoSpace});
  ASSERT_TRUE(f.manager->write_checkpoints());
  EXPECT_TRUE(f.manager->directories()[0].online);
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(LogManager::log(f.manager->find(partition(i))).recovery_point(), Offset{i == 3 ? 0 : 1}) << i;
  f.disk.clear_faults();
  ASSERT_TRUE(f.manager->write_checkpoints());
  EXPECT_EQ(LogManager::log(f.manager->find(partition(3))).recovery_point(), Offset{1});
}

// Takes the log out as soon as its flush has been prepared.
struct RemoveBehindTheFirst final : Exclusion {
  ManagerFixture& f;
  bool done = false;
  explicit RemoveBehindTheFirst(ManagerFixture& fixture) : f(fixture) {}
  void run(const std::function<void()>& work) override {
    work();
    if (!std::exchange(done, true)) EXPECT_TRUE(f.manager->remove(partition(0)));
  }
};

TEST(Flush, ALogRemovedMeanwhileIsNoTroubleOfItsDirectory) {
  ManagerFixture f;
  ASSERT_TRUE(f.open());
  make_logs(f, 2, 1);
  const auto handle = f.manager->find(partition(0));
  LogManager::set_exclusion(handle, std::make_shared<RemoveBehindTheFirst>(f));
  bool told = false;
  f.manager->flush_in_background(handle, true, [&](Status) { told = true; });
  f.background.run_all();
  EXPECT_TRUE(told);
  EXPECT_TRUE(f.manager->directories()[0].online);
  EXPECT_EQ(f.manager->find(partition(0)), nullptr);
  EXPECT_NE(f.manager->find(partition(1)), nullptr);
}

// The id of a topic whose log was made by a process that was killed becomes durable with the next flush.
TEST(Flush, TheTopicsIdIsSyncedAfterAKill) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    ManagerFixture f(seed);
    ASSERT_TRUE(f.open());
    make_logs(f, 1, 1);
    f.crash(Crash::kProcess);
    ASSERT_TRUE(f.open());
    f.manager->flush_in_background(f.manager->find(partition(0)), true);
    f.background.run_all();
    f.crash(Crash::kPower);
    ASSERT_TRUE(f.open());
    Log& log = LogManager::log(f.manager->find(partition(0)));
    EXPECT_EQ(log.end_offset(), Offset{1});
    EXPECT_EQ(*log.topic_id(), kId) << seed;
  }
}

// A segment that was closed while the file system was being synced has an index that is not synced yet.
TEST(Flush, AnIndexThatGrewMeanwhileIsSyncedNextTime) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    ManagerFixture f(seed);
    f.config = std::make_shared<LogConfig>(LogConfig{.segment_bytes = 4000, .index_interval_bytes = 100});
    ASSERT_TRUE(f.open());
    make_logs(f, 1, 8);
    Log& log = LogManager::log(f.manager->find(partition(0)));
    const auto first = log.prepare_flush(true, false);
    ASSERT_TRUE(first && f.disk.sync_all("/data"));
    while (log.segment_count() == 1) ASSERT_TRUE(ManagerFixture::append(log, "more"));
    log.complete_flush(*first, 0);
    const auto second = log.prepare_flush();
    ASSERT_TRUE(second && second->run(f.disk));
    const std::string index = "/data/t-0/00000000000000000000.index";
    const std::string written = f.text_of(index);
    f.crash(Crash::kPower);
    EXPECT_TRUE(f.text_of(index) == written) << seed;
  }
}

// However a power loss has torn the file of epochs, the log knows them.
TEST(Flush, TornEpochsAreReadFromTheLog) {
  ManagerFixture f;
  ASSERT_TRUE(f.open());
  make_logs(f, 1, 0);
  Log& log = LogManager::log(f.manager->find(partition(0)));
  for (const int epoch : {1, 4, 12})
    for (int i = 0; i < 5; ++i) {
      Bytes batch = testing::make_batch({.count = 3, .epoch = LeaderEpoch{epoch}});
      ASSERT_TRUE(log.append(batch, {.leader_epoch = LeaderEpoch{epoch}}));
    }
  const std::string path = "/data/t-0/" + std::string(kEpochsName);
  const auto flushed = log.prepare_flush();
  ASSERT_TRUE(flushed && flushed->run(f.disk));
  const std::string whole = f.text_of(path);
  ASSERT_EQ(whole, "0\n3\n1 0\n4 15\n12 30\n");
  const auto epochs = *log.epochs();
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    for (const bool zeros : {false, true}) {
      std::string torn = whole.substr(0, size);
      if (zeros) torn.resize(whole.size(), '\0');
      f.crash(Crash::kProcess);
      ASSERT_TRUE(f.disk.replace_file(path, as_bytes(torn)));
      ASSERT_TRUE(f.open());
      EXPECT_EQ(*LogManager::log(f.manager->find(partition(0))).epochs(), epochs) << size;
    }
  }
}

// One flush answers all who asked before it began.
TEST(Flush, OneServesAllWhoAskedBefore) {
  ManagerFixture f;
  ASSERT_TRUE(f.open());
  auto a = f.manager->create(partition(0), kId);
  int done = 0;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(ManagerFixture::append(LogManager::log(*a), "x"));
    f.manager->flush_in_background(*a, true, [&](Status status) { done += status.has_value(); });
  }
  EXPECT_EQ(f.background.waiting(), 1u);
  const auto before = f.disk.counters()[simenv::DiskOp::kSync];
  f.background.run_all();
  EXPECT_EQ(done, 10);
  EXPECT_LE(f.disk.counters()[simenv::DiskOp::kSync] - before,
            3u);  // the log; once, epochs and partition.metadata
  EXPECT_EQ(LogManager::log(*a).recovery_point(), Offset{10});
}

}  // namespace
}  // namespace moldau::log
