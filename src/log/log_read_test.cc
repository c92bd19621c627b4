// What readers of one log find: by time, and of transactions.
#include <gtest/gtest.h>

#include "log/log_fixture.h"

namespace moldau::log {
namespace {

using testing::LogTest;
using testing::make_batch;
using testing::make_marker;
using wire::ErrorCode;

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

// The last slot of a time index is what the next start believes to be the largest timestamp.
TEST_F(LogTest, AnIndexThatWasLetGoGetsItsLastTimeWhenItIsSealed) {
  for (const int batches : {1, 2, 3, 4}) {
    config->index_interval_bytes = 150;
    create();
    for (int i = 0; i < batches; ++i)
      append(make_batch({.count = 1, .timestamp = kNow + i, .value_bytes = 60}));
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(log->write_out());
      log->trim_memory();
    }
    const Offset end = log->end_offset();
    ASSERT_TRUE(log->close());
    reopen({.clean_shutdown = true, .recovery_point = end, .recovery_point_known = true});
    const auto found = log->lookup(kNow + batches - 1);
    ASSERT_TRUE(found && *found) << batches;
    EXPECT_EQ((*found)->offset, end - 1);
  }
}

// ---- who must not wait for a disk
// -----------------------------------------------------------------------------------------------------

struct ColdLogTest : LogTest {
  static constexpr std::int64_t kRecords = 60;

  // Three segments; a transaction aborted in the second.
  void fill() {
    config->index_interval_bytes = 100;
    for (std::int64_t at = 0; at < kRecords;) {
      if (at % 20 == 0 && at > 0) ASSERT_TRUE(log->roll(kNow));
      if (at == 30) {
        append(make_batch({.producer = ProducerId{1}, .transactional = true}));
        append(make_marker(ProducerId{1}, 0, false), {.origin = AppendOrigin::kCoordinator});
        at += 2;
      } else {
        append(make_batch({.count = 2, .timestamp = 1000 + 10 * at, .value_bytes = 3000}));
        at += 2;
      }
    }
  }
  void restart_cleanly() {
    ASSERT_TRUE(log->close());
    reopen({.clean_shutdown = true, .recovery_point = Offset{kRecords}, .recovery_point_known = true});
    ASSERT_TRUE(log->look());
  }

  // Asks as a request does: what is missing is read in, and then it asks again.
  template <typename Ask>
  auto hastily(Ask ask) {
    for (rounds = 0;; ++rounds) {
      env::Haste haste;
      auto got = ask(&haste);
      if (got || got.error().kind != ErrorKind::kWouldBlock || rounds == 50) {
        EXPECT_TRUE(haste.missing().empty());
        return got;
      }
      EXPECT_FALSE(haste.missing().empty());
      for (const env::FilePart& part : haste.take()) {
        EXPECT_GT(part.length, 0u);
        env::read_through(*part.file, part.position, part.length);
      }
    }
  }
  void expect_same_answers() {
    const auto start = [](const Result<ReadInfo>& read) {
      return read ? std::tuple(read->error, read->slice.position, read->slice.length, read->end_bound)
                  : std::tuple(ErrorCode::kUnknownServerError, std::uint64_t{0}, std::uint64_t{0}, kNoOffset);
    };
    for (std::int64_t from = 0; from <= kRecords; from += 7) {
      for (const std::uint64_t most : {1u, 8000u, 1u << 20}) {
        const auto read = [&](env::Haste* haste) {
          return log->read(Offset{from}, most, Offset{kRecords - 3}, true, haste);
        };
        disk.forget_cache();
        const auto hasty = hastily(read);
        EXPECT_EQ(start(hasty), start(read(nullptr))) << from << " " << most;
      }
      disk.forget_cache();
      const auto at = [&](env::Haste* haste) { return log->lookup(1000 + 10 * from, haste); };
      const auto hasty = hastily(at);
      EXPECT_EQ(hasty, at(nullptr)) << from;
    }
    for (const std::int64_t named : {kMaxTimestamp, kEarliestTimestamp, kLatestTimestamp}) {
      disk.forget_cache();
      const auto hasty = hastily([&](env::Haste* haste) { return log->lookup(named, haste); });
      EXPECT_EQ(hasty, log->lookup(named)) << named;
    }
  }

  int rounds = 0;  // of the last one asked hastily
};

TEST_F(ColdLogTest, HearsWhatIsMissingAndFindsTheSame) {
  fill();
  restart_cleanly();
  const auto would_block = disk.counters().would_block;
  expect_same_answers();
  EXPECT_GT(disk.counters().would_block, would_block + 30);
  disk.forget_cache();
  const auto read = [&](env::Haste* haste) { return log->read(Offset{5}, 1, Offset{kRecords}, true, haste); };
  ASSERT_TRUE(hastily(read));
  EXPECT_EQ(rounds, 1);
  ASSERT_TRUE(hastily(read));
  EXPECT_EQ(rounds, 0) << "all of it is in memory now";
}

TEST_F(ColdLogTest, TheFirstLookIsAskedFor) {
  fill();
  ASSERT_TRUE(log->close());
  reopen({.clean_shutdown = true, .recovery_point = Offset{kRecords}, .recovery_point_known = true});
  disk.forget_cache();
  ASSERT_TRUE(hastily([&](env::Haste* haste) { return log->can_look(*haste); }));
  EXPECT_GE(rounds, 1);
  EXPECT_LE(rounds, 3) << "index, end of the segment, and whatever else there is at once";
  const auto read = disk.counters().bytes_read;
  ASSERT_TRUE(log->look());
  EXPECT_GT(disk.counters().bytes_read, read) << "it was not looked into before";
  env::Haste haste;
  disk.forget_cache();
  EXPECT_TRUE(log->can_look(haste)) << "done once";
}

TEST_F(ColdLogTest, AsksForAllTimesAtOnce) {
  fill();
  restart_cleanly();
  disk.forget_cache();
  env::Haste haste;
  ASSERT_EQ(log->lookup(kMaxTimestamp, &haste).error().kind, ErrorKind::kWouldBlock);
  EXPECT_EQ(haste.missing().size(), 2u) << "of the last one it was known already";
}

TEST_F(ColdLogTest, AbortedTransactionsAreReadIn) {
  fill();
  restart_cleanly();
  disk.forget_cache();
  const auto found = hastily(
      [&](env::Haste* haste) { return log->aborted_transactions(Offset{0}, Offset{kRecords}, haste); });
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, (std::vector<AbortedTransaction>{{ProducerId{1}, Offset{30}}}));
  EXPECT_EQ(rounds, 1);
}

TEST_F(ColdLogTest, AnIndexIsBuiltAnewInOneRound) {
  fill();
  ASSERT_TRUE(log->close());
  for (const char* base : {"00000000000000000000", "00000000000000000020"})
    ASSERT_TRUE(disk.remove(std::string(kFolder) + "/" + base + ".index"));
  reopen({.clean_shutdown = true, .recovery_point = Offset{kRecords}, .recovery_point_known = true});
  ASSERT_TRUE(log->look());
  disk.forget_cache();
  const auto found =
      hastily([&](env::Haste* haste) { return log->read(Offset{25}, 1, Offset{kRecords}, true, haste); });
  ASSERT_TRUE(found);
  EXPECT_GT(found->slice.length, 0u);
  EXPECT_EQ(rounds, 1) << "all of the segment was asked for at once";
  expect_same_answers();
}

}  // namespace
}  // namespace moldau::log
