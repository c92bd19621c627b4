// Clocks and consumer groups: times that begin again, a wall clock that is put back, paces that are a
// setting.
#include "group/consumer_fixture.h"

namespace moldau::group {
namespace {

TEST_F(ConsumerTest, EachRevocationHasItsOwnTime) {
  Member a("a"), b("b"), c("c"), d("d");
  const auto everybody_for = [&](int ms) {
    for (; ms > 0; ms -= 5'000) {
      for (Member* member : {&a, &b, &c, &d}) EXPECT_EQ(beat(*member), ErrorCode::kNone) << member->message;
      pass(5'000);
    }
  };
  beat(a);
  pass(1000);
  beat(b);
  a.keep = a.owned;  // its rebalance timeout is 30 s
  everybody_for(20'000);
  EXPECT_EQ(a.epoch, 2);
  EXPECT_EQ(a.assigned.size(), 2u);
  // It gives back what it was told to, and is told to give back one more: for c and d.
  a.keep = a.assigned;
  everybody_for(25'000);
  EXPECT_EQ(a.epoch, 2);
  EXPECT_EQ(a.assigned.size(), 1u);
  a.keep.clear();
  settle({&a, &b, &c, &d});
}

TEST_F(ConsumerTest, AClockThatIsPutBackStopsNoTarget) {
  Member a("a"), b("b");
  a.regex = "t.*";
  beat(a);
  beat(a);  // a group that has just been made looks at its topics once more
  clock_.jump_wall_ms(-600'000);
  pass(1000);
  add_topic("tail", 2);
  for (int i = 0; i < 4; ++i) {
    beat(b);
    beat(a);
    pass(1000);
  }
  EXPECT_EQ(state(), "Stable");
  EXPECT_EQ(b.owned.size(), 3u);
  EXPECT_EQ(a.owned.size(), 3u);  // one of t, and both of tail
}

TEST_F(ConsumerTest, AGroupMayHaveItsOwnPaceOfTargets) {
  set_group_config("g", "consumer.assignment.interval.ms", "5000");
  Member a("a"), b("b");
  beat(a);
  pass(1'000);
  beat(b);
  EXPECT_EQ(state(), "Assigning") << "the broker's would be 1,000";
  pass(3'900);
  beat(b);
  EXPECT_EQ(state(), "Assigning");
  pass(100);
  beat(b);
  EXPECT_EQ(state(), "Reconciling");
  Member c("c");
  set_group_config("g", "consumer.assignment.interval.ms", "0");
  beat(c);
  EXPECT_EQ(c.epoch, 4) << "0: at once";
}

// Below its least value, 10 s, so that it is told from the pause that new topics have to wait for.
TEST_F(ConsumerTest, RegularExpressionsAreResolvedAgainAfterTheirInterval) {
  Member a("a");
  a.topics.clear();
  a.regex = "t.*";
  beat(a);
  beat(a);
  add_topic("top", 1);
  pass(3'000);
  beat(a);
  EXPECT_EQ(a.owned.size(), 4u) << "by default it is 10 minutes";
  config_.group_consumer_regex_refresh_interval_ms = 3'000;
  beat(a);
  EXPECT_EQ(a.owned.size(), 5u);
}

}  // namespace
}  // namespace moldau::group
