// One log, operation by operation.
#include "log/log.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <limits>

#include "log/checkpoint.h"
#include "log/test_batches.h"
#include "record/records.h"
#include "simenv/disk.h"

namespace moldau::log {
namespace {

using testing::make_batch;
using testing::make_marker;
using wire::ErrorCode;

struct LogTest : ::testing::Test {
  static constexpr const char* kFolder = "/data/t-0";
  static constexpr std::int64_t kNow = 1'700'000'000'000;

  simenv::Clock clock{kNow};
  simenv::Disk disk{1, &clock};
  FileCache files{disk, 10};
  std::shared_ptr<LogConfig> config = std::make_shared<LogConfig>();
  std::unique_ptr<Log> log;

  void SetUp() override { create(); }
  void create(Offset start = Offset{0}) {
    log.reset();
    EXPECT_TRUE(disk.remove_all(kFolder));
    auto made = Log::create({&disk, &files}, kFolder, config, Uuid{}, kNow, start);
    ASSERT_TRUE(made) << made.error().message;
    log = std::move(*made);
  }
  void reopen(OpenOptions options) {
    log.reset();
    options.now_ms = kNow;
    auto opened = Log::open({&disk, &files}, kFolder, config, options);
    ASSERT_TRUE(opened) << opened.error().message;
    log = std::move(*opened);
  }
  AppendInfo append(Bytes batch, AppendOptions options = {}) {
    if (options.now_ms == 0) options.now_ms = clock.wall_ms();
    const auto done = log->append(batch, options);
    EXPECT_TRUE(done) << done.error().message;
    return done ? *done : AppendInfo{};
  }
  Bytes read_all(Offset from, Offset upper) {
    Bytes all;
    for (Offset at = from; at < upper;) {
      const auto read = log->read(at, 1 << 20, upper, true);
      if (!read || read->slice.length == 0) break;
      Bytes piece(read->slice.length);
      EXPECT_EQ(*read->slice.file->read_at(read->slice.position, piece), piece.size());
      record::BatchIterator batches(piece);
      while (const auto batch = batches.next()) at = batch->header().next_offset();
      all.insert(all.end(), piece.begin(), piece.end());
    }
    return all;
  }
  std::vector<std::string> segment_files() {
    std::vector<std::string> names;
    for (const auto& entry : *disk.list(kFolder))
      if (entry.name.ends_with(".log")) names.push_back(std::to_string(std::stoll(entry.name)));
    return names;
  }
};

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

// ---- look-ups
// -----------------------------------------------------------------------------------------------------------------

TEST_F(LogTest, SpecialTimestamps) {
  const auto at = [&](std::int64_t timestamp) { return *log->lookup(timestamp); };
  EXPECT_EQ(at(kEarliestTimestamp), (TimestampOffset{-1, Offset{0}, kNoLeaderEpoch}));
  EXPECT_EQ(at(kMaxTimestamp), std::nullopt);
  EXPECT_EQ(at(5), std::nullopt);
  append(make_batch({.count = 3, .timestamp = 5000}), {.leader_epoch = LeaderEpoch{1}});
  append(make_batch({.count = 3, .timestamp = 9000, .codec = record::Codec::kZstd}),
         {.leader_epoch = LeaderEpoch{2}});
  append(make_batch({.count = 3, .timestamp = 7000}), {.leader_epoch = LeaderEpoch{3}});
  EXPECT_EQ(at(kLatestTimestamp), (TimestampOffset{-1, Offset{9}, LeaderEpoch{3}}));
  EXPECT_EQ(at(kEarliestTimestamp), (TimestampOffset{-1, Offset{0}, LeaderEpoch{1}}));
  EXPECT_EQ(at(kEarliestLocalTimestamp), (TimestampOffset{-1, Offset{0}, LeaderEpoch{1}}));
  EXPECT_EQ(at(kLatestTieredTimestamp), (TimestampOffset{-1, kNoOffset, kNoLeaderEpoch}));
  EXPECT_EQ(at(kMaxTimestamp), (TimestampOffset{9002, Offset{5}, LeaderEpoch{2}}));
  EXPECT_EQ(at(0), (TimestampOffset{5000, Offset{0}, LeaderEpoch{1}}));
  EXPECT_EQ(at(5001), (TimestampOffset{5001, Offset{1}, LeaderEpoch{1}}));
  EXPECT_EQ(at(7001), (TimestampOffset{9000, Offset{3}, LeaderEpoch{2}})) << "the first one, not the nearest";
  EXPECT_EQ(at(9003), std::nullopt);
  ASSERT_EQ(*log->advance_start_offset(Offset{4}, Offset{9}), ErrorCode::kNone);
  EXPECT_EQ(at(0), (TimestampOffset{9001, Offset{4}, LeaderEpoch{2}})) << "not below the start";
  EXPECT_EQ(at(kEarliestTimestamp), (TimestampOffset{-1, Offset{4}, LeaderEpoch{2}}));
}

TEST_F(LogTest, OffsetsBeforeAsVersion0) {
  clock.advance_ms(1000);
  append(make_batch({.count = 5}));
  ASSERT_TRUE(log->roll(kNow));
  clock.advance_ms(1000);
  append(make_batch({.count = 5}));
  const auto before = [&](std::int64_t timestamp, std::size_t count) {
    std::vector<std::int64_t> offsets;
    for (const Offset o : *log->offsets_before(timestamp, count, clock.wall_ms() + 500))
      offsets.push_back(o.value);
    return offsets;
  };
  using List = std::vector<std::int64_t>;
  EXPECT_EQ(before(kLatestTimestamp, 1), List{10});
  EXPECT_EQ(before(kLatestTimestamp, 10), (List{10, 5, 0}));
  EXPECT_EQ(before(kEarliestTimestamp, 10), List{0});
  EXPECT_EQ(before(kNow + 2000, 10), (List{5, 0})) << "written before or then";
  EXPECT_EQ(before(kNow + 1999, 10), List{0});
  EXPECT_EQ(before(kNow, 10), List{});
}

// ---- transactions
// ---------------------------------------------------------------------------------------------------------------

TEST_F(LogTest, ReadersOfCommittedSeeWhatIsDecided) {
  const ProducerId one{1}, two{2};
  const AppendOptions marker{.origin = AppendOrigin::kCoordinator};
  append(make_batch({.count = 2, .producer = one, .transactional = true}));  // 0, 1
  append(make_batch({.count = 2, .producer = two, .transactional = true}));  // 2, 3
  append(make_batch({.count = 1}));                                          // 4
  EXPECT_EQ(*log->last_stable_offset(Offset{5}), Offset{0});
  EXPECT_TRUE(*log->has_ongoing_transaction(one));
  append(make_marker(one, 0, false), marker);  // 5: abort
  EXPECT_FALSE(*log->has_ongoing_transaction(one));
  EXPECT_EQ(*log->last_stable_offset(Offset{5}), Offset{0}) << "the marker is not replicated";
  EXPECT_EQ(*log->last_stable_offset(Offset{6}), Offset{2});
  append(make_marker(two, 0, true), marker);  // 6: commit
  EXPECT_EQ(*log->last_stable_offset(Offset{7}), Offset{7});
  const std::vector<AbortedTransaction> aborted{{one, Offset{0}}};
  EXPECT_EQ(*log->aborted_transactions(Offset{0}, Offset{7}), aborted);
  EXPECT_EQ(*log->aborted_transactions(Offset{3}, Offset{7}), aborted) << "it reaches to its marker";
  EXPECT_EQ(*log->aborted_transactions(Offset{6}, Offset{7}), std::vector<AbortedTransaction>{});

  // The same after a clean stop, and built anew after a kill.
  ASSERT_TRUE(log->close());
  const auto index = disk.read_file(std::string(kFolder) + "/00000000000000000000.txnindex");
  ASSERT_TRUE(index);
  reopen({.clean_shutdown = true, .recovery_point = Offset{7}, .recovery_point_known = true});
  EXPECT_EQ(*log->aborted_transactions(Offset{0}, Offset{7}), aborted);
  ASSERT_TRUE(disk.remove(std::string(kFolder) + "/00000000000000000000.txnindex"));
  reopen({});
  EXPECT_EQ(*log->aborted_transactions(Offset{0}, Offset{7}), aborted);
  EXPECT_EQ(disk.read_file(std::string(kFolder) + "/00000000000000000000.txnindex"), index);
  EXPECT_EQ(*log->last_stable_offset(Offset{7}), Offset{7});
}

TEST_F(LogTest, AbortedTransactionsAcrossSegmentsAndCuts) {
  const ProducerId one{1};
  const AppendOptions marker{.origin = AppendOrigin::kCoordinator};
  append(make_batch({.count = 2, .producer = one, .transactional = true}));
  ASSERT_TRUE(log->roll(kNow));
  append(make_batch({.count = 2}));
  append(make_marker(one, 0, false), marker);  // 4, in the second segment
  EXPECT_EQ(log->aborted_transactions(Offset{0}, Offset{2})->size(), 1u) << "found in a later segment";
  ASSERT_TRUE(log->truncate_to(Offset{4}));
  EXPECT_EQ(log->aborted_transactions(Offset{0}, Offset{4})->size(), 0u);
  EXPECT_EQ(*log->last_stable_offset(Offset{4}), Offset{0}) << "open again";
  append(make_marker(one, 0, true), marker);
  EXPECT_EQ(*log->last_stable_offset(Offset{5}), Offset{5});
}

TEST_F(LogTest, MarkersOfFencedCoordinatorsAreRefused) {
  const AppendOptions marker{.origin = AppendOrigin::kCoordinator};
  append(make_batch({.producer = ProducerId{1}, .producer_epoch = 2, .transactional = true}));
  EXPECT_EQ(append(make_marker(ProducerId{1}, 1, true, 5), marker).error, ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(append(make_marker(ProducerId{1}, 2, true, 5), marker).error, ErrorCode::kNone);
  EXPECT_EQ(append(make_marker(ProducerId{1}, 2, true, 4), marker).error,
            ErrorCode::kTransactionCoordinatorFenced);
  EXPECT_EQ(
      append(
          make_batch({.producer = ProducerId{1}, .producer_epoch = 2, .sequence = 1, .transactional = true}),
          {.transaction_verified = false})
          .error,
      ErrorCode::kInvalidTxnState);
}

// ---- cutting
// ------------------------------------------------------------------------------------------------------------------

TEST_F(LogTest, TruncatesInsideABatch) {
  append(make_batch({.count = 5}));
  append(make_batch({.count = 5}));
  append(make_batch({.count = 5}), {.leader_epoch = LeaderEpoch{2}});
  ASSERT_TRUE(log->truncate_to(Offset{12}));
  EXPECT_EQ(log->end_offset(), Offset{10}) << "the batch goes whole";
  EXPECT_EQ(*log->latest_epoch(), LeaderEpoch{0});
  ASSERT_TRUE(log->truncate_to(Offset{30}));
  EXPECT_EQ(log->end_offset(), Offset{10});
  ASSERT_TRUE(log->truncate_to(Offset{0}));
  EXPECT_EQ(log->end_offset(), Offset{0});
  EXPECT_EQ(append(make_batch()).first_offset, Offset{0});
}

TEST_F(LogTest, TruncatesFullyAndStartsElsewhere) {
  append(make_batch({.count = 5, .producer = ProducerId{1}}));
  ASSERT_TRUE(log->roll(kNow));
  append(make_batch({.count = 5}));
  ASSERT_TRUE(log->truncate_fully_and_start_at(Offset{100}));
  EXPECT_EQ(log->start_offset(), Offset{100});
  EXPECT_EQ(log->end_offset(), Offset{100});
  EXPECT_TRUE(log->producers()->empty());
  EXPECT_TRUE(log->epochs()->empty());
  EXPECT_EQ(segment_files(), std::vector<std::string>{"100"});
  EXPECT_EQ(log->take_removals().size(), 4u);  // two logs, and the two indexes of the closed one
  EXPECT_EQ(append(make_batch()).first_offset, Offset{100});
  ASSERT_TRUE(log->truncate_to(Offset{50}));
  EXPECT_EQ(log->end_offset(), Offset{50}) << "below the first segment: all goes";
}

TEST_F(LogTest, DeletesRecords) {
  config->retention_ms = -1;
  append(make_batch({.count = 5}), {.leader_epoch = LeaderEpoch{1}});
  append(make_batch({.count = 5}), {.leader_epoch = LeaderEpoch{3}});
  EXPECT_EQ(*log->advance_start_offset(Offset{7}, Offset{6}), ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(*log->advance_start_offset(Offset{7}, Offset{8}), ErrorCode::kNone);
  EXPECT_EQ(log->start_offset(), Offset{7});
  EXPECT_EQ(*log->advance_start_offset(Offset{3}, Offset{8}), ErrorCode::kNone);
  EXPECT_EQ(log->start_offset(), Offset{7}) << "never back";
  EXPECT_EQ(log->read(Offset{6}, 100, Offset{10}, true)->error, ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(*log->epochs(), (std::vector<EpochEntry>{{LeaderEpoch{3}, Offset{7}}}));
  EXPECT_EQ(*log->delete_old_segments(kNow, Offset{10}), 0) << "the active segment stays";
  ASSERT_TRUE(log->roll(kNow));
  ASSERT_EQ(*log->advance_start_offset(Offset{10}, Offset{10}), ErrorCode::kNone);
  EXPECT_EQ(*log->delete_old_segments(kNow, Offset{10}), 1);
  EXPECT_EQ(segment_files(), std::vector<std::string>{"10"});
}

TEST_F(LogTest, RetainsBySize) {
  const auto one = static_cast<std::int64_t>(make_batch().size());
  config->segment_bytes = static_cast<std::int32_t>(2 * one);
  config->retention_ms = -1;
  for (int i = 0; i < 10; ++i) append(make_batch());  // five segments
  config->retention_bytes = 5 * one;
  EXPECT_EQ(*log->delete_old_segments(kNow, Offset{3}), 1) << "not above the high watermark";
  EXPECT_EQ(*log->delete_old_segments(kNow, Offset{10}), 1) << "as long as enough is left";
  EXPECT_EQ(log->start_offset(), Offset{4});
  EXPECT_EQ(log->size_bytes(), static_cast<std::uint64_t>(6 * one));
  config->retention_bytes = 0;
  EXPECT_EQ(*log->delete_old_segments(kNow, Offset{10}), 3);
  EXPECT_EQ(log->start_offset(), Offset{10}) << "the active one too, once a new one is there";
  EXPECT_EQ(log->size_bytes(), 0u);
  EXPECT_EQ(*log->delete_old_segments(kNow, Offset{10}), 0);
  EXPECT_EQ(append(make_batch()).first_offset, Offset{10});
}

TEST_F(LogTest, RetainsByTheRecordsTime) {
  config->retention_ms = 1000;
  append(make_batch({.timestamp = kNow - 5000}));
  append(make_batch({.timestamp = kNow - 900}));
  ASSERT_TRUE(log->roll(kNow));
  append(make_batch({.timestamp = kNow - 3000}));
  ASSERT_TRUE(log->roll(kNow));
  append(make_batch({.timestamp = kNow}));
  EXPECT_EQ(*log->delete_old_segments(kNow, Offset{4}), 0) << "the first segment has a young record";
  EXPECT_EQ(*log->delete_old_segments(kNow + 101, Offset{4}), 2);
  EXPECT_EQ(log->start_offset(), Offset{3});
  EXPECT_EQ(*log->delete_old_segments(kNow + 1001, Offset{4}), 1);
  config->cleanup_delete = false;
  append(make_batch({.timestamp = 1}));
  EXPECT_EQ(*log->delete_old_segments(kNow + 9000, Offset{5}), 0) << "compacted topics keep theirs";
}

// Without timestamps the time of the last write counts, also after a restart.
TEST_F(LogTest, RetainsByTheTimeOfWritingWhereThereAreNoTimestamps) {
  config->retention_ms = 1000;
  clock.advance_ms(500);
  append(make_batch({.timestamp = -1}));
  ASSERT_TRUE(log->roll(kNow));
  EXPECT_EQ(*log->delete_old_segments(kNow + 1500, Offset{1}), 0);
  ASSERT_TRUE(log->close());
  reopen({.clean_shutdown = true, .recovery_point = Offset{1}, .recovery_point_known = true});
  EXPECT_EQ(*log->delete_old_segments(kNow + 1500, Offset{1}), 0);
  EXPECT_EQ(*log->delete_old_segments(kNow + 1501, Offset{1}), 1);
}

// ---- recovery
// -----------------------------------------------------------------------------------------------------------------

struct Damaged : LogTest {
  std::vector<std::size_t> ends;
  std::int32_t next_sequence = 0;
  void fill(int batches) {
    for (int i = 0; i < batches; ++i) {
      append(make_batch({.count = 2, .producer = ProducerId{1}, .sequence = next_sequence}));
      next_sequence += 2;
      ends.push_back(log->size_bytes());
    }
  }
  const std::string file = std::string(kFolder) + "/00000000000000000000.log";
};

// A bit turned over at any place: everything before its batch stays, the rest goes, and it is told.
TEST_F(Damaged, FlippedBitsCutThere) {
  fill(5);
  const Bytes whole = *disk.read_file(file);
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    ASSERT_TRUE(disk.replace_file(file, whole));
    ASSERT_TRUE(disk.flip_bit(file, at, 3));
    reopen({.checkpoints_whole = true});
    const auto batch = static_cast<std::int64_t>(std::ranges::upper_bound(ends, at) - ends.begin());
    const std::size_t begin = batch == 0 ? 0 : ends[static_cast<std::size_t>(batch) - 1];
    if (at - begin >= 12 && at - begin < 16) continue;  // the leader epoch: nobody can know
    ASSERT_EQ(log->end_offset(), Offset{batch * 2}) << at;
    EXPECT_EQ(log->recovery().bytes_dropped, whole.size() - begin);
    EXPECT_NE(log->recovery().why.find("00000000000000000000.log: at byte " + std::to_string(begin) +
                                       ", offset " + std::to_string(batch * 2)),
              std::string::npos)
        << log->recovery().why;
  }
}

TEST_F(Damaged, OffsetsThatJumpAreALoss) {
  fill(5);
  ASSERT_TRUE(disk.flip_bit(file, ends[2] + 5, 3));  // within the base offset, outside the checksum
  reopen({.checkpoints_whole = true});
  EXPECT_EQ(log->end_offset(), Offset{6});
  EXPECT_FALSE(log->recovery().why.empty());
}

TEST_F(Damaged, LaterSegmentsGoToo) {
  fill(3);
  ASSERT_TRUE(log->roll(kNow));
  fill(2);
  const std::uint64_t bytes = log->size_bytes();
  ASSERT_TRUE(disk.flip_bit(file, ends[1] + 70, 0));
  reopen({});
  EXPECT_EQ(log->end_offset(), Offset{4});
  EXPECT_EQ(log->segment_count(), 1u);
  EXPECT_EQ(log->recovery().segments_dropped, 1u);
  EXPECT_EQ(log->recovery().bytes_dropped, bytes - ends[1]);
  EXPECT_EQ(append(make_batch({.count = 2, .producer = ProducerId{1}, .sequence = 4})).first_offset,
            Offset{4})
      << "producers are what the rest says";
}

TEST_F(Damaged, BelowTheRecoveryPointNobodyLooks) {
  fill(5);
  auto work = log->prepare_flush();
  ASSERT_TRUE(work && work->run(disk));
  log->complete_flush(*work, kNow);
  EXPECT_EQ(log->recovery_point(), Offset{10});
  fill(1);
  ASSERT_TRUE(disk.flip_bit(file, ends[1] + 70, 0));
  reopen({.recovery_point = Offset{10}, .recovery_point_known = true, .recover_from = Offset{10}});
  EXPECT_EQ(log->end_offset(), Offset{12});
  EXPECT_EQ(log->recovery().bytes_scanned, ends[5] - ends[4]);
}

TEST_F(Damaged, IndexesAreRebuilt) {
  config->index_interval_bytes = 1;
  fill(40);
  ASSERT_TRUE(log->roll(kNow));
  fill(1);
  ASSERT_TRUE(log->close());
  const std::string index = std::string(kFolder) + "/00000000000000000000.index";
  const Bytes good = *disk.read_file(index);
  const OpenOptions clean{.clean_shutdown = true, .recovery_point = Offset{82}, .recovery_point_known = true};
  const auto expect_whole = [&] {
    reopen(clean);
    for (std::int64_t at = 0; at < 80; ++at) {
      const auto read = log->read(Offset{at}, 1, Offset{82}, true);
      ASSERT_TRUE(read);
      Bytes first(8);
      ASSERT_TRUE(read->slice.file->read_at(read->slice.position, first));
      EXPECT_EQ(load_be<std::int64_t>(first.data()), at / 2 * 2);
    }
  };
  for (int kind = 0; kind < 5; ++kind) {
    SCOPED_TRACE(kind);
    Bytes bad = good;
    if (kind == 0) ASSERT_TRUE(disk.remove(index));
    if (kind == 1) bad[9] ^= 0xff;                                     // out of order
    if (kind == 2) bad.resize(bad.size() - 3);                         // cut
    if (kind == 3) store_be(bad.data() + bad.size() - 4, 0x7fffffff);  // beyond the log
    if (kind == 4)
      for (std::size_t i = 4; i < bad.size(); i += 8) ++bad[i + 3];  // into mid-batch
    if (kind > 0) ASSERT_TRUE(disk.replace_file(index, bad));
    expect_whole();
    ASSERT_TRUE(disk.replace_file(index, good));
  }
}

TEST_F(Damaged, BrokenEpochsAreRebuilt) {
  append(make_batch(), {.leader_epoch = LeaderEpoch{2}});
  append(make_batch(), {.leader_epoch = LeaderEpoch{2}});
  append(make_batch(), {.leader_epoch = LeaderEpoch{5}});
  ASSERT_TRUE(log->close());
  ASSERT_TRUE(disk.replace_file(std::string(kFolder) + "/leader-epoch-checkpoint", as_bytes("0\n2\n2 0\n")));
  reopen({.clean_shutdown = true, .recovery_point = Offset{3}, .recovery_point_known = true});
  EXPECT_EQ(*log->epochs(),
            (std::vector<EpochEntry>{{LeaderEpoch{2}, Offset{0}}, {LeaderEpoch{5}, Offset{2}}}));
  ASSERT_EQ(log->recovery().notes.size(), 1u);
}

TEST_F(Damaged, ABrokenSnapshotIsPassedOver) {
  fill(3);
  ASSERT_TRUE(log->roll(kNow));
  for (int i = 3; i < 5; ++i) append(make_batch({.count = 2, .producer = ProducerId{1}, .sequence = i * 2}));
  ASSERT_TRUE(log->close());
  const std::string snapshot = std::string(kFolder) + "/00000000000000000010.snapshot";
  ASSERT_TRUE(disk.flip_bit(snapshot, 20, 1));
  reopen({.clean_shutdown = true, .recovery_point = Offset{10}, .recovery_point_known = true});
  ASSERT_EQ(log->producers()->size(), 1u);
  EXPECT_EQ((*log->producers())[0].last_sequence, 9) << "an older one, and the batches behind it";
  EXPECT_FALSE(disk.exists(snapshot));
}

TEST_F(LogTest, InterruptedSwapsAreSettled) {
  for (int i = 0; i < 3; ++i) {
    append(make_batch({.count = 2}));
    ASSERT_TRUE(log->roll(kNow));
  }
  append(make_batch({.count = 2}));
  ASSERT_TRUE(log->close());
  log.reset();
  const auto put = [&](const std::string& name, const Bytes& content) {
    ASSERT_TRUE(disk.replace_file(std::string(kFolder) + "/" + name, content));
  };
  // Compaction has put offsets 0 to 3 into one segment and was killed before it removed the old ones.
  Bytes cleaned = make_batch({.count = 1, .tag = "cleaned", .base = Offset{3}});
  put("00000000000000000000.log.swap", cleaned);
  put("00000000000000000000.index.swap", {});
  put("00000000000000000000.timeindex.swap", {});
  // A later run had only begun.
  put("00000000000000000004.log.cleaned", cleaned);
  put("00000000000000000004.log.swap", cleaned);
  put("00000000000000000002.log.deleted", cleaned);
  reopen(
      {.clean_shutdown = true, .recovery_point = Offset{8}, .recovery_point_known = true, .compacted = true});
  EXPECT_EQ(segment_files(), (std::vector<std::string>{"0", "4", "6"}));
  EXPECT_EQ(log->end_offset(), Offset{8});
  const Bytes all = read_all(Offset{0}, Offset{8});
  record::BatchIterator batches(all);
  EXPECT_EQ(batches.next()->header().last_offset, Offset{3});
  EXPECT_EQ(batches.next()->header().base_offset, Offset{4});
  for (const auto& entry : *disk.list(kFolder))
    for (const char* suffix : {".swap", ".cleaned", ".deleted"})
      EXPECT_FALSE(entry.name.ends_with(suffix)) << entry.name;
}

TEST_F(LogTest, AStartAboveTheEnd) {
  append(make_batch({.count = 5}));
  ASSERT_TRUE(log->close());
  reopen({.clean_shutdown = true,
          .recovery_point = Offset{5},
          .recovery_point_known = true,
          .log_start = Offset{9}});
  EXPECT_EQ(log->start_offset(), Offset{0}) << "the checkpoint is wrong, not a log that was closed";
  EXPECT_EQ(log->recovery().notes.size(), 1u);
  EXPECT_EQ(append(make_batch()).first_offset, Offset{5});
  reopen({.log_start = Offset{9}});  // killed: what was between is lost, and the offsets are not used again
  EXPECT_EQ(log->start_offset(), Offset{9});
  EXPECT_EQ(log->recovery().notes.size(), 1u);
  EXPECT_EQ(append(make_batch()).first_offset, Offset{9});
}

TEST_F(LogTest, AForeignTailIsFoundThoughTheStopWasClean) {
  append(make_batch({.count = 5}));
  ASSERT_TRUE(log->close());
  const std::string file = std::string(kFolder) + "/00000000000000000000.log";
  Bytes content = *disk.read_file(file);
  content.insert(content.end(), 30, 0x55);
  ASSERT_TRUE(disk.replace_file(file, content));
  reopen({.clean_shutdown = true, .recovery_point = Offset{5}, .recovery_point_known = true});
  EXPECT_EQ(append(make_batch()).first_offset, Offset{5});
  EXPECT_EQ(log->recovery().bytes_dropped, 30u);
  EXPECT_EQ(read_all(Offset{0}, Offset{6}).size(), log->size_bytes());
}

// ---- flushing
// -----------------------------------------------------------------------------------------------------------------

TEST_F(LogTest, FlushesWhatIsAsked) {
  config->flush_messages = 3;
  EXPECT_FALSE(append(make_batch({.count = 2})).flush_due);
  EXPECT_TRUE(append(make_batch()).flush_due);
  EXPECT_TRUE(log->flush_due(kNow));
  auto work = log->prepare_flush();
  ASSERT_TRUE(work);
  append(make_batch());
  ASSERT_TRUE(work->run(disk));
  log->complete_flush(*work, kNow);
  EXPECT_EQ(log->recovery_point(), Offset{3}) << "what came later is not in it";
  EXPECT_FALSE(log->flush_due(kNow));
  config->flush_ms = 500;
  EXPECT_FALSE(log->flush_due(kNow + 499));
  EXPECT_TRUE(log->flush_due(kNow + 500));
}

TEST_F(LogTest, AFlushFromBeforeATruncationSaysNothing) {
  append(make_batch({.count = 10}));
  auto work = log->prepare_flush();
  ASSERT_TRUE(work && work->run(disk));
  ASSERT_TRUE(log->truncate_to(Offset{0}));
  append(make_batch({.count = 10}));
  log->complete_flush(*work, kNow);
  EXPECT_EQ(log->recovery_point(), Offset{0});
}

TEST_F(LogTest, MovedFoldersAreFound) {
  append(make_batch({.count = 3}));
  ASSERT_TRUE(disk.rename(kFolder, "/data/moved-0"));
  log->moved_to("/data/moved-0");
  EXPECT_GT(read_all(Offset{0}, Offset{3}).size(), 0u);
  ASSERT_TRUE(log->roll(kNow));
  EXPECT_TRUE(disk.exists("/data/moved-0/00000000000000000003.log"));
  EXPECT_EQ(log->folder(), "/data/moved-0");
}

}  // namespace
}  // namespace moldau::log
