#include "record/batch.h"

#include <gtest/gtest.h>

#include "record/test_batches.h"
#include "tests/support/golden.h"

namespace moldau::record {
namespace {

using test::Dice;

void expect_header(const boost::json::object& want, const BatchHeader& got) {
  EXPECT_EQ(got.magic, golden::number(want, "magic"));
  EXPECT_EQ(got.last_offset.value, golden::number(want, "lastOffset"));
  EXPECT_EQ(got.size, golden::number(want, "sizeInBytes"));
  EXPECT_EQ(got.codec(), test::codec_of(golden::string(want, "compression")));
  EXPECT_EQ(got.timestamp_type(), test::timestamp_type_of(golden::string(want, "timestampType")));
  EXPECT_EQ(got.max_timestamp, golden::number(want, "maxTimestamp"));
  if (got.magic < 2) return;
  EXPECT_EQ(got.base_offset.value, golden::number(want, "baseOffset"));
  EXPECT_EQ(got.crc, golden::number(want, "crc"));
  EXPECT_EQ(got.base_timestamp, golden::number(want, "baseTimestamp"));
  EXPECT_EQ(got.partition_leader_epoch.value, golden::number(want, "leaderEpoch"));
  EXPECT_EQ(got.producer_id.value, golden::number(want, "producerId"));
  EXPECT_EQ(got.producer_epoch.value, golden::number(want, "producerEpoch"));
  EXPECT_EQ(got.base_sequence, golden::number(want, "baseSequence"));
  EXPECT_EQ(got.last_sequence(), golden::number(want, "lastSequence"));
  EXPECT_EQ(got.transactional(), golden::boolean(want, "transactional"));
  EXPECT_EQ(got.control(), golden::boolean(want, "control"));
  EXPECT_EQ(got.record_count, golden::number(want, "count"));
  const auto& horizon = want.at("deleteHorizonMs");
  EXPECT_EQ(got.delete_horizon_ms(), horizon.is_null() ? std::nullopt : std::optional(horizon.as_int64()));
}

class GoldenHeaders : public testing::TestWithParam<const char*> {};

TEST_P(GoldenHeaders, SayWhatKafkaReads) {
  golden::for_each(GetParam(), [](const boost::json::object& line) {
    SCOPED_TRACE(golden::string(line, "case"));
    const Bytes bytes = golden::hex(line, "hex");
    BatchIterator batches(bytes);
    for (const auto& want : line.at("batches").as_array()) {
      const auto batch = batches.next();
      ASSERT_TRUE(batch);
      expect_header(want.as_object(), batch->header());
      EXPECT_TRUE(batch->crc_ok());
    }
    EXPECT_FALSE(batches.next());
    EXPECT_EQ(batches.corrupt(), "");
    EXPECT_EQ(batches.left_over(), static_cast<std::size_t>(golden::number(line, "leftOver")));
  });
}

INSTANTIATE_TEST_SUITE_P(Batches, GoldenHeaders,
                         testing::Values("batches/codecs", "batches/producers", "batches/controls"));

TEST(Crc, IsThatOfKafka) {
  for (const auto& row : golden::table("tables/crc")) {
    const Bytes bytes = golden::from_hex(row.at(0));
    EXPECT_EQ(crc32c(bytes), std::stoul(row.at(1), nullptr, 16));
    EXPECT_EQ(crc32(bytes), std::stoul(row.at(2), nullptr, 16));
  }
}

TEST(ParseHeader, AsksForMoreAtEveryCut) {
  for (const std::int8_t magic : {0, 1, 2}) {
    Dice dice(1);
    const Bytes bytes = test::some_batch(dice, magic, Codec::kNone);
    const std::size_t header = parse_header(bytes).header.header_size();
    for (std::size_t cut = 0; cut < header; ++cut) {
      const auto parsed = parse_header(ByteView(bytes).first(cut));
      EXPECT_EQ(parsed.state, ParseState::kNeedMore);
      EXPECT_GT(parsed.need, cut);
      EXPECT_LE(parsed.need, header);
    }
    EXPECT_EQ(parse_header(ByteView(bytes).first(header)).state, ParseState::kOk);
  }
}

TEST(ParseHeader, RefusesSizesAndMagicsThatCannotBe) {
  Dice dice(2);
  const Bytes good = test::some_batch(dice, 2, Codec::kNone);
  const auto with = [&](auto edit) {
    Bytes bytes = good;
    edit(bytes.data());
    return parse_header(bytes).state;
  };
  for (const std::int32_t size : {-1, 0, 13, 14, 48, 0x7fffffff, std::int32_t(0x80000000)})
    EXPECT_EQ(with([&](auto* p) { store_be(p + at::kSize, size); }), ParseState::kCorrupt) << size;
  EXPECT_EQ(with([](auto* p) { store_be(p + at::kSize, 49); }), ParseState::kOk);
  for (const int magic : {3, 127, 255})
    EXPECT_EQ(with([&](auto* p) { p[kMagicAt] = static_cast<std::uint8_t>(magic); }), ParseState::kCorrupt)
        << magic;
}

TEST(BatchIterator, CountsWholeBatchesAtEveryCut) {
  Dice dice(3);
  Bytes bytes;
  std::vector<std::size_t> ends{0};
  for (int i = 0; i < 3; ++i) {
    const Bytes batch = test::build({}, {{.offset = 0, .key = Bytes(5), .value = Bytes(9), .headers = {}}});
    bytes.insert(bytes.end(), batch.begin(), batch.end());
    ends.push_back(bytes.size());
  }
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    BatchIterator batches(ByteView(bytes).first(cut));
    while (batches.next()) {
    }
    EXPECT_EQ(batches.corrupt(), "");
    EXPECT_EQ(batches.position(), *(std::upper_bound(ends.begin(), ends.end(), cut) - 1));
    EXPECT_EQ(batches.left_over(), cut - batches.position());
  }
}

TEST(InPlace, OffsetAndEpochLieOutsideTheCrc) {
  for (const std::int8_t magic : {0, 1, 2}) {
    Dice dice(4);
    Bytes bytes = test::some_batch(dice, magic, Codec::kGzip);
    set_offset(bytes, Offset{5'000'000'000});
    if (magic == 2) set_leader_epoch(bytes, LeaderEpoch{77});
    const BatchView batch(bytes, parse_header(bytes).header);
    EXPECT_TRUE(batch.crc_ok());
    EXPECT_EQ(batch.header().base_offset, Offset{5'000'000'000});
    EXPECT_EQ(batch.header().partition_leader_epoch, magic == 2 ? LeaderEpoch{77} : kNoLeaderEpoch);
  }
}

TEST(InPlace, TimestampsAreSealed) {
  for (const std::int8_t magic : {1, 2}) {
    Dice dice(5);
    Bytes bytes = test::some_batch(dice, magic, Codec::kLz4);
    const Bytes before = bytes;
    const BatchHeader header = parse_header(bytes).header;
    set_max_timestamp(bytes, TimestampType::kCreateTime, header.max_timestamp);
    EXPECT_EQ(bytes, before);
    set_max_timestamp(bytes, TimestampType::kLogAppendTime, 42);
    const BatchView batch(bytes, parse_header(bytes).header);
    EXPECT_TRUE(batch.crc_ok());
    EXPECT_EQ(batch.header().max_timestamp, 42);
    EXPECT_EQ(batch.header().timestamp_type(), TimestampType::kLogAppendTime);
    EXPECT_EQ(batch.header().codec(), Codec::kLz4);
    set_max_timestamp(bytes, TimestampType::kCreateTime, header.max_timestamp);
    EXPECT_EQ(bytes, before);
  }
}

TEST(Sequence, WrapsToZero) {
  constexpr std::int32_t kLast = std::numeric_limits<std::int32_t>::max();
  EXPECT_EQ(advance_sequence(5, 3), 8);
  EXPECT_EQ(advance_sequence(kLast, 0), kLast);
  EXPECT_EQ(advance_sequence(kLast, 1), 0);
  EXPECT_EQ(advance_sequence(kLast - 1, 4), 2);
}

}  // namespace
}  // namespace moldau::record
