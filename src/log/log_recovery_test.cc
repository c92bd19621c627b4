// What one log makes of damage, and what its flushes say.
#include <algorithm>
#include <gtest/gtest.h>

#include "log/log_fixture.h"

namespace moldau::log {
namespace {

using testing::LogTest;
using testing::make_batch;

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

// A compacted log may have holes, but none behind which there is nothing: what was there was not synced.
TEST_F(Damaged, AnEmptySegmentBehindALossIsNoEnd) {
  config->cleanup_compact = true;
  fill(2);
  ASSERT_TRUE(log->roll(kNow));
  fill(2);
  ASSERT_TRUE(log->roll(kNow));
  for (const char* const name : {"/00000000000000000004.log", "/00000000000000000008.log"}) {
    auto lost = disk.open(kFolder + std::string(name), env::OpenMode::kReadWrite);
    ASSERT_TRUE(lost && (*lost)->truncate(0));
  }
  reopen({.recovery_point = Offset{2}, .compacted = true});
  EXPECT_EQ(log->end_offset(), Offset{4});
  // Below the recovery point it is the end that compaction has left.
  next_sequence = 4;
  fill(2);
  ASSERT_TRUE(log->roll(kNow));
  const std::string second = std::string(kFolder) + "/00000000000000000004.log";
  auto emptied = disk.open(second, env::OpenMode::kReadWrite);
  ASSERT_TRUE(emptied && (*emptied)->truncate(0));
  reopen({.recovery_point = Offset{8},
          .recovery_point_known = true,
          .recover_from = Offset{8},
          .compacted = true});
  EXPECT_EQ(log->end_offset(), Offset{8});
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

// ---- what is cut stays away
// --------------------------------------------------------------------------------------------------------

// The first power loss tears a batch whose last byte is a zero, the second one brings the old size back.
TEST_F(Damaged, ATornTailDoesNotComeBackWithTheNextPowerLoss) {
  for (int round = 0; round < 10; ++round) {
    SCOPED_TRACE(round);
    fill(1);
    auto work = log->prepare_flush();
    ASSERT_TRUE(work && work->run(disk));
    const Offset end = log->end_offset();
    const Bytes torn = make_batch({.count = 2, .base = end});
    auto tail = disk.open(file, env::OpenMode::kReadWrite);
    ASSERT_TRUE(tail);
    ASSERT_TRUE((*tail)->write_at(log->size_bytes(), ByteView(torn).first(torn.size() - 1)));
    ASSERT_TRUE((*tail)->sync());
    reopen({});
    EXPECT_EQ(log->recovery().bytes_dropped, torn.size() - 1);
    disk.crash(simenv::Crash::kPower);
    reopen({});
    EXPECT_EQ(log->recovery().bytes_dropped, 0u);
    EXPECT_EQ(log->end_offset(), end);
  }
}

TEST_F(Damaged, WhatIsTruncatedDoesNotComeBackEither) {
  for (int round = 0; round < 10; ++round) {
    SCOPED_TRACE(round);
    fill(2);
    auto work = log->prepare_flush();
    ASSERT_TRUE(work && work->run(disk));
    ASSERT_TRUE(log->truncate_to(log->end_offset() - 2));
    next_sequence -= 2;
    const Offset end = log->end_offset();
    disk.crash(simenv::Crash::kPower);
    reopen({});
    EXPECT_EQ(log->end_offset(), end);
  }
}

TEST_F(Damaged, ZerosAtTheEndAreCutWithoutWaiting) {
  config->preallocate = true;
  config->segment_bytes = 1 << 20;
  fill(1);
  ASSERT_TRUE(log->roll(kNow));
  fill(2);
  const std::uint64_t before = disk.counters()[simenv::DiskOp::kSync];
  const std::uint64_t bytes = log->size_bytes();
  reopen({});
  EXPECT_GT(log->recovery().bytes_dropped, 1000u);
  EXPECT_EQ(log->size_bytes(), bytes);
  EXPECT_EQ(disk.counters()[simenv::DiskOp::kSync], before);
}

// ---- swaps
// -----------------------------------------------------------------------------------------------------------------

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
