// The counting of connections, where two loops do it at once.
#include "net/connection_limits.h"

#include <gtest/gtest.h>

namespace moldau::net {
namespace {

TEST(ConnectionLimits, WhoClaimsWhileOthersAreClosedClaimsItsWholePart) {
  Options options;
  int told = 0;
  ConnectionLimits limits(options, {}, [] {}, [&] { ++told; });
  const ListenerSpec listener{.name = "PLAINTEXT", .host = ""};
  const IpAddress address;
  for (int i = 0; i < 21; ++i) ASSERT_TRUE(limits.take(listener, address, {}));
  options.max_connections = 6;
  limits.change(options, {});
  EXPECT_EQ(told, 1);
  EXPECT_EQ(limits.claim_excess(11), 8);
  for (int i = 0; i < 4; ++i) limits.give_back(listener.name, address, true);
  EXPECT_EQ(limits.claim_excess(10), 7) << "four of the other loop's are closed, four are still to be";
  for (int i = 0; i < 11; ++i) limits.give_back(listener.name, address, true);
  EXPECT_FALSE(limits.has_excess());
  EXPECT_EQ(limits.claim_excess(3), 0);
}

}  // namespace
}  // namespace moldau::net
