#include "record/records.h"

#include <gtest/gtest.h>

#include "record/test_batches.h"
#include "tests/support/golden.h"

namespace moldau::record {
namespace {

using test::Dice;
using test::read_all;
using test::RecordCopy;

class GoldenRecords : public testing::TestWithParam<const char*> {};

TEST_P(GoldenRecords, AreWhatKafkaReads) {
  golden::for_each(GetParam(), [](const boost::json::object& line) {
    SCOPED_TRACE(golden::string(line, "case"));
    const Bytes bytes = golden::hex(line, "hex");
    std::vector<RecordCopy> want;
    Decompressor decompressor;
    BatchIterator batches(bytes);
    for (const auto& described : line.at("batches").as_array()) {
      const auto records = test::records_of(described.as_object());
      want.insert(want.end(), records.begin(), records.end());
      const auto batch = batches.next();
      ASSERT_TRUE(batch);
      EXPECT_EQ(RecordIterator(*batch, decompressor).first_offset(),
                Offset{golden::number(described.as_object(), "baseOffset")});
    }
    const auto reading = read_all(bytes);
    EXPECT_TRUE(reading.ok) << reading.why;
    EXPECT_EQ(reading.records, want);
  });
}

INSTANTIATE_TEST_SUITE_P(Batches, GoldenRecords,
                         testing::Values("batches/codecs", "batches/producers", "batches/controls"));

TEST(Malformed, FailWhereKafkasReaderFails) {
  golden::for_each("batches/malformed", [](const boost::json::object& line) {
    SCOPED_TRACE(golden::string(line, "case"));
    const auto reading = read_all(golden::hex(line, "hex"));
    // Kafka's reader finds this only when asked for the key, and its broker then fails.
    const bool found_later = golden::string(line, "case") == "magic 1 key length past the end";
    const bool fails = !golden::string(line, "kafka").empty() || found_later;
    EXPECT_EQ(reading.ok, !fails) << reading.why;
    EXPECT_EQ(reading.batches.size(), static_cast<std::size_t>(golden::number(line, "batches")));
    if (reading.ok)
      EXPECT_EQ(reading.records.size(), static_cast<std::size_t>(golden::number(line, "records")));
  });
}

// Each magic with each of its codecs.
std::vector<std::pair<std::int8_t, Codec>> formats() {
  std::vector<std::pair<std::int8_t, Codec>> all;
  for (const std::int8_t magic : {0, 1, 2})
    for (const Codec codec : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd})
      if (magic == 2 || codec != Codec::kZstd) all.emplace_back(magic, codec);
  return all;
}

TEST(Records, ComeBackAsTheyWereWritten) {
  for (const auto [magic, codec] : formats()) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      Dice dice(seed);
      auto records = test::some_records(dice, magic);
      // Gaps, and a base far from 0.
      std::int64_t offset = 0x1'2345'6789;
      for (auto& record : records) record.offset = offset += 1 + static_cast<std::int64_t>(dice.below(3));
      const Bytes bytes = test::build(
          {.magic = magic, .base_offset = Offset{records.front().offset}, .compression = codec}, records);
      const auto reading = read_all(bytes);
      EXPECT_TRUE(reading.ok) << reading.why;
      EXPECT_EQ(reading.records, records)
          << "magic " << int{magic} << " " << codec_name(codec) << " seed " << seed;
    }
  }
}

// A batch cut anywhere is no batch; with its size and CRC put right again its records fail, and nothing worse
// happens.
TEST(Records, EveryCutFailsCleanly) {
  for (const auto [magic, codec] : formats()) {
    Dice dice(7);
    const Bytes whole =
        test::build({.magic = magic, .compression = codec},
                    {{.offset = 0, .key = Bytes(20, 'k'), .value = Bytes(80, 'v'), .headers = {}},
                     {.offset = 1, .key = {}, .value = Bytes(30, 'w'), .headers = {}}});
    const std::size_t first = static_cast<std::size_t>(parse_header(whole).header.size);
    for (std::size_t cut = kMinBatchSize; cut < first; ++cut) {
      Bytes bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut));
      EXPECT_TRUE(read_all(bytes).batches.empty());
      store_be(bytes.data() + at::kSize, static_cast<std::int32_t>(cut - kSizePrefix));
      seal_crc(bytes);
      EXPECT_FALSE(read_all(bytes).ok)
          << "magic " << int{magic} << " " << codec_name(codec) << " cut " << cut;
    }
  }
}

