// What leaves one log: truncation, DeleteRecords, retention.
#include <gtest/gtest.h>

#include "log/log_fixture.h"

namespace moldau::log {
namespace {

using testing::LogTest;
using testing::make_batch;
using wire::ErrorCode;

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

}  // namespace
}  // namespace moldau::log
