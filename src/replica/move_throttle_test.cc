#include "replica/move_throttle.h"

#include <gtest/gtest.h>

#include "replica/moves_fixture.h"

namespace moldau::replica {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the fixture

TEST(MoveThrottle, GivesASecondsWorthAndThenAsMuchAsTimePasses) {
  MoveThrottle throttle;
  env::Instant now{};
  EXPECT_EQ(throttle.room(now), static_cast<std::uint64_t>(MoveThrottle::kUnlimited));
  throttle.set_rate(1000, now);
  EXPECT_EQ(throttle.room(now), 1000u);
  throttle.copied(1200, now);  // the last batch was larger
  EXPECT_EQ(throttle.room(now), 0u);
  EXPECT_EQ(throttle.room(now + std::chrono::milliseconds(200)), 0u);
  EXPECT_EQ(throttle.room(now = now + std::chrono::milliseconds(500)), 300u);
  EXPECT_EQ(throttle.room(now = now + std::chrono::hours(5)), 1000u) << "what was not used is not saved up";
}

TEST(MoveThrottle, ANewRateHoldsForWhatIsOwed) {
  MoveThrottle throttle;
  env::Instant now{};
  throttle.set_rate(1, now);
  throttle.copied(1'000'000, now);
  throttle.set_rate(1'000'000, now = now + std::chrono::seconds(1));
  EXPECT_EQ(throttle.room(now), 1u);
  EXPECT_EQ(throttle.room(now + std::chrono::milliseconds(500)), 500'001u);
  throttle.set_rate(0, now);
  EXPECT_EQ(throttle.room(now + std::chrono::hours(1)), 0u);
  throttle.set_rate(MoveThrottle::kUnlimited, now);
  EXPECT_GT(throttle.room(now), 1'000'000u);
}

TEST_F(Moves, KeepToTheirRate) {
  begin(100);
  const auto size = LogManager::facts(m.manager->find(kName))->size_bytes;
  m.moves->limit(1000);
  ASSERT_EQ(m.move("/b"), ErrorCode::kNone);
  const auto copied = [&] { return LogManager::facts(m.manager->find_future(kName))->size_bytes; };
  std::uint64_t seconds = 0;
  for (; m.where() == "/a" && seconds < 100; ++seconds) {
    m.background.run_all();
    m.moves->tick();
    m.background.run_all();
    if (m.where() != "/a") break;
    EXPECT_LE(copied(), (seconds + 1) * 1000 + 150) << "in " << seconds << " s";
    EXPECT_GE(copied(), std::min((seconds + 1) * 1000 - 150, size));
    m.clock.advance_ms(1000);
  }
  EXPECT_GE(seconds, size / 1000 - 1);
  EXPECT_LE(seconds, size / 1000 + 3);
  EXPECT_EQ(m.where(), "/b");
  EXPECT_EQ(m.records(), numbered(0, 100));
}

TEST_F(Moves, StandStillAtRateZeroUntilItIsRaised) {
  begin();
  m.moves->limit(0);
  ASSERT_EQ(m.move("/b"), ErrorCode::kNone);
  for (int i = 0; i < 10; ++i) {
    m.clock.advance_ms(60'000);
    m.finish();
  }
  EXPECT_EQ(m.where(), "/a");
  fill(20, 30);
  m.moves->limit(MoveThrottle::kUnlimited);
  m.finish();
  EXPECT_EQ(m.where(), "/b");
  EXPECT_EQ(m.records(), numbered(0, 30));
}

}  // namespace
}  // namespace moldau::replica
