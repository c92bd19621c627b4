#include "record/convert.h"

#include <limits>
#include <optional>
#include <utility>

#include "base/check.h"
#include "record/builder.h"

namespace moldau::record {
namespace {

class DownConverter {
 public:
  DownConverter(std::int8_t to_magic, Offset first_offset, Decompressor& decompressor, Compressor& compressor)
      : to_magic_(to_magic),
        first_offset_(first_offset),
        decompressor_(decompressor),
        compressor_(compressor) {}

  // Appends the batch to `out` in the old form, if it has one. Returns the number of records converted.
  std::int64_t convert(const BatchView& batch, Bytes& out, Fault& fault) {
    const BatchHeader& header = batch.header();
    // A new CRC over what the disk has spoiled would hide it from the reader.
    if (!batch.crc_ok()) {
      fault = {FaultKind::kChecksum, "a batch whose CRC is wrong"};
      return 0;
    }
    if (header.control()) return 0;
    if (header.codec() == Codec::kZstd) {
      fault = {FaultKind::kUnsupportedCodec, "a zstd batch has no form that this old fetch version can read"};
      return 0;
    }
    if (header.magic <= to_magic_) {
      out.insert(out.end(), batch.bytes().begin(), batch.bytes().end());
      return 0;
    }
    return rewrite(batch, out, fault);
  }

  Offset last() const { return last_; }  // of the records rewritten

 private:
  std::int64_t rewrite(const BatchView& batch, Bytes& out, Fault& fault) {
    std::optional<BatchBuilder> builder;
    RecordIterator records(batch, decompressor_);
    while (auto record = records.next()) {
      if (!batch.header().compressed() && record->offset < first_offset_) continue;
      // NOLINTNEXTLINE(bugprone-use-after-move): moved from once, by the first record
      if (!builder) builder.emplace(spec(batch.header(), record->offset), std::move(out));
      if (!builder->fits(record->offset)) {
        fault = {FaultKind::kStructure, "offsets that do not ascend in a batch"};
        break;
      }
      last_ = record->offset;
      builder->append_at(record->offset,
                         {.timestamp = record->timestamp, .key = record->key, .value = record->value});
    }
    if (fault.ok()) fault = records.fault();
    if (!builder) return 0;
    const std::int64_t count = builder->record_count();
    out = std::move(*builder).finish(compressor_);
    return fault.ok() ? count : 0;
  }

  BatchSpec spec(const BatchHeader& header, Offset first) const {
    return {.magic = to_magic_,
            .base_offset = first,
            .compression = header.codec().value_or(Codec::kNone),
            .timestamp_type = header.timestamp_type(),
            .log_append_time = header.max_timestamp};
  }

  std::int8_t to_magic_;
  Offset first_offset_;
  Offset last_{std::numeric_limits<std::int64_t>::max()};
  Decompressor& decompressor_;
  Compressor& compressor_;
};

}  // namespace

DownConversion down_convert(ByteView in, std::int8_t to_magic, Offset first_offset, std::size_t max_bytes,
                            Decompressor& decompressor, Compressor& compressor, Bytes& out) {
  CHECK(to_magic == 0 || to_magic == 1);
  DownConversion done;
  DownConverter converter(to_magic, first_offset, decompressor, compressor);
  const std::size_t start = out.size();
  BatchIterator batches(in);
  while (auto batch = batches.next()) {
    const std::size_t before = out.size();
    const std::int64_t records = converter.convert(*batch, out, done.fault);
    // Compaction may have taken what followed in it.
    if (records > 0 && converter.last() < first_offset) out.resize(before);
    const bool too_much = before > start && out.size() - start > max_bytes;
    if (!done.fault.ok() || too_much) {
      out.resize(before);
      return done;
    }
    if (out.size() > before) done.records += records;
    done.consumed = batches.position();
  }
  if (!batches.corrupt().empty()) done.fault = {FaultKind::kStructure, std::string(batches.corrupt())};
  return done;
}

}  // namespace moldau::record
