#include "record/builder.h"

#include <gtest/gtest.h>

#include "record/test_batches.h"
#include "tests/support/golden.h"

namespace moldau::record {
namespace {

BatchSpec spec_of(const BatchHeader& header, Offset base) {
  return {.magic = header.magic,
          .base_offset = base,
          .compression = header.codec().value(),
          .timestamp_type = header.timestamp_type(),
          .log_append_time = header.max_timestamp,
          .leader_epoch = header.partition_leader_epoch,
          .producer_id = header.producer_id,
          .producer_epoch = header.producer_epoch,
          .base_sequence = header.base_sequence,
          .transactional = header.transactional(),
          .control = header.control(),
          .delete_horizon_ms = header.delete_horizon_ms()};
}

// The timestamps of magic 2 as they are written, which LogAppendTime hides from readers.
std::vector<std::int64_t> written_timestamps(const BatchView& batch, ByteView records) {
  std::vector<std::int64_t> timestamps;
  const std::uint8_t* p = records.data();
  for (RawRecord raw; p != records.data() + records.size();) {
    EXPECT_EQ(parse_record(p, records.data() + records.size(), raw), "");
    timestamps.push_back(batch.header().base_timestamp + raw.timestamp_delta);
  }
  return timestamps;
}

Bytes content_of(const BatchView& batch) {
  Decompressor decompressor;
  Fault fault;
  const auto content = unpack(batch, decompressor, fault);
  EXPECT_TRUE(fault.ok()) << fault.message;
  return content ? Bytes(content->begin(), content->end()) : Bytes();
}

// The batch written again from what a reader sees of it.
Bytes rebuilt(const BatchView& batch, Compressor& compressor) {
  Decompressor decompressor;
  RecordIterator records(batch, decompressor);
  const Offset base = *records.first_offset();
  const BatchSpec spec = spec_of(batch.header(), base);
  if (batch.header().record_count == 0)
    return empty_batch(spec, batch.header().last_offset, batch.header().max_timestamp);
  std::vector<std::int64_t> timestamps;
  if (batch.header().magic == 2) timestamps = written_timestamps(batch, content_of(batch));
  BatchBuilder builder(spec);
  while (const auto record = records.next()) {
    const auto index = static_cast<std::size_t>(builder.record_count());
    builder.append_at(record->offset,
                      {.timestamp = timestamps.empty() ? record->timestamp : timestamps[index],
                       .key = record->key,
                       .value = record->value,
                       .encoded_headers = record->headers});
  }
  if (batch.header().magic == 2) builder.set_last_offset(batch.header().last_offset);
  return std::move(builder).finish(compressor);
}

class GoldenBatches : public testing::TestWithParam<const char*> {};

TEST_P(GoldenBatches, AreWrittenAsKafkaWritesThem) {
  Compressor compressor;
  golden::for_each(GetParam(), [&](const boost::json::object& line) {
    SCOPED_TRACE(golden::string(line, "case"));
    const Bytes bytes = golden::hex(line, "hex");
    BatchIterator batches(bytes);
    while (const auto want = batches.next()) {
      const Bytes written = rebuilt(*want, compressor);
      if (!want->header().compressed()) {
        EXPECT_EQ(golden::to_hex(written), golden::to_hex(want->bytes()));
        continue;
      }
      const BatchView got(written, parse_header(written).header);
      EXPECT_TRUE(got.crc_ok());
      EXPECT_EQ(content_of(got), content_of(*want));
      // All of the header but what the compressed size decides.
      const auto size_field = at::kSize, crc_field = want->header().magic == 2 ? at::kCrc : legacy_at::kCrc;
      for (std::size_t i = 0; i < want->header().header_size(); ++i) {
        const bool varies = (i >= size_field && i < size_field + 4) || (i >= crc_field && i < crc_field + 4);
        if (!varies) EXPECT_EQ(written[i], want->bytes()[i]) << "byte " << i;
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Batches, GoldenBatches,
                         testing::Values("batches/codecs", "batches/producers", "batches/controls"));

TEST(BatchBuilder, AppendsBehindWhatIsThere) {
  Compressor compressor;
  BatchBuilder first({.base_offset = Offset{10}});
  first.append({.timestamp = 5, .value = ByteView{}});
  BatchBuilder second({.base_offset = Offset{11}, .compression = Codec::kZstd},
                      std::move(first).finish(compressor));
  second.append({.timestamp = 6, .key = ByteView{}});
  BatchBuilder third({.base_offset = Offset{12}}, std::move(second).finish(compressor));
  EXPECT_TRUE(third.empty());
  const auto reading = test::read_all(std::move(third).finish(compressor));
  EXPECT_TRUE(reading.ok) << reading.why;
  EXPECT_EQ(reading.batches.size(), 2u);
  EXPECT_EQ(reading.records.at(1).offset, 11);
}

TEST(BatchBuilder, KnowsWhichOffsetsFit) {
  BatchBuilder builder({.base_offset = Offset{100}});
  EXPECT_FALSE(builder.fits(Offset{99}));
  EXPECT_TRUE(builder.fits(Offset{100}));
  EXPECT_TRUE(builder.fits(Offset{100 + 0x7fffffffll}));
  EXPECT_FALSE(builder.fits(Offset{101 + 0x7fffffffll}));
  EXPECT_FALSE(builder.fits(Offset{std::numeric_limits<std::int64_t>::max()}));
  builder.append({});
  EXPECT_FALSE(builder.fits(Offset{100}));
}

TEST(BatchBuilder, SizeBoundHolds) {
  test::Dice dice(5);
  for (const std::int8_t magic : {0, 1, 2}) {
    BatchBuilder builder({.magic = magic});
    for (const auto& record : test::some_records(dice, 0)) {
      const NewRecord added{.timestamp = 1'700'000'000'000,
                            .key = record.key ? NullableBytes(*record.key) : std::nullopt,
                            .value = record.value ? NullableBytes(*record.value) : std::nullopt};
      const std::size_t before = builder.uncompressed_size();
      builder.append(added);
      EXPECT_LE(builder.uncompressed_size() - before, BatchBuilder::size_bound(added));
    }
  }
}

}  // namespace
}  // namespace moldau::record
