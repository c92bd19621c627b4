// Clocks and consumer groups: times that begin again, and a wall clock that is put back.
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

}  // namespace
}  // namespace moldau::group
