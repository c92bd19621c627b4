#include "broker/group/partition.h"

#include <gtest/gtest.h>
#include <limits>

namespace moldau::broker {
namespace {

// Java's String.hashCode, and where Kafka puts such a group among 50 partitions.
TEST(GroupPartition, IsThatOfJavasHash) {
  EXPECT_EQ(java_hash(""), 0);
  EXPECT_EQ(java_hash("a"), 97);
  EXPECT_EQ(java_hash("test"), 3556498);
  EXPECT_EQ(group_partition("a", 50), 47);
  EXPECT_EQ(group_partition("test", 50), 48);
  EXPECT_EQ(group_partition("console-consumer-12345", 50), 6);
  EXPECT_EQ(java_hash("\xf0\x9f\x98\x80"), 0xd83d * 31 + 0xde00) << "a pair of surrogates";
}

TEST(GroupPartition, TheLeastNumberAndBrokenTextHaveAPlace) {
  EXPECT_EQ(java_hash("polygenelubricants"), std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ(group_partition("polygenelubricants", 50), 0);
  EXPECT_EQ(java_hash("\xff"), 0xfffd);
  EXPECT_EQ(java_hash("\xf0\x9f"), 0xfffd * 31 + 0xfffd);
}

}  // namespace
}  // namespace moldau::broker
