// Rule by rule.
#include "record/validate.h"

#include <gtest/gtest.h>

#include "record/control.h"
#include "record/test_batches.h"
#include "record/validate_fixture.h"
#include "tests/support/golden.h"

namespace moldau::record {
namespace {

using test::Dice;
using test::kHour;
using test::kNow;
using test::RecordCopy;
using test::validate;
using test::verdict;
using wire::ErrorCode;

RecordCopy record_at(std::int64_t timestamp) {
  return {.offset = 0, .timestamp = timestamp, .key = Bytes(3, 'k'), .value = Bytes(8, 'v'), .headers = {}};
}

std::vector<RecordCopy> timed(std::initializer_list<std::int64_t> timestamps) {
  std::vector<RecordCopy> records;
  for (const auto timestamp : timestamps) {
    records.push_back(record_at(timestamp));
    records.back().offset = static_cast<std::int64_t>(records.size()) - 1;
  }
  return records;
}

TEST(Produce, FastPathTouchesNothing) {
  Dice dice(1);
  for (const Codec codec : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    Bytes bytes = test::some_batch(dice, 2, codec);
    const Bytes before = bytes;
    auto accepted = validate(bytes, {.produce_version = 9, .now_ms = kNow});
    ASSERT_TRUE(accepted);
    EXPECT_TRUE(accepted->in_place());
    EXPECT_EQ(accepted->bytes().data(), bytes.data());
    EXPECT_EQ(accepted->bytes().size(), bytes.size());
    EXPECT_EQ(bytes, before);
    EXPECT_EQ(accepted->converted_records, 0);
  }
}

TEST(Produce, TimestampsOutOfRangeAreNamed) {
  const ProduceRules rules{.produce_version = 9, .before_max_ms = 1000, .after_max_ms = 500, .now_ms = kNow};
  EXPECT_EQ(verdict(test::build({}, timed({kNow - 1000, kNow + 500})), rules), "NONE");
  EXPECT_EQ(verdict(test::build({}, timed({kNow, kNow - 1001, kNow})), rules), "INVALID_TIMESTAMP record 1");
  EXPECT_EQ(verdict(test::build({}, timed({kNow + 501, kNow, kNow - 9999})), rules),
            "INVALID_TIMESTAMP record 0 record 2");
  EXPECT_EQ(verdict(test::build({}, timed({kNoTimestamp, kNow})), rules),
            "NONE");  // none at all is none too old
  ProduceRules append_time = rules;
  append_time.timestamp_type = TimestampType::kLogAppendTime;
  EXPECT_EQ(verdict(test::build({}, timed({5})), append_time), "NONE");
  for (const Codec codec : {Codec::kGzip, Codec::kLz4})
    EXPECT_EQ(verdict(test::build({.compression = codec}, timed({kNow, 7})), rules),
              "INVALID_TIMESTAMP record 1");
}

TEST(Produce, ExtremeTimestampsAreJudgedNotOverflowed) {
  constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min(),
                         kMax = std::numeric_limits<std::int64_t>::max();
  const ProduceRules rules{.before_max_ms = kHour, .after_max_ms = kHour, .now_ms = kNow};
  for (const auto extreme : {kMin, kMin + 1, kMax, kMax - 1})
    EXPECT_EQ(verdict(test::build({}, timed({extreme, kNow})), rules), "INVALID_TIMESTAMP record 0")
        << extreme;
  EXPECT_EQ(verdict(test::build({}, timed({kMax, kMin})), {.now_ms = kNow}), "NONE");
}

TEST(Produce, AppendTimeIsWrittenAndSealed) {
  Bytes bytes = test::build({.compression = Codec::kGzip}, timed({1, 2, 3}));
  auto accepted = validate(bytes, {.timestamp_type = TimestampType::kLogAppendTime, .now_ms = kNow});
  ASSERT_TRUE(accepted && accepted->in_place());
  EXPECT_EQ(accepted->max_timestamp, kNow);
  const auto reading = test::read_all(bytes);
  EXPECT_TRUE(reading.ok) << reading.why;
  for (const auto& record : reading.records) EXPECT_EQ(record.timestamp, kNow);
}

TEST(Produce, MaxTimestampIsCorrected) {
  Bytes bytes = test::build({}, timed({5, 900, 7}));
  store_be(bytes.data() + at::kMaxTimestamp, std::int64_t{17});
  seal_crc(bytes);
  auto accepted = validate(bytes, {.now_ms = kNow});
  ASSERT_TRUE(accepted && accepted->in_place());
  EXPECT_EQ(accepted->max_timestamp, 900);
  EXPECT_EQ(accepted->header.max_timestamp, 900);
  EXPECT_TRUE(test::read_all(bytes).ok);
}

TEST(Produce, SizesHaveLimits) {
  const Bytes bytes = test::build({}, timed({1, 2, 3}));
  const auto size = static_cast<std::int32_t>(bytes.size());
  EXPECT_EQ(verdict(bytes, {.max_batch_bytes = size}), "NONE");
  EXPECT_EQ(verdict(bytes, {.max_batch_bytes = size - 1}), "MESSAGE_TOO_LARGE");
  EXPECT_EQ(verdict(bytes, {.max_segment_bytes = size}), "NONE");
  EXPECT_EQ(verdict(bytes, {.max_segment_bytes = size - 1}), "RECORD_LIST_TOO_LARGE");
}

TEST(Produce, ConversionMayNotGrowBeyondTheLimit) {
  auto records = timed({1, 2});
  records[0].value = Bytes(100'000);
  const Bytes packed = test::build({.compression = Codec::kZstd}, records);
  ProduceRules rules{
      .produce_version = 9, .compression = Compression(Codec::kNone), .max_batch_bytes = 50'000};
  EXPECT_EQ(verdict(packed, rules), "MESSAGE_TOO_LARGE");
  rules.compression = Compression(Codec::kGzip);
  EXPECT_EQ(verdict(packed, rules), "NONE");
}

TEST(Produce, WhatCompressionEnlargesMayBeTooLarge) {
  Dice dice(12);
  auto records = timed({1});
  records[0].value = Bytes(20'000);
  for (auto& byte : *records[0].value) byte = static_cast<std::uint8_t>(dice.roll());
  const Bytes plain = test::build({}, records);
  ProduceRules rules{.produce_version = 9, .max_batch_bytes = static_cast<std::int32_t>(plain.size())};
  EXPECT_EQ(verdict(plain, rules), "NONE");
  rules.compression = Compression(Codec::kGzip);
  EXPECT_EQ(verdict(plain, rules), "MESSAGE_TOO_LARGE");
}

TEST(Produce, BombsAreRefused) {
  auto records = timed({1});
  records[0].value = Bytes(8 << 20);
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    Bytes bomb = test::build({.compression = codec}, records);
    Workbench bench{.decompressor = Decompressor(1 << 20), .compressor = {}};
    const auto result = validate_produce(bomb, {.produce_version = 9}, bench);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kMessageTooLarge);
  }
}

TEST(Produce, GapsInOffsetDeltasAreClosed) {
  auto records = timed({10, 20, 30});
  records[1].offset = 4;
  records[2].offset = 9;
  for (const Codec codec : {Codec::kNone, Codec::kLz4}) {
    Bytes bytes = test::build({.compression = codec,
                               .producer_id = ProducerId{7},
                               .producer_epoch = ProducerEpoch{1},
                               .base_sequence = 40},
                              records);
    store_be(bytes.data() + at::kLastOffsetDelta, std::int32_t{2});
    seal_crc(bytes);
    auto accepted = validate(bytes, {.now_ms = kNow});
    ASSERT_TRUE(accepted);
    EXPECT_FALSE(accepted->in_place());
    const auto reading = test::read_all(accepted->bytes());
    ASSERT_EQ(reading.records.size(), 3u);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(reading.records[static_cast<std::size_t>(i)].offset, i);
      EXPECT_EQ(reading.records[static_cast<std::size_t>(i)].sequence, 40 + i);
    }
    EXPECT_EQ(reading.batches[0].codec(), codec);
  }
}

TEST(Produce, ConversionKeepsEverythingOfMagic2) {
  Dice dice(3);
  for (int round = 0; round < 30; ++round) {
    const auto records = test::some_records(dice, 2);
    Bytes bytes = test::build({.compression = Codec::kSnappy,
                               .producer_id = ProducerId{9},
                               .producer_epoch = ProducerEpoch{3},
                               .base_sequence = 0,
                               .transactional = true},
                              records);
    const auto before = test::read_all(bytes);
    auto accepted = validate(bytes, {.compression = Compression(Codec::kGzip, 6), .now_ms = kNow});
    ASSERT_TRUE(accepted);
    EXPECT_EQ(accepted->converted_records, static_cast<std::int64_t>(records.size()));
    const auto after = test::read_all(accepted->bytes());
    EXPECT_EQ(after.records, before.records);
    EXPECT_EQ(after.batches[0].attributes, (before.batches[0].attributes & ~kCodecMask) | 1);
    EXPECT_EQ(after.batches[0].producer_id, ProducerId{9});
  }
}

TEST(Produce, OldMessagesBecomeOneBatch) {
  Dice dice(4);
  for (const std::int8_t magic : {0, 1})
    for (const Codec codec : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4}) {
      const auto records = test::some_records(dice, magic);
      Bytes bytes = test::build({.magic = magic, .compression = codec}, records);
      auto accepted = validate(bytes, {.produce_version = 1, .now_ms = kNow});
      ASSERT_TRUE(accepted) << accepted.error().message;
      const auto reading = test::read_all(accepted->bytes());
      ASSERT_EQ(reading.batches.size(), 1u);
      EXPECT_EQ(reading.batches[0].codec(), codec);
      EXPECT_EQ(reading.records, records);
    }
}

TEST(Produce, RewrittenRecordsAreJudgedToo) {
  auto records = timed({kNow, 5});
  records[1].key = std::nullopt;
  const ProduceRules late{.produce_version = 2, .before_max_ms = 1000, .now_ms = kNow};
  const ProduceRules keyed{.produce_version = 2, .compacted = true, .now_ms = kNow};
  const Bytes old = test::build({.magic = 1, .compression = Codec::kGzip}, records);
  EXPECT_EQ(verdict(old, late), "INVALID_TIMESTAMP record 1");
  EXPECT_EQ(verdict(old, keyed), "INVALID_RECORD record 1");
}

TEST(Produce, NumberOfBatchesComesBeforeTheirCrc) {
  Bytes bytes = test::build({}, timed({1}));
  bytes.back() ^= 1;
  EXPECT_EQ(verdict(bytes, {.produce_version = 9}), "CORRUPT_MESSAGE");
  const Bytes again = bytes;
  bytes.insert(bytes.end(), again.begin(), again.end());
  EXPECT_EQ(verdict(bytes, {.produce_version = 9}), "INVALID_RECORD");
  EXPECT_EQ(verdict(bytes, {.produce_version = 2}), "CORRUPT_MESSAGE");
}

TEST(Produce, MagicsAndWrappersAreNotMixed) {
  const auto one = [](std::int8_t magic, Codec codec) {
    return test::build({.magic = magic, .compression = codec}, {record_at(magic == 0 ? kNoTimestamp : 5)});
  };
  const auto joined = [](Bytes a, const Bytes& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  };
  const ProduceRules rules{.produce_version = 2, .now_ms = kNow};
  EXPECT_EQ(verdict(joined(one(1, Codec::kNone), one(1, Codec::kNone)), rules), "NONE");
  EXPECT_EQ(verdict(joined(one(0, Codec::kNone), one(1, Codec::kNone)), rules), "INVALID_RECORD");
  EXPECT_EQ(verdict(joined(one(1, Codec::kNone), one(1, Codec::kGzip)), rules), "INVALID_RECORD");
  EXPECT_EQ(verdict(joined(one(2, Codec::kNone), one(2, Codec::kNone)), rules), "INVALID_RECORD");
}

TEST(Produce, ZstdNeedsVersion7) {
  const Bytes bytes = test::build({.compression = Codec::kZstd}, timed({1}));
  EXPECT_EQ(verdict(bytes, {.produce_version = 6}), "UNSUPPORTED_COMPRESSION_TYPE");
  EXPECT_EQ(verdict(bytes, {.produce_version = 7}), "NONE");
}

// What readers could not unpack must not be stored, whatever the header and its CRC say.
TEST(Produce, CompressedContentIsUnpacked) {
  Bytes bytes = test::build({.compression = Codec::kGzip}, timed({1, 2}));
  bytes[at::kRecords + 12] ^= 0xff;
  seal_crc(bytes);
  EXPECT_EQ(verdict(bytes, {.now_ms = kNow}), "INVALID_RECORD");
  EXPECT_EQ(verdict(bytes, {.compacted = true, .now_ms = kNow}), "INVALID_RECORD");
}

TEST(Coordinator, WritesControlRecordsThatNoTopicCompresses) {
  Bytes marker = end_txn_batch({ControlType::kCommit, 3}, ProducerId{8}, ProducerEpoch{2}, Offset{0}, kNow,
                               LeaderEpoch{1});
  EXPECT_EQ(verdict(marker, {.now_ms = kNow}), "INVALID_RECORD");
  auto accepted = validate(
      marker, {.origin = Origin::kCoordinator, .compression = Compression(Codec::kLz4), .now_ms = kNow});
  ASSERT_TRUE(accepted);
  EXPECT_TRUE(accepted->in_place());
  EXPECT_TRUE(accepted->header.control());
}

TEST(Produce, NothingWholeIsNothingToAppend) {
  Bytes bytes = test::build({.magic = 1}, timed({1}));
  bytes.pop_back();
  const auto accepted = validate(bytes, {.produce_version = 2});
  ASSERT_TRUE(accepted);
  EXPECT_TRUE(accepted->empty());
  EXPECT_EQ(accepted->record_count(), 0);
}

// What is accepted can be read; what cannot be read is not accepted. Damage is sealed, so that the CRC does
// not help.
TEST(Produce, DamageIsRefusedOrReadable) {
  Dice dice(6);
  int refused = 0, accepted_count = 0;
  for (const std::int8_t magic : {0, 1, 2}) {
    for (const Codec codec : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4}) {
      const Bytes whole = test::some_batch(dice, magic, codec);
      for (int round = 0; round < 250; ++round) {
        Bytes bytes = whole;
        const auto size = static_cast<std::size_t>(parse_header(whole).header.size);
        bytes[kMagicAt + 1 + dice.below(size - kMagicAt - 1)] ^=
            static_cast<std::uint8_t>(1 << dice.below(8));
        seal_crc(MutableBytes(bytes).first(size));
        const bool recode = dice.once_in(3);
        auto accepted =
            validate(bytes, {.produce_version = 2,
                             .compression = recode ? std::optional(Compression(Codec::kZstd)) : std::nullopt,
                             .now_ms = kNow});
        ++(accepted ? accepted_count : refused);
        if (!accepted) continue;
        const auto reading = test::read_all(accepted->bytes());
        EXPECT_TRUE(reading.ok) << reading.why;
        EXPECT_EQ(reading.records.size(), static_cast<std::size_t>(accepted->record_count()));
      }
    }
  }
  EXPECT_GT(refused, 100);
  EXPECT_GT(accepted_count, 100);
}

