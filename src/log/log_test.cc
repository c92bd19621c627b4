// Appending to one log, and when it rolls.
#include <gtest/gtest.h>

#include "log/log_fixture.h"

namespace moldau::log {
namespace {

using testing::LogTest;
using testing::make_batch;
using wire::ErrorCode;

// ---- appending
// ----------------------------------------------------------------------------------------------------------------

TEST_F(LogTest, GivesOffsetsAndEpochs) {
  Bytes batch = make_batch({.count = 3});
  const auto first = log->append(batch, {.leader_epoch = LeaderEpoch{4}, .now_ms = kNow});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->first_offset, Offset{0});
  EXPECT_EQ(first->last_offset, Offset{2});
  EXPECT_EQ(first->max_timestamp, 1002);
  EXPECT_EQ(first->log_append_time_ms, -1);
  EXPECT_EQ(first->bytes, batch.size());
  EXPECT_EQ(append(make_batch({.count = 2}), {.leader_epoch = LeaderEpoch{4}}).first_offset, Offset{3});
  const Bytes stored = read_all(Offset{0}, Offset{5});
  record::BatchIterator batches(stored);
  const auto one = batches.next(), two = batches.next();
  ASSERT_TRUE(one && two);
  EXPECT_TRUE(one->crc_ok() && two->crc_ok());
  EXPECT_EQ(two->header().base_offset, Offset{3});
  EXPECT_EQ(two->header().partition_leader_epoch, LeaderEpoch{4});
  EXPECT_EQ(*log->latest_epoch(), LeaderEpoch{4});
}

TEST_F(LogTest, OneWriteOneBatch) {
  append(make_batch());
  const auto before = disk.counters();
  for (int i = 0; i < 100; ++i) append(make_batch());
  const auto& after = disk.counters();
  for (int op = 0; op < static_cast<int>(simenv::DiskOp::kCount_); ++op) {
    const auto which = static_cast<simenv::DiskOp>(op);
    EXPECT_EQ(after[which] - before[which], which == simenv::DiskOp::kWrite ? 100u : 0u) << op;
  }
}

TEST_F(LogTest, JobsAreWrittenTogether) {
  append(make_batch());
  std::vector<Bytes> batches;
  for (int i = 0; i < 6; ++i) batches.push_back(make_batch({.count = i + 1}));
  std::vector<AppendJob> jobs;
  for (Bytes& batch : batches) jobs.push_back({.batches = batch, .options = {.now_ms = kNow}});
  const auto before = disk.counters()[simenv::DiskOp::kWrite];
  log->append(jobs);
  EXPECT_EQ(disk.counters()[simenv::DiskOp::kWrite] - before, 1u);
  Offset next{1};
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(jobs[static_cast<std::size_t>(i)].outcome);
    EXPECT_EQ(jobs[static_cast<std::size_t>(i)].outcome->first_offset, next);
    next += i + 1;
  }
  EXPECT_EQ(log->end_offset(), next);
}

