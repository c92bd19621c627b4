#include "record/test_batches.h"

#include "base/check.h"
#include "tests/support/golden.h"

namespace moldau::record::test {
namespace {

NullableCopy owned(const NullableBytes& bytes) {
  if (!bytes) return std::nullopt;
  return Bytes(bytes->begin(), bytes->end());
}

NullableBytes view(const NullableCopy& bytes) {
  if (!bytes) return std::nullopt;
  return ByteView(*bytes);
}

std::string text(const NullableCopy& bytes) { return bytes ? golden::to_hex(*bytes) : "null"; }

RecordCopy record_of(const boost::json::object& line) {
  RecordCopy record{.offset = golden::number(line, "offset"),
                    .timestamp = golden::number(line, "timestamp"),
                    .key = nullable_hex(line.at("key")),
                    .value = nullable_hex(line.at("value")),
                    .headers = {}};
  if (const auto* sequence = line.if_contains("sequence"))
    record.sequence = static_cast<std::int32_t>(sequence->as_int64());
  if (const auto* headers = line.if_contains("headers")) {
    for (const auto& header : headers->as_array()) {
      const auto name = as_bytes(std::string_view(header.as_array()[0].as_string()));
      record.headers.emplace_back(Bytes(name.begin(), name.end()), nullable_hex(header.as_array()[1]));
    }
  }
  return record;
}

Bytes some_bytes(Dice& dice) {
  Bytes bytes(dice.once_in(10) ? dice.below(20'000) : dice.below(60));
  const bool dull = dice.once_in(2);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(dull ? 'a' + dice.below(3) : dice.roll());
  return bytes;
}

NullableCopy perhaps(Dice& dice) {
  if (dice.once_in(4)) return std::nullopt;
  return some_bytes(dice);
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const RecordCopy& record) {
  out << "{offset " << record.offset << " timestamp " << record.timestamp << " key " << text(record.key)
      << " value " << text(record.value) << " sequence " << record.sequence;
  for (const auto& [name, value] : record.headers)
    out << " [" << golden::to_hex(name) << " " << text(value) << "]";
  return out << "}";
}

RecordCopy copy(const Record& record) {
  RecordCopy result{.offset = record.offset.value,
                    .timestamp = record.timestamp,
                    .key = owned(record.key),
                    .value = owned(record.value),
                    .headers = {},
                    .sequence = record.sequence};
  for (const HeaderView header : record.headers)
    result.headers.emplace_back(Bytes(header.key.begin(), header.key.end()), owned(header.value));
  return result;
}

Reading read_all(ByteView in, std::size_t max_bytes) {
  Reading reading;
  Decompressor decompressor(max_bytes);
  BatchIterator batches(in);
  const auto failed = [&](std::string_view why) {
    reading.ok = false;
    reading.why = why;
    return reading;
  };
  while (const auto batch = batches.next()) {
    if (!batch->crc_ok()) return failed("CRC");
    reading.batches.push_back(batch->header());
    RecordIterator records(*batch, decompressor);
    while (const auto record = records.next()) reading.records.push_back(copy(*record));
    if (!records.fault().ok()) return failed(records.fault().message);
  }
  if (!batches.corrupt().empty()) return failed(batches.corrupt());
  return reading;
}

std::vector<RecordCopy> records_of(const boost::json::object& line) {
  std::vector<RecordCopy> records;
  for (const auto& record : line.at("records").as_array()) records.push_back(record_of(record.as_object()));
  return records;
}

NullableCopy nullable_hex(const boost::json::value& value) {
  if (value.is_null()) return std::nullopt;
  return golden::from_hex(std::string_view(value.as_string()));
}

Codec codec_of(std::string_view name) {
  const auto codec = codec_from_name(name);
  CHECK(codec.has_value(), name);
  return *codec;
}

TimestampType timestamp_type_of(std::string_view name) {
  if (name == "CreateTime") return TimestampType::kCreateTime;
  if (name == "LogAppendTime") return TimestampType::kLogAppendTime;
  CHECK(name == "NoTimestampType", name);
  return TimestampType::kNone;
}

std::uint64_t Dice::roll() {
  std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

std::vector<RecordCopy> some_records(Dice& dice, std::int8_t magic) {
  std::vector<RecordCopy> records(1 + dice.below(dice.once_in(5) ? 200 : 10));
  for (std::size_t i = 0; i < records.size(); ++i) {
    RecordCopy& record = records[i];
    record.offset = static_cast<std::int64_t>(i);
    record.key = perhaps(dice);
    record.value = perhaps(dice);
    if (magic > 0)
      record.timestamp =
          dice.once_in(9) ? kNoTimestamp : kNow + static_cast<std::int64_t>(dice.below(100'000));
    for (std::size_t h = magic == 2 && dice.once_in(3) ? dice.below(4) : 0; h > 0; --h)
      record.headers.emplace_back(some_bytes(dice), perhaps(dice));
  }
  return records;
}

Bytes build(const BatchSpec& spec, const std::vector<RecordCopy>& records) {
  BatchBuilder builder(spec);
  for (const RecordCopy& record : records) {
    std::vector<HeaderView> headers;
    for (const auto& [name, value] : record.headers) headers.push_back({name, view(value)});
    builder.append_at(Offset{record.offset}, {.timestamp = record.timestamp,
                                              .key = view(record.key),
                                              .value = view(record.value),
                                              .headers = headers});
  }
  Compressor compressor;
  return std::move(builder).finish(compressor);
}

Bytes some_batch(Dice& dice, std::int8_t magic, Codec codec) {
  return build({.magic = magic, .compression = codec}, some_records(dice, magic));
}

}  // namespace moldau::record::test
