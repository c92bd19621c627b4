#include <gtest/gtest.h>
#include <limits>

#include "base/crc.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/utf16.h"
#include "base/uuid.h"
#include "base/varint.h"

namespace moldau {
namespace {

TEST(Varint, RoundTripsAtEveryWidth) {
  for (int shift = 0; shift < 32; ++shift) {
    const std::uint32_t power = std::uint32_t{1} << shift;
    for (const std::uint32_t bits : {power, 0 - power, power - 1}) {
      const auto n = static_cast<std::int32_t>(bits);
      std::uint8_t buffer[kMaxVarintBytes];
      const std::size_t size = static_cast<std::size_t>(write_varint(buffer, n) - buffer);
      EXPECT_EQ(size, varint_size(n));
      std::int32_t back = 0;
      EXPECT_EQ(read_varint({buffer, size}, back), size);
      EXPECT_EQ(back, n);
      EXPECT_EQ(read_varint({buffer, size - 1}, back), 0u) << "cut short";
    }
  }
}

TEST(Varint, RejectsOneThatNeverEnds) {
  const Bytes endless(100, 0xff);
  std::uint32_t u32 = 0;
  std::uint64_t u64 = 0;
  EXPECT_EQ(read_uvarint(endless, u32), 0u);
  EXPECT_EQ(read_uvarint(endless, u64), 0u);
}

TEST(Crc, KnownAnswers) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283u);
  EXPECT_EQ(crc32(as_bytes("123456789")), 0xcbf43926u);
  EXPECT_EQ(crc32c({}), 0u);
}

TEST(Uuid, TextFormIsKafkas) {
  const auto uuid = Uuid::parse("BI0VniavN7yBI0VniavN9A");
  ASSERT_TRUE(uuid);
  EXPECT_EQ(uuid->bytes[0], 0x04);
  EXPECT_EQ(uuid->bytes[1], 0x8d);
  EXPECT_EQ(uuid->to_string(), "BI0VniavN7yBI0VniavN9A");
  EXPECT_EQ(Uuid{}.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
  EXPECT_FALSE(Uuid::parse("too short"));
  EXPECT_FALSE(Uuid::parse("BI0VniavN7yBI0VniavN9="));
}

TEST(Utf16, CountsAndSpellsAsJava) {
  EXPECT_EQ(to_utf16("a\u00e9\u20ac"), u"a\u00e9\u20ac");
  EXPECT_EQ(to_utf16("\U0001d11e"), u"\U0001d11e") << "a pair of surrogates";
  EXPECT_EQ(to_utf16("\x80x"), u"\ufffdx") << "a continuation of nothing";
  EXPECT_EQ(to_utf16("\xe2\x82"), u"\ufffd\ufffd") << "cut short";
  EXPECT_EQ(to_utf16("\xf8x"), u"\ufffdx");
}

TEST(Result, TryHandsTheErrorOn) {
  const auto inner = []() -> Result<int> { return fail(ErrorKind::kCorrupt, "expected 1, found 2"); };
  const auto outer = [&]() -> Result<int> {
    TRY_ASSIGN(value, inner());
    return value + 1;
  };
  EXPECT_EQ(outer().error().message, "expected 1, found 2");
}

TEST(Offset, DifferenceIsACount) {
  EXPECT_EQ(Offset{10} - Offset{7}, 3);
  EXPECT_EQ(Offset{10} + 2, Offset{12});
}

}  // namespace
}  // namespace moldau
