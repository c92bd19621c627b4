#include "replica/partition.h"

#include <gtest/gtest.h>

#include "log/test_batches.h"
#include "simenv/disk.h"

namespace moldau::replica {
namespace {

using wire::ErrorCode;

constexpr BrokerId kSelf{1}, kOther{2};

struct Keeper final : LogKeeper {
  void flush_soon(bool include_active) override { flushes += include_active; }
  void high_watermark_moved(Offset high_watermark) override { told = high_watermark; }
  void disk_failed(const Error& error) override { failures.push_back(error); }
  void noticed(std::string line) override { lines.push_back(std::move(line)); }
  std::vector<std::string> lines;
  int flushes = 0;
  Offset told = kNoOffset;
  std::vector<Error> failures;
};

struct Ack final : AckWaiter {
  void acknowledged(ErrorCode error) override { told.push_back(error); }
  std::vector<ErrorCode> told;
};

struct Watcher final : FetchWaiter {
  void advanced(std::uint64_t n) override { bytes += n; }
  void changed() override { ++changes; }
  std::uint64_t bytes = 0;
  int changes = 0;
};

struct PartitionTest : testing::Test {
  void open(log::LogConfig config = {}) {
    auto made =
        log::Log::create({&disk, &files}, "/data/t-0", std::make_shared<log::LogConfig>(config), Uuid{}, 0);
    ASSERT_TRUE(made) << made.error().message;
    log = std::move(*made);
    partition =
        std::make_unique<Partition>(log::TopicPartition{"t", PartitionIndex{0}}, Uuid{}, kSelf, *log, keeper);
    lead();
  }
  void lead(BrokerId leader = kSelf, std::int32_t epoch = 0, std::size_t isr = 1,
            std::vector<BrokerId> replicas = {kSelf}) {
    metadata::Partition state;
    state.leader = leader;
    state.leader_epoch = LeaderEpoch{epoch};
    state.replicas = std::move(replicas);
    state.isr.assign(isr, kSelf);
    ASSERT_TRUE(partition->take_role(state));
  }
  Appended append(int count = 1, std::int16_t acks = 1, std::int32_t min_in_sync = 1) {
    Bytes batch = log::testing::make_batch({.count = count});
    return partition->append(batch, {}, acks, min_in_sync, ack);
  }
  Read read(std::int64_t from, std::int32_t leader_epoch = -1) {
    return partition->read(
        {.from = Offset{from}, .current_leader_epoch = leader_epoch, .max_bytes = 1 << 20, .min_one = true});
  }

