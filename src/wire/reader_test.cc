#include "wire/reader.h"

#include <gtest/gtest.h>
#include <limits>

#include "wire/gen/fetch.h"
#include "wire/gen/metadata.h"
#include "wire/gen/produce.h"
#include "wire/writer.h"

namespace moldau::wire {
namespace {

TEST(Reader, AFailureSticksAndTheFirstOneCounts) {
  const Bytes bytes = {0, 1, 'a', 0, 9, 'b'};
  Reader reader(bytes);
  EXPECT_EQ(reader.string(false, "first"), "a");
  EXPECT_EQ(reader.string(false, "second"), "");
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.reason(), "second: expected 9 bytes, found 1, at byte 5");
  EXPECT_EQ(reader.number<std::int64_t>("third"), 0);
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_EQ(reader.reason(), "second: expected 9 bytes, found 1, at byte 5");
}

TEST(Reader, TheReasonSaysWhereInTheMessage) {
  ProduceRequest request;
  const Bytes batch(20);
  for (int topic = 0; topic < 3; ++topic) {
    request.topic_data.push_back({.name = "t"});
    for (int i = 0; i < 2; ++i)
      request.topic_data.back().partition_data.push_back({.index = i, .records = Records::view(batch)});
  }
  Writer writer;
  encode(writer, 3, request);
  Reader reader(writer.view().first(writer.size() - 7));
  ProduceRequest out;
  EXPECT_FALSE(decode(reader, 3, out));
  EXPECT_EQ(
      reader.reason(),
      "ProduceRequest 3: topic_data[2].partition_data[1].records: expected 20 bytes, found 13, at byte " +
          std::to_string(writer.size() - 20));
}

TEST(Reader, AVersionThatNobodyDefined) {
  const Bytes bytes(100);
  Reader reader(bytes);
  FetchRequest out;
  EXPECT_FALSE(decode(reader, 99, out));
  EXPECT_EQ(reader.reason(), "FetchRequest 99: expected a version up to 18, at byte 0");
  Reader negative(bytes);
  EXPECT_FALSE(decode(negative, -1, out));
}

TEST(Reader, AnyNegativeLengthIsNull) {
  for (const std::uint8_t low : {0xff, 0xfe}) {
    const Bytes bytes = {0xff, low, 0xff, 0xff, 0xff, low};
    Reader reader(bytes);
    EXPECT_EQ(reader.nullable_string(false, "s"), std::nullopt);
    EXPECT_EQ(reader.nullable_array(false, 4, "a"), -1);
    EXPECT_TRUE(reader.ok());
  }
  const Bytes bytes = {0xff, 0xff};
  Reader reader(bytes);
  reader.string(false, "s");
  EXPECT_EQ(reader.reason(), "s: expected a value, found null, at byte 2");
}

TEST(Reader, ACountOfTwoBillionTakesNoMemory) {
  const Bytes bytes = {0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0};
  Reader reader(bytes);
  MetadataRequest out;
  EXPECT_FALSE(decode(reader, 1, out));
  EXPECT_EQ(reader.reason(),
            "MetadataRequest 1: topics: expected at most 4 elements in the bytes left, found a count of "
            "2147483647, at byte 4");
  EXPECT_EQ(out.topics->capacity(), 0U);
}

// Each of the claimed half million elements could fit, but not the 65th string: memory follows what is read.
TEST(Reader, AClaimIsBelievedOnlyAsItIsRead) {
  Bytes bytes(std::size_t{2} << 20, 0x7f);
  store_be(bytes.data(), std::int32_t{1} << 19);
  Reader reader(bytes);
  MetadataRequest out;
  EXPECT_FALSE(decode(reader, 0, out));
  EXPECT_NE(reader.reason().find("topics[64].name"), std::string::npos) << reader.reason();
  EXPECT_LE(out.topics->capacity() * sizeof(out.topics->front()), std::size_t{256} << 10);
}

TEST(Reader, UvarintsEndAfterFiveBytes) {
  const Bytes largest = {0xff, 0xff, 0xff, 0xff, 0x0f};
  Reader good(largest);
  EXPECT_EQ(good.uvarint("n"), std::numeric_limits<std::uint32_t>::max());
  const Bytes endless(6, 0x80);
  Reader bad(endless);
  bad.uvarint("n");
  EXPECT_EQ(bad.reason(), "n: expected a number of at most 5 bytes, found a longer one, at byte 0");
  const Bytes cut = {0x80, 0x80};
  Reader cut_short(cut);
  cut_short.uvarint("n");
  EXPECT_EQ(cut_short.reason(), "n: expected 3 bytes, found 2, at byte 0");
}

TEST(Reader, ACompactLengthOfFourBillionIsTooLongAndNotNull) {
  const Bytes bytes = {0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0};
  Reader text(bytes);
  EXPECT_EQ(text.nullable_string(true, "s"), std::nullopt);
  EXPECT_FALSE(text.ok());
  Reader array(bytes);
  EXPECT_EQ(array.nullable_array(true, 1, "a"), 0);
  EXPECT_FALSE(array.ok());
}

TEST(Reader, ACompactStringIsNoLongerThanOneOfTheOldForm) {
  const auto read = [](std::uint32_t size) {
    Writer writer;
    writer.uvarint(size + 1);
    Bytes bytes = writer.to_bytes();
    bytes.resize(bytes.size() + size, 'x');
    Reader reader(bytes);
    const std::size_t found = reader.string(true, "name").size();
    return std::pair(found, reader.reason());
  };
  EXPECT_EQ(read(0x7fff), std::pair(std::size_t{0x7fff}, std::string()));
  EXPECT_EQ(read(0x8000).second, "name: found 32768, out of range: the largest is 32767, at byte 3");
}

// FetchRequest's tag 1 is a struct of 12 bytes and its own tag section.
Bytes fetch_with_tag(std::uint8_t size) {
  Writer writer;
  encode(writer, 15, FetchRequest{});
  Bytes bytes = writer.to_bytes();
  bytes.back() = 1;  // one tag
  bytes.insert(bytes.end(), {1, size});
  bytes.resize(bytes.size() + 12, 0x01);
  bytes.insert(bytes.end(), {0, 0});
  return bytes;
}

TEST(Reader, ATaggedValueFillsItsSize) {
  FetchRequest out;
  const Bytes right = fetch_with_tag(13);
  Reader good(right);
  ASSERT_TRUE(decode(good, 15, out)) << good.reason();
  EXPECT_EQ(out.replica_state.replica_id, 0x01010101);
  EXPECT_EQ(good.remaining(), 1U);
  const Bytes longer = fetch_with_tag(14);
  Reader bad(longer);
  EXPECT_FALSE(decode(bad, 15, out));
  EXPECT_NE(bad.reason().find("tagged value"), std::string::npos) << bad.reason();
}

TEST(Reader, ATagOfALaterVersionIsSkipped) {
  const Bytes bytes = fetch_with_tag(13);
  FetchRequest current;
  current.replica_id = -1;
  Writer writer;
  encode(writer, 14, FetchRequest{});  // has replica_id in line and no tag 1
  Bytes older = writer.to_bytes();
  older.back() = 1;
  older.insert(older.end(), {1, 3, 'x', 'y', 'z'});
  Reader reader(older);
  FetchRequest out;
  ASSERT_TRUE(decode(reader, 14, out)) << reader.reason();
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_EQ(out, FetchRequest{});
}

}  // namespace
}  // namespace moldau::wire