// ---- From other brokers
// ----------------------------------------------------------------------------------------

TEST(Replicated, TakesWhatTheLeaderHas) {
  golden::for_each("batches/producers", [](const boost::json::object& line) {
    SCOPED_TRACE(golden::string(line, "case"));
    const Bytes bytes = golden::hex(line, "hex");
    const auto found = validate_replicated(bytes);
    ASSERT_TRUE(found) << found.error().message;
    const auto& batches = line.at("batches").as_array();
    EXPECT_EQ(found->batches, static_cast<std::int32_t>(batches.size()));
    EXPECT_EQ(found->bytes.size(), bytes.size() - static_cast<std::size_t>(golden::number(line, "leftOver")));
    if (batches.empty()) return;
    EXPECT_EQ(found->last_offset.value, golden::number(batches.back().as_object(), "lastOffset"));
    std::int64_t latest = kNoTimestamp;
    for (const auto& batch : batches)
      latest = std::max(latest, golden::number(batch.as_object(), "maxTimestamp"));
    EXPECT_EQ(found->max_timestamp, latest);
  });
}

TEST(Replicated, RefusesDamageAndDisorder) {
  Bytes first =
      test::build({.base_offset = Offset{5}}, {{.offset = 5, .key = {}, .value = {}, .headers = {}}});
  Bytes both = first;
  both.insert(both.end(), first.begin(), first.end());
  EXPECT_EQ(validate_replicated(both).error().code, ErrorCode::kInvalidRecord);
  set_offset(MutableBytes(both).subspan(first.size()), Offset{6});
  const auto found = validate_replicated(both);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->first_offset, Offset{5});
  EXPECT_EQ(found->last_offset, Offset{6});
  EXPECT_EQ(found->offset_of_max_timestamp, kNoOffset);
  both[first.size() + 25] ^= 1;
  EXPECT_EQ(validate_replicated(both).error().code, ErrorCode::kCorruptMessage);
}

}  // namespace
}  // namespace moldau::record
