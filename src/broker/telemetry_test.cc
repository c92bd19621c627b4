#include "broker/telemetry.h"

#include <gtest/gtest.h>

namespace moldau::broker {
namespace {

// What Kafka 4.3.1 answered to these clients.
TEST(Telemetry, SubscriptionIdIsKafkas) {
  Uuid ones;
  ones.bytes.fill(1);
  EXPECT_EQ(empty_subscription_id(ones), static_cast<std::int32_t>(0xd4c75bde));
  const Uuid mixed{
      {0xc7, 0xa1, 0x6c, 0x02, 0x19, 0x32, 0x4d, 0x78, 0xaf, 0x1e, 0x3a, 0xc1, 0x38, 0x86, 0xf1, 0x97}};
  EXPECT_EQ(empty_subscription_id(mixed), static_cast<std::int32_t>(0x9dccb1f2));
}

}  // namespace
}  // namespace moldau::broker
