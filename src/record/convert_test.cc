#include "record/convert.h"

#include <gtest/gtest.h>

#include "record/control.h"
#include "record/test_batches.h"
#include "tests/support/golden.h"

namespace moldau::record {
namespace {

using test::RecordCopy;

struct Converted {
  DownConversion result;
  Bytes out;
};

Converted convert(ByteView in, std::int8_t to, std::int64_t first = 0, std::size_t max_bytes = 1 << 30) {
  Decompressor decompressor;
  Compressor compressor;
  Converted converted;
  converted.result = down_convert(in, to, Offset{first}, max_bytes, decompressor, compressor, converted.out);
  return converted;
}

TEST(GoldenDown, OldFetchersGetWhatKafkaGivesThem) {
  golden::for_each("batches/down", [](const boost::json::object& line) {
    const auto to = static_cast<std::int8_t>(golden::number(line, "toMagic"));
    SCOPED_TRACE(std::string(golden::string(line, "case")) + " to " + std::to_string(to));
    const Bytes from = golden::hex(line, "from");
    const auto [result, out] = convert(from, to);
    if (line.contains("kafka")) {
      EXPECT_EQ(golden::string(line, "kafka"), "UnsupportedCompressionTypeException");
      EXPECT_EQ(result.fault.kind, FaultKind::kUnsupportedCodec);
      EXPECT_EQ(result.consumed, 0u);
      return;
    }
    EXPECT_TRUE(result.fault.ok()) << result.fault.message;
    EXPECT_EQ(result.consumed, from.size());
    const auto reading = test::read_all(out);
    EXPECT_TRUE(reading.ok) << reading.why;
    EXPECT_EQ(reading.records, test::records_of(line));
    const Bytes want = golden::hex(line, "hex");
    if (!parse_header(want).header.compressed()) {
      EXPECT_EQ(golden::to_hex(out), golden::to_hex(want));
      return;
    }
    const auto wanted = test::read_all(want);
    ASSERT_EQ(reading.batches.size(), wanted.batches.size());
    for (std::size_t i = 0; i < wanted.batches.size(); ++i) {
      EXPECT_EQ(reading.batches[i].last_offset, wanted.batches[i].last_offset);
      EXPECT_EQ(reading.batches[i].attributes, wanted.batches[i].attributes);
      EXPECT_EQ(reading.batches[i].max_timestamp, wanted.batches[i].max_timestamp);
    }
  });
}

std::vector<RecordCopy> three(std::int64_t base) {
  std::vector<RecordCopy> records;
  for (std::int64_t i = 0; i < 3; ++i)
    records.push_back(
        {.offset = base + i, .timestamp = 50 + i, .key = Bytes(4), .value = Bytes(100), .headers = {}});
  return records;
}

Bytes log_of(std::initializer_list<Bytes> batches) {
  Bytes all;
  for (const Bytes& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

TEST(Down, PlainRecordsBeforeTheOffsetAskedForAreLeftOut) {
  const Bytes plain = test::build({}, three(0)),
              packed = test::build({.compression = Codec::kGzip}, three(0));
  EXPECT_EQ(test::read_all(convert(plain, 1, 2).out).records.size(), 1u);
  EXPECT_EQ(test::read_all(convert(packed, 1, 2).out).records.size(), 3u);
  EXPECT_TRUE(convert(plain, 1, 3).out.empty());
  EXPECT_EQ(convert(plain, 1, 3).result.consumed, plain.size());
}

// What followed in the batch has gone by compaction: who gets the rest again would ask for the same offset
// for ever.
TEST(Down, BatchesWithNothingNewVanish) {
  for (const Codec codec : {Codec::kNone, Codec::kGzip}) {
    BatchBuilder builder({.base_offset = Offset{5}, .compression = codec});
    builder.append({.value = as_bytes("v")});
    builder.set_last_offset(Offset{8});
    Compressor compressor;
    const Bytes batch = std::move(builder).finish(compressor);
    const auto [result, out] = convert(batch, 1, 6);
    EXPECT_TRUE(result.fault.ok());
    EXPECT_EQ(result.consumed, batch.size());
    EXPECT_EQ(result.records, 0);
    EXPECT_TRUE(out.empty());
    EXPECT_FALSE(convert(batch, 1, 5).out.empty());
  }
}

TEST(Down, ControlBatchesAndEmptyOnesVanish) {
  const Bytes in = log_of({end_txn_batch({ControlType::kCommit, 1}, ProducerId{5}, ProducerEpoch{0},
                                         Offset{0}, 9, LeaderEpoch{0}),
                           empty_batch({.base_offset = Offset{1}}, Offset{4}, 7),
                           test::build({.base_offset = Offset{5}}, three(5))});
  const auto [result, out] = convert(in, 0);
  EXPECT_TRUE(result.fault.ok());
  EXPECT_EQ(result.consumed, in.size());
  EXPECT_EQ(result.records, 3);
  EXPECT_EQ(test::read_all(out).records.size(), 3u);
}

TEST(Down, HeadersVanish) {
  auto records = three(0);
  records[1].headers.emplace_back(Bytes{'h'}, std::nullopt);
  const auto reading = test::read_all(convert(test::build({}, records), 1).out);
  EXPECT_EQ(reading.records, three(0));
}

TEST(Down, StopsAtTheBoundAndGoesOnFromThere) {
  const Bytes in = log_of({test::build({}, three(0)), test::build({.base_offset = Offset{3}}, three(3)),
                           test::build({.magic = 1, .base_offset = Offset{6}}, three(6))});
  const std::size_t whole = convert(in, 1).out.size();
  for (std::size_t bound = 0; bound <= whole; ++bound) {
    Bytes all;
    int calls = 0;
    for (std::size_t at = 0; at < in.size(); ++calls) {
      const auto [result, out] = convert(ByteView(in).subspan(at), 1, 0, bound);
      ASSERT_TRUE(result.fault.ok());
      ASSERT_GT(result.consumed, 0u);
      at += result.consumed;
      all.insert(all.end(), out.begin(), out.end());
      const bool one_batch = test::read_all(out).records.size() <= 3;
      EXPECT_TRUE(out.size() <= bound || one_batch);
    }
    EXPECT_EQ(all, convert(in, 1).out);
    EXPECT_EQ(calls == 1, bound == whole) << bound;
  }
}

TEST(Down, ZstdLaterOnLeavesWhatCameBefore) {
  const Bytes good = test::build({}, three(0));
  const Bytes in =
      log_of({good, test::build({.base_offset = Offset{3}, .compression = Codec::kZstd}, three(3))});
  const auto [result, out] = convert(in, 1);
  EXPECT_EQ(result.fault.kind, FaultKind::kUnsupportedCodec);
  EXPECT_EQ(result.consumed, good.size());
  EXPECT_EQ(test::read_all(out).records.size(), 3u);
}

TEST(Down, DamageAndCutsDoNoHarm) {
  test::Dice dice(9);
  for (const Codec codec : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4}) {
    const Bytes whole = log_of({test::build({}, three(0)), test::some_batch(dice, 2, codec)});
    for (int round = 0; round < 300; ++round) {
      Bytes bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(dice.below(whole.size() + 1)));
      if (!bytes.empty()) bytes[dice.below(bytes.size())] ^= static_cast<std::uint8_t>(1 << dice.below(8));
      const auto [result, out] = convert(bytes, static_cast<std::int8_t>(dice.below(2)), 0, 1 << 20);
      EXPECT_LE(result.consumed, bytes.size());
      EXPECT_LE(test::read_all(out).batches.size(), bytes.size());
    }
  }
}

TEST(Down, SpoiledBatchesAreNotSealedAnew) {
  Bytes in = test::build({}, three(0));
  in[100] ^= 1;
  const auto [result, out] = convert(in, 1);
  EXPECT_EQ(result.fault.kind, FaultKind::kChecksum);
  EXPECT_TRUE(out.empty());
}

TEST(Down, FetchVersionsAndTheirMagics) {
  EXPECT_EQ(magic_of_fetch(0), 0);
  EXPECT_EQ(magic_of_fetch(1), 0);
  EXPECT_EQ(magic_of_fetch(2), 1);
  EXPECT_EQ(magic_of_fetch(3), 1);
  EXPECT_EQ(magic_of_fetch(4), 2);
}

}  // namespace
}  // namespace moldau::record
