#include "replica/fetch_session.h"

#include <gtest/gtest.h>

namespace moldau::replica {
namespace {

struct Counting final : env::Random {
  std::uint64_t next() override { return n += 0x100000000ull; }
  std::uint64_t n = 0;
};

FetchWish wish(std::string topic, std::int32_t partition, std::int64_t offset = 0) {
  return {.topic = std::move(topic),
          .topic_id = {},
          .partition = partition,
          .fetch_offset = offset,
          .max_bytes = 100};
}

struct Sessions : testing::Test {
  FetchPlan ask(std::int32_t id, std::int32_t epoch, std::vector<FetchWish> wishes = {},
                std::vector<FetchWish> gone = {}, bool by_id = false) {
    return sessions.plan(id, epoch, by_id, std::move(wishes), gone, now, random);
  }
  FetchSessions sessions{2};
  Counting random;
  env::Instant now{std::chrono::hours(1)};
};

TEST_F(Sessions, SessionlessWantsNone) {
  const auto plan = ask(0, kFinalEpoch, {wish("t", 0)});
  EXPECT_EQ(plan.session_id, kNoSession);
  EXPECT_EQ(plan.wishes.size(), 1u);
  EXPECT_EQ(sessions.size(), 0u);
}

TEST_F(Sessions, IncrementalCarriesOnlyWhatChanged) {
  const auto full = ask(0, 0, {wish("t", 0), wish("t", 1)});
  ASSERT_NE(full.session_id, kNoSession);
  EXPECT_FALSE(full.incremental);
  const auto next = ask(full.session_id, 1, {wish("t", 1, 7), wish("u", 0)}, {wish("t", 0)});
  EXPECT_TRUE(next.incremental);
  ASSERT_EQ(next.wishes.size(), 2u);
  EXPECT_EQ(next.wishes[0].fetch_offset, 7);
  EXPECT_EQ(next.wishes[1].topic, "u");

  const std::vector<FetchNews> news = {{.high_watermark = 5, .log_start_offset = 0},
                                       {.high_watermark = 0, .log_start_offset = 0}};
  EXPECT_EQ(sessions.tell(full.session_id, next.wishes, news), (std::vector<bool>{true, true}));
  EXPECT_EQ(sessions.tell(full.session_id, next.wishes, news), (std::vector<bool>{false, false}));
  auto records = news;
  records[0].has_records = true;
  EXPECT_EQ(sessions.tell(full.session_id, next.wishes, records), (std::vector<bool>{true, false}));
  EXPECT_EQ(ask(full.session_id, 2).wishes[1].topic, "t") << "what delivered moves to the end";
}

// As a Java consumer does that closes while its last fetch waits.
TEST_F(Sessions, ClosedWhileAFetchWaits) {
  const auto full = ask(0, 0, {wish("t", 0), wish("t", 1)});
  const auto next = ask(full.session_id, 1);
  ask(full.session_id, kFinalEpoch);
  const std::vector<FetchNews> news = {{.high_watermark = 5, .log_start_offset = 0},
                                       {.high_watermark = 5, .log_start_offset = 0, .has_records = true}};
  EXPECT_EQ(sessions.tell(full.session_id, next.wishes, news), (std::vector<bool>{false, true}));
}

TEST_F(Sessions, AnErrorIsToldAgainUntilItIsOver) {
  const auto full = ask(0, 0, {wish("t", 0)});
  const std::vector<FetchWish> w = {wish("t", 0)};
  const FetchNews fine{.high_watermark = 5, .log_start_offset = 0},
      error{.high_watermark = -1, .must_tell = true};
  sessions.tell(full.session_id, w, {fine});
  EXPECT_EQ(sessions.tell(full.session_id, w, {error}), (std::vector<bool>{true}));
  EXPECT_EQ(sessions.tell(full.session_id, w, {fine}), (std::vector<bool>{true}));
  EXPECT_EQ(sessions.tell(full.session_id, w, {fine}), (std::vector<bool>{false}));
}

TEST_F(Sessions, WrongEpochsAndIdsAreNamed) {
  const auto full = ask(0, 0, {wish("t", 0)});
  EXPECT_EQ(ask(full.session_id, 2).error, wire::ErrorCode::kInvalidFetchSessionEpoch);
  EXPECT_EQ(ask(full.session_id + 1, 1).error, wire::ErrorCode::kFetchSessionIdNotFound);
  EXPECT_EQ(ask(full.session_id, 1, {}, {}, true).error, wire::ErrorCode::kFetchSessionTopicIdError);
  EXPECT_EQ(ask(full.session_id, 1).error, wire::ErrorCode::kNone)
      << "a refused request does not spend the epoch";
}

TEST_F(Sessions, EmptiedSessionIsClosed) {
  const auto full = ask(0, 0, {wish("t", 0)});
  EXPECT_EQ(ask(full.session_id, 1, {}, {wish("t", 0)}).session_id, kNoSession);
  EXPECT_EQ(sessions.size(), 0u);
}

TEST_F(Sessions, WhenFullOnlyTheUnusedGiveWay) {
  const auto a = ask(0, 0, {wish("a", 0)});
  ask(0, 0, {wish("b", 0)});
  EXPECT_EQ(ask(0, 0, {wish("c", 0)}).session_id, kNoSession);
  now = now + std::chrono::minutes(3);
  EXPECT_EQ(ask(a.session_id, 1).error, wire::ErrorCode::kNone);
  EXPECT_NE(ask(0, 0, {wish("c", 0)}).session_id, kNoSession);
  EXPECT_EQ(sessions.evictions(), 1u);
  EXPECT_EQ(ask(a.session_id, 2).error, wire::ErrorCode::kNone) << "the one in use stays";
}

}  // namespace
}  // namespace moldau::replica
