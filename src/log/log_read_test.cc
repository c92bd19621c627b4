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

}  // namespace
}  // namespace moldau::log