  simenv::Disk disk{1};
  log::FileCache files{disk, 8};
  std::shared_ptr<Keeper> keeper = std::make_shared<Keeper>();
  std::shared_ptr<Ack> ack = std::make_shared<Ack>();
  std::unique_ptr<log::Log> log;
  std::unique_ptr<Partition> partition;
};

TEST_F(PartitionTest, AloneInSyncAWriteIsAcknowledgedAtOnce) {
  open();
  const Appended done = append(3, -1);
  EXPECT_EQ(done.error, ErrorCode::kNone);
  EXPECT_FALSE(done.waits);
  EXPECT_EQ(done.info.last_offset, Offset{2});
  EXPECT_EQ(partition->high_watermark(), Offset{3});
  EXPECT_EQ(keeper->told, Offset{3});
}

TEST_F(PartitionTest, FlushMessagesOneAcknowledgesOnlyWhatIsOnTheDisk) {
  log::LogConfig config;
  config.flush_messages = 1;
  open(config);
  EXPECT_TRUE(append(1, 1).waits);
  EXPECT_TRUE(append(1, -1).waits);
  EXPECT_EQ(keeper->flushes, 2);
  EXPECT_EQ(partition->high_watermark(), Offset{0});
  EXPECT_EQ(read(0).slice.length, 0u) << "nobody reads what may still be lost";
  const auto work = log->prepare_flush();
  ASSERT_TRUE(work && work->run(disk));
  log->complete_flush(*work, 0);
  partition->advance_high_watermark();
  EXPECT_EQ(ack->told, (std::vector{ErrorCode::kNone, ErrorCode::kNone}));
  EXPECT_EQ(partition->high_watermark(), Offset{2});
}

TEST_F(PartitionTest, WhatANewLeaderFindsUnsyncedIsSyncedAndShown) {
  log::LogConfig config;
  config.flush_messages = 1;
  open(config);
  append(3);
  keeper->flushes = 0;
  partition =
      std::make_unique<Partition>(log::TopicPartition{"t", PartitionIndex{0}}, Uuid{}, kSelf, *log, keeper);
  lead(kSelf, 1);
  EXPECT_EQ(keeper->flushes, 1);
  EXPECT_EQ(partition->high_watermark(), Offset{0});
  const auto work = log->prepare_flush();
  ASSERT_TRUE(work && work->run(disk));
  log->complete_flush(*work, 0);
  partition->advance_high_watermark();
  EXPECT_EQ(partition->high_watermark(), Offset{3});
  lead(kSelf, 2);
  EXPECT_EQ(keeper->flushes, 1) << "nothing is left to sync";
}

TEST_F(PartitionTest, TooFewInSyncReplicasRefuseAcksAllOnly) {
  open();
  lead(kSelf, 1, 1, {kSelf, kOther});
  EXPECT_EQ(append(1, -1, 2).error, ErrorCode::kNotEnoughReplicas);
  EXPECT_EQ(append(1, 1, 2).error, ErrorCode::kNone);
}

TEST_F(PartitionTest, MoreInSyncThanThereAreReplicasCannotBeAsked) {
  open();
  EXPECT_EQ(append(1, -1, 2).error, ErrorCode::kNone);
}

TEST_F(PartitionTest, AnIsrThatShrankMeanwhileIsToldWithTheAcknowledgement) {
  log::LogConfig config;
  config.flush_messages = 1;
  open(config);
  lead(kSelf, 1, 2, {kSelf, kOther});
  EXPECT_TRUE(append(1, -1, 2).waits);
  lead(kSelf, 1, 1, {kSelf, kOther});
  const auto work = log->prepare_flush();
  ASSERT_TRUE(work && work->run(disk));
  log->complete_flush(*work, 0);
  partition->advance_high_watermark();
  EXPECT_EQ(ack->told, (std::vector{ErrorCode::kNotEnoughReplicasAfterAppend}));
}

TEST_F(PartitionTest, WhoLosesTheLeadershipAcknowledgesNothingMore) {
  log::LogConfig config;
  config.flush_messages = 1;
  open(config);
  EXPECT_TRUE(append(1, -1).waits);
  lead(kNoBroker, 1);
  EXPECT_EQ(ack->told, (std::vector{ErrorCode::kNotLeaderOrFollower}));
  partition->advance_high_watermark();
  EXPECT_EQ(ack->told.size(), 1u);
}

// A waiter may be gone as soon as it was told.
TEST_F(PartitionTest, AWaiterIsNotTouchedAfterItWasTold) {
  log::LogConfig config;
  config.flush_messages = 1;
  open(config);
  struct Brief final : AckWaiter {
    explicit Brief(int& n) : count(n) {}
    void acknowledged(ErrorCode) override {
      ++count;
      delete this;
    }
    int& count;
  };
  int count = 0;
  for (int i = 0; i < 3; ++i) {
    Bytes batch = log::testing::make_batch({.count = 1});
    EXPECT_TRUE(partition->append(batch, {}, 1, 1, unowned(*new Brief(count))).waits);
  }
  partition->go_offline(ErrorCode::kKafkaStorageError);
  EXPECT_EQ(count, 3);
}

TEST_F(PartitionTest, AWaiterThatGivesUpIsToldOnce) {
  log::LogConfig config;
  config.flush_messages = 1;
  open(config);
  append(1, -1);
  partition->give_up(ack.get());
  partition->give_up(ack.get());
  EXPECT_EQ(ack->told, (std::vector{ErrorCode::kRequestTimedOut}));
}

TEST_F(PartitionTest, EpochsFenceReadersAndWriters) {
  open();
  append();
  lead(kSelf, 5);
  EXPECT_EQ(read(0, 4).error, ErrorCode::kFencedLeaderEpoch);
  EXPECT_EQ(read(0, 6).error, ErrorCode::kUnknownLeaderEpoch);
  EXPECT_EQ(read(0, 5).error, ErrorCode::kNone);
  lead(kOther, 6);
  EXPECT_EQ(read(0).error, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(append().error, ErrorCode::kNotLeaderOrFollower);
}

TEST_F(PartitionTest, ReadsOutsideTheLogAreOutOfRange) {
  open();
  append(3);
  EXPECT_EQ(read(-5).error, ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(read(4).error, ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(read(3).error, ErrorCode::kNone);
  EXPECT_EQ(read(3).slice.length, 0u);
}

TEST_F(PartitionTest, WatchersHearOfBytesAndOfChanges) {
  open();
  const auto watcher = std::make_shared<Watcher>();
  partition->watch(watcher, partition->high_watermark());
  EXPECT_EQ(watcher->changes, 0);
  append();
  EXPECT_GT(watcher->bytes, 60u);
  partition->watch(watcher, Offset{0});
  EXPECT_EQ(watcher->changes, 1) << "what moved between reading and watching is told at once";
  partition->unwatch(watcher.get());
  const auto before = watcher->bytes;
  append();
  EXPECT_EQ(watcher->bytes, before);
}

TEST_F(PartitionTest, GoingOfflineTellsWhoeverWaits) {
  log::LogConfig config;
  config.flush_messages = 1;
  open(config);
  const auto watcher = std::make_shared<Watcher>();
  partition->watch(watcher, partition->high_watermark());
  append(1, -1);
  partition->go_offline(ErrorCode::kKafkaStorageError);
  EXPECT_EQ(ack->told, (std::vector{ErrorCode::kKafkaStorageError}));
  EXPECT_GE(watcher->changes, 1);
  EXPECT_EQ(read(0).error, ErrorCode::kKafkaStorageError);
  EXPECT_EQ(append().error, ErrorCode::kKafkaStorageError);
}

TEST_F(PartitionTest, AFullDiskIsToldAndPasses) {
  open();
  append();
  disk.set_capacity(disk.used_bytes());
  EXPECT_EQ(append().error, ErrorCode::kKafkaStorageError);
  ASSERT_EQ(keeper->failures.size(), 1u);
  EXPECT_EQ(keeper->failures[0].kind, ErrorKind::kNoSpace);
  EXPECT_GT(read(0).slice.length, 0u) << "what is stored stays readable";
  disk.set_capacity(1 << 30);
  EXPECT_EQ(append().info.first_offset, Offset{1});
}

TEST_F(PartitionTest, DeleteRecordsMovesTheStartUpToTheHighWatermark) {
  open();
  append(5);
  EXPECT_EQ(partition->delete_records(Offset{6}).error, ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(partition->delete_records(Offset{2}).low_watermark, Offset{2});
  EXPECT_EQ(partition->delete_records(kNoOffset).low_watermark, Offset{5});
  EXPECT_EQ(read(4).error, ErrorCode::kOffsetOutOfRange);
}

// A quiet log is looked into when it is first asked for something. (Kafka: KafkaStorageException, and the
// directory goes offline.)
TEST_F(PartitionTest, DeleteRecordsThatMeetsADiskErrorSaysSoAndDeletesNothing) {
  open();
  append(5);
  ASSERT_TRUE(log->close());
  auto again =
      log::Log::open({&disk, &files}, "/data/t-0", std::make_shared<log::LogConfig>(),
                     {.clean_shutdown = true, .recovery_point = Offset{5}, .recovery_point_known = true});
  ASSERT_TRUE(again);
  log = std::move(*again);
  partition =
      std::make_unique<Partition>(log::TopicPartition{"t", PartitionIndex{0}}, Uuid{}, kSelf, *log, keeper);
  metadata::Partition state;
  state.leader = kSelf;
  state.replicas = state.isr = {kSelf};
  ASSERT_TRUE(partition->take_role(state, Offset{5}));
  disk.add_fault({.op = simenv::DiskOp::kRead, .path = "/data/t-0"});
  disk.add_fault({.op = simenv::DiskOp::kOpen, .path = "/data/t-0"});
  const auto refused = partition->delete_records(Offset{2});
  EXPECT_EQ(refused.error, ErrorCode::kKafkaStorageError);
  EXPECT_EQ(refused.low_watermark, kNoOffset);
  ASSERT_EQ(keeper->failures.size(), 1u) << "the directory goes offline";
  EXPECT_EQ(keeper->failures.front().kind, ErrorKind::kIo);
  EXPECT_EQ(log->start_offset(), Offset{0});
  disk.clear_faults();
  partition->go_offline(ErrorCode::kKafkaStorageError);  // as the manager does then
  EXPECT_EQ(partition->delete_records(Offset{2}).error, ErrorCode::kKafkaStorageError);
}

TEST_F(PartitionTest, WhatACheckpointClaimsAfterACleanStopIsNotToldToClients) {
  for (const std::int64_t claimed : {2, 4, 1'000'000}) {
    disk = simenv::Disk{1};
    open();
    append(3);
    ASSERT_TRUE(log->close());
    auto again = log::Log::open(
        {&disk, &files}, "/data/t-0", std::make_shared<log::LogConfig>(),
        {.clean_shutdown = true, .recovery_point = Offset{claimed}, .recovery_point_known = true});
    ASSERT_TRUE(again);
    log = std::move(*again);
    partition =
        std::make_unique<Partition>(log::TopicPartition{"t", PartitionIndex{0}}, Uuid{}, kSelf, *log, keeper);
    lead(kSelf, 1);
    // Something else may look into the log first.
    if (claimed == 4) ASSERT_TRUE(log->end_offset_for_epoch(LeaderEpoch{0}));
    const auto latest = partition->find_offset(log::kLatestTimestamp, Isolation::kReadUncommitted, -1);
    EXPECT_EQ(latest.at->offset, Offset{3}) << claimed;
    EXPECT_EQ(partition->high_watermark(), Offset{3});
    EXPECT_EQ(keeper->told, Offset{3});
    ASSERT_EQ(keeper->lines.size(), 1u);
    EXPECT_NE(keeper->lines[0].find("checkpoint says, found 3"), std::string::npos) << keeper->lines[0];
    keeper->lines.clear();
  }
}

TEST_F(PartitionTest, BelowTheStartNothingDiverges) {
  open();
  append(3);
  lead(kSelf, 2);
  append(2);
  EXPECT_EQ(partition->delete_records(Offset{2}).low_watermark, Offset{2});
  const auto from = [&](std::int64_t offset) {
    return partition->read({.from = Offset{offset}, .last_fetched_epoch = 1, .max_bytes = 1 << 20});
  };
  EXPECT_EQ(from(1).error, ErrorCode::kOffsetOutOfRange);
  ASSERT_TRUE(from(2).diverging);
  EXPECT_EQ(from(2).diverging->end, Offset{3});
}

TEST_F(PartitionTest, OffsetsAreFoundBelowTheHighWatermarkOnly) {
  log::LogConfig config;
  config.flush_messages = 1;
  open(config);
  append(3);
  const auto latest = partition->find_offset(log::kLatestTimestamp, Isolation::kReadUncommitted, -1);
  EXPECT_EQ(latest.at->offset, Offset{0});
  EXPECT_FALSE(partition->find_offset(1000, Isolation::kReadUncommitted, -1).at);
}

}  // namespace
}  // namespace moldau::replica