TEST(Records, FlippedBitsNeverDoHarm) {
  for (const auto [magic, codec] : formats()) {
    Dice dice(8);
    Bytes whole = test::some_batch(dice, magic, codec);
    whole.resize(static_cast<std::size_t>(parse_header(whole).header.size));
    int damaged = 0;
    for (int round = 0; round < 300; ++round) {
      Bytes bytes = whole;
      for (std::size_t flips = 1 + dice.below(4); flips > 0; --flips)
        bytes[kMagicAt + 1 + dice.below(bytes.size() - kMagicAt - 1)] ^=
            static_cast<std::uint8_t>(1 << dice.below(8));
      EXPECT_FALSE(bytes != whole && read_all(bytes).ok);  // the CRC knows
      seal_crc(bytes);
      damaged += read_all(bytes, std::size_t{16} << 20).ok ? 0 : 1;  // and without it nobody crashes
    }
    EXPECT_GT(damaged, 0);
  }
}

TEST(Records, WrapperOfMagic1WithOffset0TakesInnerOffsetsAsTheyAre) {
  const std::vector<RecordCopy> records{
      {.offset = 0, .timestamp = 1, .key = {}, .value = Bytes(1), .headers = {}},
      {.offset = 1, .timestamp = 2, .key = {}, .value = Bytes(2), .headers = {}}};
  Bytes bytes = test::build({.magic = 1, .compression = Codec::kSnappy}, records);
  ASSERT_EQ(parse_header(bytes).header.last_offset, Offset{1});
  set_offset(bytes, Offset{0});
  EXPECT_EQ(read_all(bytes).records, records);
  set_offset(bytes, Offset{101});
  EXPECT_EQ(read_all(bytes).records.at(0).offset, 100);
}

// A wrapper around what is no set of plain messages of its own magic.
Bytes wrapper(std::int8_t magic, ByteView inside) {
  Compressor compressor;
  Bytes bytes = test::build({.magic = magic}, {{.offset = 9, .key = {}, .value = Bytes(), .headers = {}}});
  compressor.compress(Codec::kGzip, magic, inside, bytes);
  const std::size_t header = magic == 1 ? kHeaderSizeV1 : kHeaderSizeV0;
  bytes[legacy_at::kAttributes] = 1;
  store_be(bytes.data() + header + 4, static_cast<std::int32_t>(bytes.size() - header - 8));
  store_be(bytes.data() + at::kSize, static_cast<std::int32_t>(bytes.size() - kSizePrefix));
  seal_crc(bytes);
  return bytes;
}

TEST(Records, WrappersHoldPlainMessagesOfTheirMagic) {
  const auto message = [](std::int8_t magic, Codec codec) {
    return test::build({.magic = magic, .compression = codec},
                       {{.offset = 0, .timestamp = 5, .key = Bytes(3), .value = Bytes(4), .headers = {}}});
  };
  EXPECT_TRUE(read_all(wrapper(1, message(1, Codec::kNone))).ok);
  EXPECT_FALSE(read_all(wrapper(1, message(0, Codec::kNone))).ok);
  EXPECT_FALSE(read_all(wrapper(0, message(1, Codec::kNone))).ok);
  EXPECT_FALSE(read_all(wrapper(1, message(1, Codec::kGzip))).ok);
  EXPECT_FALSE(read_all(wrapper(1, {})).ok);
  Bytes wrong_crc = message(1, Codec::kNone);
  wrong_crc[legacy_at::kCrc] ^= 1;
  EXPECT_FALSE(read_all(wrapper(1, wrong_crc)).ok);
  Bytes beyond = message(1, Codec::kNone);
  set_offset(beyond, Offset{10});  // the wrapper says 9 for the last one
  EXPECT_FALSE(read_all(wrapper(1, beyond)).ok);
}

TEST(Survey, FindsWhatTheRecordsSay) {
  Dice dice(11);
  Bytes bytes =
      test::build({}, {{.offset = 0, .timestamp = 100, .key = Bytes(1), .value = {}, .headers = {}},
                       {.offset = 1, .timestamp = 70, .key = Bytes(0), .value = {}, .headers = {}},
                       {.offset = 2, .timestamp = 900, .key = Bytes(9), .value = {}, .headers = {}}});
  const ByteView records = ByteView(bytes).subspan(at::kRecords);
  Survey found;
  EXPECT_EQ(survey(records, 3, found), "");
  EXPECT_EQ(found.min_timestamp_delta, -30);
  EXPECT_EQ(found.max_timestamp_delta, 800);
  EXPECT_TRUE(found.deltas_dense);
  EXPECT_FALSE(found.keyless);
  EXPECT_NE(survey(records, 2, found), "");
  EXPECT_NE(survey(records, 4, found), "");

  bytes = test::build({}, {{.offset = 0, .key = {}, .value = {}, .headers = {}},
                           {.offset = 2, .key = Bytes(1), .value = {}, .headers = {}}});
  EXPECT_EQ(survey(ByteView(bytes).subspan(at::kRecords), 2, found), "");
  EXPECT_FALSE(found.deltas_dense);
  EXPECT_TRUE(found.keyless);
}

}  // namespace
}  // namespace moldau::record
