// Moves between two log directories while records come, and what stands in their way.
#include "replica/log_mover.h"

#include <gtest/gtest.h>

#include "replica/moves_fixture.h"

namespace moldau::replica {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the fixture

TEST_F(Moves, CarryEveryRecordAndFollowNewOnes) {
  begin();
  ASSERT_EQ(m.move("/b"), ErrorCode::kNone);
  ASSERT_NE(m.manager->find_future(kName), nullptr);
  for (int i = 20; i < 26; ++i) {
    ASSERT_TRUE(m.background.run_one());
    fill(i, i + 1);
  }
  EXPECT_EQ(m.where(), "/a");
  m.finish();
  EXPECT_EQ(m.where(), "/b");
  EXPECT_EQ(m.moved, 1);
  EXPECT_EQ(m.records(), numbered(0, 26));
  fill(26, 30);
  EXPECT_EQ(m.records(), numbered(0, 30));
  EXPECT_EQ(m.folders(), (std::vector<std::string>{"/b/t-0"}));
  EXPECT_FALSE(m.disk.exists("/b/t-0/move-generation"));
  EXPECT_EQ(*LogManager::log(m.manager->find(kName)).topic_id(), kId);
  EXPECT_EQ(m.partition->with([](Partition& p) { return p.high_watermark(); }), Offset{30});
  m.clock.advance_ms(5000);
  m.manager->tick();
  m.background.run_all();
  for (const auto& entry : *m.disk.list("/a")) EXPECT_FALSE(entry.name.ends_with("-delete")) << entry.name;
  m.stop();
  ASSERT_TRUE(m.manager->close());
  ASSERT_TRUE(m.start());
  EXPECT_EQ(m.records(), numbered(0, 30));
}

TEST_F(Moves, KeepWhatIsKnownOfProducersWhoseRecordsAreGone) {
  ASSERT_TRUE(m.start());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(m.append("p", ProducerId{7}, i));
  const Bytes last = log::testing::make_batch({.count = 1,
                                               .timestamp = m.clock.wall_ms(),
                                               .value_bytes = 80,
                                               .tag = "p",
                                               .producer = ProducerId{7},
                                               .sequence = 9});
  ASSERT_EQ(m.partition->with([](Partition& p) { return p.delete_records(Offset{10}).error; }),
            ErrorCode::kNone);
  m.manager->run_retention();
  ASSERT_EQ(m.move("/b"), ErrorCode::kNone);
  m.finish();
  ASSERT_EQ(m.where(), "/b");
  for (const Crash kind : {Crash::kProcess, Crash::kPower}) {
    const Appended again = m.append(last);
    EXPECT_TRUE(again.info.duplicate);
    EXPECT_EQ(again.info.first_offset, Offset{9});
    m.die(kind);
    ASSERT_TRUE(m.start());
    EXPECT_EQ(m.partition->with([](Partition& p) { return p.log().start_offset(); }), Offset{10});
  }
}

TEST_F(Moves, FollowTheStartOfTheLog) {
  begin();
  ASSERT_EQ(m.move("/b"), ErrorCode::kNone);
  ASSERT_TRUE(m.background.run_one());
  ASSERT_EQ(m.partition->with([](Partition& p) { return p.delete_records(Offset{13}).error; }),
            ErrorCode::kNone);
  m.manager->run_retention();
  m.finish();
  EXPECT_EQ(m.where(), "/b");
  EXPECT_EQ(m.records(), numbered(13, 20));
  m.die(Crash::kPower);
  ASSERT_TRUE(m.start());
  EXPECT_EQ(m.records(), numbered(13, 20));
}

TEST_F(Moves, FollowATruncation) {
  begin();
  ASSERT_EQ(m.move("/b"), ErrorCode::kNone);
  while (LogManager::facts(m.manager->find_future(kName))->end < Offset{16})
    ASSERT_TRUE(m.background.run_one());
  m.partition->with(
      [&](Partition&) { ASSERT_TRUE(m.manager->truncate(m.manager->find(kName), Offset{11})); });
  m.partition->with([](Partition& p) { ASSERT_TRUE(p.log().assign_epoch(LeaderEpoch{9}, Offset{11})); });
  Bytes other = log::testing::make_batch({.count = 8, .value_bytes = 80, .tag = "w"});
  m.partition->with(
      [&](Partition& p) { ASSERT_TRUE(p.log().append(other, {.leader_epoch = LeaderEpoch{9}})); });
  const auto expected = m.records();
  m.finish();
  EXPECT_EQ(m.where(), "/b");
  EXPECT_EQ(m.records(), expected);
  EXPECT_EQ(*m.partition->with([](Partition& p) { return p.log().latest_epoch(); }), LeaderEpoch{9});
}

TEST_F(Moves, CarryBatchesThatAreLargerThanSegmentsMayBeNow) {
  m.config->segment_bytes = 1 << 20;
  ASSERT_TRUE(m.start());
  Bytes large = log::testing::make_batch({.count = 10, .value_bytes = 200, .tag = "v"});
  ASSERT_EQ(m.append(std::move(large)).error, ErrorCode::kNone);
  const auto expected = m.records();
  m.config = std::make_shared<log::LogConfig>(*m.config);
  m.config->segment_bytes = 700;
  ASSERT_EQ(m.move("/b"), ErrorCode::kNone);
  m.finish();
  EXPECT_EQ(m.where(), "/b");
  EXPECT_EQ(m.records(), expected);
}

TEST_F(Moves, AreCancelledByARequestToStay) {
  begin();
  ASSERT_EQ(m.move("/b"), ErrorCode::kNone);
  ASSERT_TRUE(m.background.run_one());
  EXPECT_EQ(m.move("/a"), ErrorCode::kNone);
  EXPECT_EQ(m.manager->find_future(kName), nullptr);
  m.finish();
  EXPECT_EQ(m.where(), "/a");
  m.die(Crash::kPower);
  ASSERT_TRUE(m.start());
  EXPECT_EQ(m.manager->find_future(kName), nullptr);
}

TEST_F(Moves, AnswerAsKafkaDoes) {
  begin(1);
  EXPECT_EQ(m.move("/nowhere"), ErrorCode::kLogDirNotFound);
  EXPECT_EQ(m.move("/a"), ErrorCode::kNone);
  EXPECT_EQ(m.moves->alter({std::string(240, 'x'), PartitionIndex{0}}, m.partition, "/b"),
            ErrorCode::kInvalidTopicException);
  const log::TopicPartition coming{"coming", PartitionIndex{0}};
  EXPECT_EQ(m.moves->alter(coming, nullptr, "/a"), ErrorCode::kReplicaNotAvailable);
  EXPECT_EQ(LogManager::directory(*m.manager->create(coming, kId)), "/a") << "though /b holds fewer";
  m.manager->disk_failed(m.manager->find(coming), {ErrorKind::kIo, "gone"});
  EXPECT_EQ(m.move("/b"), ErrorCode::kKafkaStorageError);
}

TEST_F(Moves, DoNotCarryOnWhatHasRotted) {
  begin();
  ASSERT_TRUE(m.disk.flip_bit("/a/t-0/00000000000000000000.log", 40, 3));
  ASSERT_EQ(m.move("/b"), ErrorCode::kNone);
  m.finish();
  EXPECT_EQ(m.where(), "/a");
  EXPECT_EQ(m.manager->find_future(kName), nullptr);
  EXPECT_TRUE(m.events.contains("to match its checksum"));
}

TEST_F(Moves, WaitForRoom) {
  begin();
  ASSERT_EQ(m.move("/b"), ErrorCode::kNone);
  m.disk.set_capacity(m.disk.used_bytes() + 100);
  m.finish();
  EXPECT_EQ(m.where(), "/a");
  m.disk.set_capacity(1 << 30);
  m.finish();
  EXPECT_EQ(m.where(), "/b");
  EXPECT_EQ(m.records(), numbered(0, 20));
}

}  // namespace
}  // namespace moldau::replica