TEST_F(LogTest, ARefusedJobLeavesNoTrace) {
  append(make_batch({.producer = ProducerId{1}, .sequence = 0}));
  Bytes good = make_batch(), gap = make_batch({.producer = ProducerId{1}, .sequence = 5}), same = gap,
        next = make_batch({.producer = ProducerId{1}, .sequence = 1}),
        after = make_batch({.producer = ProducerId{1}, .sequence = 2});
  std::vector<AppendJob> jobs(5);
  MutableBytes bytes[] = {good, gap, next, same, after};
  for (std::size_t i = 0; i < 5; ++i) jobs[i].batches = bytes[i];
  log->append(jobs);
  EXPECT_EQ(jobs[0].outcome->first_offset, Offset{1});
  EXPECT_EQ(jobs[1].outcome->error, ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_EQ(jobs[2].outcome->first_offset, Offset{2});
  EXPECT_EQ(jobs[3].outcome->error, ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_EQ(jobs[4].outcome->first_offset, Offset{3}) << jobs[4].outcome->message;
  EXPECT_EQ(log->end_offset(), Offset{4});
}

TEST_F(LogTest, AFailedWriteLeavesNoTrace) {
  append(make_batch({.producer = ProducerId{1}, .sequence = 0}));
  const Bytes before = read_all(Offset{0}, Offset{1});
  disk.set_capacity(disk.used_bytes() + 70);  // a piece of it fits
  std::vector<Bytes> batches(3, make_batch({.count = 2}));
  batches.push_back(make_batch({.producer = ProducerId{1}, .sequence = 1}));
  std::vector<AppendJob> jobs;
  for (Bytes& batch : batches) jobs.push_back({.batches = batch, .options = {.now_ms = kNow}});
  log->append(jobs);
  for (const AppendJob& job : jobs) {
    ASSERT_FALSE(job.outcome);
    EXPECT_EQ(job.outcome.error().kind, ErrorKind::kNoSpace);
  }
  EXPECT_EQ(log->end_offset(), Offset{1});
  EXPECT_EQ(log->size_bytes(), before.size());
  EXPECT_EQ(disk.read_file(std::string(kFolder) + "/00000000000000000000.log")->size(), before.size());
  disk.set_capacity(1 << 30);
  EXPECT_EQ(append(make_batch({.producer = ProducerId{1}, .sequence = 1})).first_offset, Offset{1});
  EXPECT_EQ(read_all(Offset{0}, Offset{2}).size(), 2 * before.size());
}

// If even cutting back fails, the next append does it first.
TEST_F(LogTest, ATornWriteIsCutBeforeTheNextOne) {
  append(make_batch());
  disk.set_capacity(disk.used_bytes() + 70);
  disk.add_fault({.op = simenv::DiskOp::kTruncate, .times = 1});
  Bytes batch = make_batch({.count = 4});
  EXPECT_FALSE(log->append(batch, {.now_ms = kNow}));
  disk.set_capacity(1 << 30);
  EXPECT_EQ(append(make_batch({.tag = "z"})).first_offset, Offset{1});
  const Bytes stored = read_all(Offset{0}, Offset{2});
  record::BatchIterator batches(stored);
  ASSERT_TRUE(batches.next() && batches.next());
  EXPECT_EQ(batches.left_over(), 0u);
  reopen({});
  EXPECT_EQ(log->end_offset(), Offset{2});
  EXPECT_EQ(log->recovery().bytes_dropped, 0u);
}

TEST_F(LogTest, RefusesWhatCannotBe) {
  config->segment_bytes = 300;
  EXPECT_EQ(append(make_batch({.value_bytes = 400})).error, ErrorCode::kRecordListTooLarge);
  Bytes cut = make_batch();
  cut.pop_back();
  EXPECT_EQ(append(cut).error, ErrorCode::kCorruptMessage);
  EXPECT_EQ(append({}).error, ErrorCode::kNone);
  EXPECT_EQ(log->end_offset(), Offset{0});
}

TEST_F(LogTest, AFollowerTakesWhatItGets) {
  const AppendOptions follower{.origin = AppendOrigin::kFollower};
  EXPECT_EQ(
      append(make_batch({.count = 2, .base = Offset{5}, .epoch = LeaderEpoch{3}}), follower).first_offset,
      Offset{5});
  EXPECT_EQ(log->end_offset(), Offset{7});
  EXPECT_EQ(*log->latest_epoch(), LeaderEpoch{3});
  const auto behind = append(make_batch({.base = Offset{6}}), follower);
  EXPECT_EQ(behind.error, ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(behind.first_offset, Offset{6});
  // Several batches of a leader's log at once, a hole between them; a gap in sequences is the leader's
  // affair.
  Bytes several = make_batch(
      {.count = 2, .producer = ProducerId{1}, .sequence = 8, .base = Offset{7}, .epoch = LeaderEpoch{3}});
  const Bytes second =
      make_batch({.producer = ProducerId{1}, .sequence = 20, .base = Offset{12}, .epoch = LeaderEpoch{5}});
  several.insert(several.end(), second.begin(), second.end());
  const auto info = append(several, follower);
  EXPECT_EQ(info.error, ErrorCode::kNone) << info.message;
  EXPECT_EQ(info.last_offset, Offset{12});
  EXPECT_EQ((*log->producers())[0].last_sequence, 20);
  EXPECT_EQ(*log->end_offset_for_epoch(LeaderEpoch{3}), (EpochEndOffset{LeaderEpoch{3}, Offset{12}}));
  EXPECT_EQ(*log->epoch_for_offset(Offset{8}), LeaderEpoch{3});
}

TEST_F(LogTest, LogAppendTimeIsTold) {
  const auto info =
      append(make_batch({.timestamp = 777, .timestamp_type = record::TimestampType::kLogAppendTime}));
  EXPECT_EQ(info.log_append_time_ms, 777);
}

TEST_F(LogTest, ARepeatedBatchIsAnsweredWithItsOffsets) {
  for (int i = 0; i < 6; ++i)
    append(make_batch({.count = 2, .timestamp = 1000 + i, .producer = ProducerId{1}, .sequence = i * 2}));
  const auto again = append(make_batch({.count = 2, .producer = ProducerId{1}, .sequence = 4}));
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.error, ErrorCode::kNone);
  EXPECT_EQ(again.first_offset, Offset{4});
  EXPECT_EQ(again.last_offset, Offset{5});
  EXPECT_EQ(again.log_append_time_ms, 1003);
  EXPECT_EQ(log->end_offset(), Offset{12});
  EXPECT_EQ(
      append(make_batch({.count = 2, .producer = ProducerId{1}, .producer_epoch = -1, .sequence = 12})).error,
      ErrorCode::kInvalidProducerEpoch);
}

// ---- rolling
// ------------------------------------------------------------------------------------------------------------------

TEST_F(LogTest, RollsBySize) {
  const std::size_t one = make_batch().size();
  config->segment_bytes = static_cast<std::int32_t>(3 * one);
  for (int i = 0; i < 7; ++i) EXPECT_EQ(append(make_batch()).rolled, i == 3 || i == 6) << i;
  EXPECT_EQ(segment_files(), (std::vector<std::string>{"0", "3", "6"}));
  EXPECT_EQ(log->active_segment_base(), Offset{6});
  EXPECT_TRUE(disk.exists(std::string(kFolder) + "/00000000000000000003.snapshot"));
  EXPECT_TRUE(disk.exists(std::string(kFolder) + "/00000000000000000000.timeindex"));
}

TEST_F(LogTest, RollsByTime) {
  config->segment_ms = 10'000;
  append(make_batch({.timestamp = 100'000}));
  append(make_batch({.timestamp = 110'000}));
  EXPECT_EQ(log->segment_count(), 1u);
  append(make_batch({.timestamp = 110'001}));
  EXPECT_EQ(log->segment_count(), 2u) << "by the records' own time";
  append(make_batch({.timestamp = 50'000}));
  EXPECT_EQ(log->segment_count(), 2u) << "late records do not roll";
}

TEST_F(LogTest, JitterRollsEarlierAndAlwaysTheSame) {
  config->segment_ms = 10'000;
  config->segment_jitter_ms = 5'000;
  const auto first_roll = [&] {
    create();
    append(make_batch({.timestamp = 100'000}));
    std::int64_t at = 100'000;
    while (log->segment_count() == 1) append(make_batch({.timestamp = at += 50}));
    return at;
  };
  const std::int64_t once = first_roll();
  EXPECT_GT(once, 104'900);
  EXPECT_LE(once, 110'050);
  EXPECT_EQ(first_roll(), once);
}

TEST_F(LogTest, RollsWhenTheIndexIsFull) {
  config->index_interval_bytes = 1;
  config->segment_index_bytes = 10 * 12;
  for (int i = 0; i < 100; ++i) append(make_batch({.timestamp = 1000 + i}));
  EXPECT_GT(log->segment_count(), 8u);
  ASSERT_TRUE(log->close());
  for (const auto& entry : *disk.list(kFolder))
    if (entry.name.ends_with("index")) EXPECT_LE(entry.size, 120u) << entry.name;
}

TEST_F(LogTest, RollsBeforeAnOffsetThatTheIndexCannotHold) {
  const AppendOptions follower{.origin = AppendOrigin::kFollower};
  append(make_batch({.base = Offset{0}}), follower);
  append(make_batch({.base = Offset{(1LL << 31) - 1}}), follower);
  EXPECT_EQ(log->segment_count(), 1u);
  append(make_batch({.base = Offset{1LL << 31}}), follower);
  EXPECT_EQ(log->segment_count(), 2u);
  EXPECT_EQ(log->active_segment_base(), Offset{1LL << 31});
  append(make_batch({.base = Offset{1LL << 40}}), follower);
  EXPECT_EQ(log->active_segment_base(), Offset{1LL << 40});
  EXPECT_GT(read_all(Offset{0}, log->end_offset()).size(), 4 * 61u);
}

TEST_F(LogTest, PreallocatedSegmentsAreCutToSize) {
  config->preallocate = true;
  config->segment_bytes = 4096;
  create();
  for (int i = 0; i < 60; ++i) append(make_batch({.value_bytes = 100}));
  EXPECT_GT(log->segment_count(), 2u);
  const Bytes stored = read_all(Offset{0}, Offset{60});
  EXPECT_EQ(stored.size(), log->size_bytes());
  reopen({});  // killed: zeros behind the last batch
  EXPECT_EQ(log->end_offset(), Offset{60});
  EXPECT_EQ(read_all(Offset{0}, Offset{60}), stored);
  ASSERT_TRUE(log->close());
  std::uint64_t bytes = 0;
  for (const auto& entry : *disk.list(kFolder))
    if (entry.name.ends_with(".log")) bytes += entry.size;
  EXPECT_EQ(bytes, stored.size());
}

}  // namespace
}  // namespace moldau::log
