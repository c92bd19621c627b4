#include "record/builder.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"

namespace moldau::record {
namespace {

constexpr std::size_t kLengthBytes = sizeof(std::int32_t);

std::size_t sized_varint(const NullableBytes& bytes) {
  const std::int32_t size = bytes ? static_cast<std::int32_t>(bytes->size()) : -1;
  return varint_size(size) + (bytes ? bytes->size() : 0);
}

std::uint8_t* put(std::uint8_t* to, ByteView bytes) { return std::copy(bytes.begin(), bytes.end(), to); }

std::uint8_t* put_sized_varint(std::uint8_t* to, const NullableBytes& bytes) {
  if (!bytes) return write_varint(to, -1);
  return put(write_varint(to, static_cast<std::int32_t>(bytes->size())), *bytes);
}

std::uint8_t* put_sized_int32(std::uint8_t* to, const NullableBytes& bytes) {
  store_be(to, bytes ? static_cast<std::int32_t>(bytes->size()) : -1);
  to += kLengthBytes;
  return bytes ? put(to, *bytes) : to;
}

std::size_t headers_size(const NewRecord& record) {
  std::size_t size = record.encoded_headers.encoded().size();
  for (const HeaderView& header : record.headers)
    size += sized_varint(header.key) + sized_varint(header.value);
  return size;
}

std::int32_t header_count(const NewRecord& record) {
  return record.encoded_headers.size() + static_cast<std::int32_t>(record.headers.size());
}

std::uint8_t* put_headers(std::uint8_t* to, const NewRecord& record) {
  to = write_varint(to, header_count(record));
  to = put(to, record.encoded_headers.encoded());
  for (const HeaderView& header : record.headers)
    to = put_sized_varint(put_sized_varint(to, header.key), header.value);
  return to;
}

std::uint16_t attributes_of(const BatchSpec& spec) {
  std::uint16_t bits = static_cast<std::uint16_t>(spec.compression.codec);
  if (spec.timestamp_type == TimestampType::kLogAppendTime) bits |= kAppendTimeBit;
  if (spec.transactional) bits |= kTransactionalBit;
  if (spec.control) bits |= kControlBit;
  if (spec.delete_horizon_ms) bits |= kDeleteHorizonBit;
  return bits;
}

// Magic 0 has no timestamp, so no type of it either.
std::uint8_t legacy_attributes(const BatchSpec& spec, Codec codec) {
  const bool append_time = spec.magic == 1 && spec.timestamp_type == TimestampType::kLogAppendTime;
  return static_cast<std::uint8_t>(static_cast<unsigned>(codec) | (append_time ? kAppendTimeBit : 0u));
}

// REQUIRES: kHeaderSizeV2 bytes at the front of `batch`, which is the whole batch.
void write_header_v2(MutableBytes batch, const BatchSpec& spec, Offset last, std::int64_t base_timestamp,
                     std::int64_t max_timestamp, std::int32_t count) {
  std::uint8_t* const p = batch.data();
  store_be(p + at::kBaseOffset, spec.base_offset.value);
  store_be(p + at::kSize, static_cast<std::int32_t>(batch.size() - kSizePrefix));
  store_be(p + at::kLeaderEpoch, spec.leader_epoch.value);
  p[kMagicAt] = 2;
  store_be(p + at::kAttributes, attributes_of(spec));
  store_be(p + at::kLastOffsetDelta, static_cast<std::int32_t>(last - spec.base_offset));
  store_be(p + at::kBaseTimestamp, base_timestamp);
  store_be(p + at::kMaxTimestamp, max_timestamp);
  store_be(p + at::kProducerId, spec.producer_id.value);
  store_be(p + at::kProducerEpoch, spec.producer_epoch.value);
  store_be(p + at::kBaseSequence, spec.base_sequence);
  store_be(p + at::kCount, count);
  seal_crc(batch);
}

// Everything of a message of magic 0 or 1 before its key, but the CRC.
void write_header_legacy(std::uint8_t* p, const BatchSpec& spec, Codec codec, std::int64_t offset,
                         std::size_t size, std::int64_t timestamp) {
  store_be(p + legacy_at::kOffset, offset);
  store_be(p + at::kSize, static_cast<std::int32_t>(size - kSizePrefix));
  p[kMagicAt] = static_cast<std::uint8_t>(spec.magic);
  p[legacy_at::kAttributes] = legacy_attributes(spec, codec);
  if (spec.magic == 1) store_be(p + legacy_at::kTimestamp, timestamp);
}

std::size_t legacy_header_size(std::int8_t magic) { return magic == 1 ? kHeaderSizeV1 : kHeaderSizeV0; }

}  // namespace

BatchBuilder::BatchBuilder(const BatchSpec& spec, Bytes into)
    : spec_(spec),
      out_(std::move(into)),
      start_(out_.size()),
      next_offset_(spec.base_offset),
      last_offset_(spec.base_offset - 1) {
  CHECK(spec.magic >= 0 && spec.magic <= 2);
  CHECK(spec.magic == 2 || (!spec.transactional && !spec.control && !spec.delete_horizon_ms));
  if (spec.delete_horizon_ms) base_timestamp_ = *spec.delete_horizon_ms;
  out_.resize(start_ + front_size());
}

// What comes before the records: the header, or that of a wrapper and the lengths of its null key and its
// value.
std::size_t BatchBuilder::front_size() const {
  if (spec_.magic >= 2) return kHeaderSizeV2;
  return wraps() ? legacy_header_size(spec_.magic) + 2 * kLengthBytes : 0;
}

std::size_t BatchBuilder::size_bound(const NewRecord& record) {
  constexpr std::size_t kOverhead = kHeaderSizeV1 + 2 * kLengthBytes + kMaxVarlongBytes;
  return kOverhead + (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0) +
         headers_size(record);
}

bool BatchBuilder::fits(Offset offset) const {
  constexpr std::int64_t kMaxDelta = std::numeric_limits<std::int32_t>::max();
  if (offset < next_offset_ || offset.value == std::numeric_limits<std::int64_t>::max()) return false;
  // Unsigned: the two may lie further apart than a signed difference can say.
  const auto delta =
      static_cast<std::uint64_t>(offset.value) - static_cast<std::uint64_t>(spec_.base_offset.value);
  return delta <= kMaxDelta;
}

void BatchBuilder::append_at(Offset offset, const NewRecord& record) {
  CHECK(fits(offset), "offsets in a batch ascend within 2^31 of its base");
  if (count_ == 0 && !spec_.delete_horizon_ms) base_timestamp_ = record.timestamp;
  if (spec_.magic >= 2)
    append_v2(offset, record);
  else
    append_legacy(offset, record);
  ++count_;
  last_offset_ = offset;
  next_offset_ = offset + 1;
  max_timestamp_ = std::max(max_timestamp_, spec_.magic == 0 ? kNoTimestamp : record.timestamp);
}

void BatchBuilder::append_v2(Offset offset, const NewRecord& record) {
  const auto offset_delta = static_cast<std::int32_t>(offset - spec_.base_offset);
  const auto timestamp_delta = static_cast<std::int64_t>(static_cast<std::uint64_t>(record.timestamp) -
                                                         static_cast<std::uint64_t>(base_timestamp_));
  const std::size_t body = 1 + varlong_size(timestamp_delta) + varint_size(offset_delta) +
                           sized_varint(record.key) + sized_varint(record.value) +
                           varint_size(header_count(record)) + headers_size(record);
  const auto body_size = static_cast<std::int32_t>(body);
  const std::size_t begin = out_.size();
  out_.resize(begin + varint_size(body_size) + body);

  std::uint8_t* p = write_varint(out_.data() + begin, body_size);
  *p++ = 0;  // attributes
  p = write_varint(write_varlong(p, timestamp_delta), offset_delta);
  p = put_sized_varint(put_sized_varint(p, record.key), record.value);
  p = put_headers(p, record);
  CHECK(p == out_.data() + out_.size());
}

void BatchBuilder::append_legacy(Offset offset, const NewRecord& record) {
  const std::size_t header = legacy_header_size(spec_.magic);
  const std::size_t size = header + 2 * kLengthBytes + (record.key ? record.key->size() : 0) +
                           (record.value ? record.value->size() : 0);
  const bool relative = spec_.magic == 1 && wraps();
  const std::int64_t written = relative ? offset - spec_.base_offset : offset.value;
  const bool append_time = spec_.timestamp_type == TimestampType::kLogAppendTime;
  const std::size_t begin = out_.size();
  out_.resize(begin + size);
  const MutableBytes message = MutableBytes(out_).subspan(begin);
  write_header_legacy(message.data(), spec_, Codec::kNone, written, size,
                      append_time ? spec_.log_append_time : record.timestamp);
  put_sized_int32(put_sized_int32(message.data() + header, record.key), record.value);
  seal_crc(message);
}

Bytes BatchBuilder::finish(Compressor& compressor) && {
  if (count_ == 0) {
    out_.resize(start_);
    return std::move(out_);
  }
  if (spec_.compression.codec != Codec::kNone) {
    const std::size_t front = start_ + front_size();
    const Bytes records(out_.begin() + static_cast<std::ptrdiff_t>(front), out_.end());
    out_.resize(front);
    compressor.compress(spec_.compression, spec_.magic, records, out_);
  }
  write_front();
  return std::move(out_);
}

void BatchBuilder::write_front() {
  if (spec_.magic >= 2)
    write_front_v2();
  else if (wraps())
    write_wrapper();
}

void BatchBuilder::write_front_v2() {
  const bool append_time = spec_.timestamp_type == TimestampType::kLogAppendTime;
  write_header_v2(MutableBytes(out_).subspan(start_), spec_, last_offset_, base_timestamp_,
                  append_time ? spec_.log_append_time : max_timestamp_, count_);
}

void BatchBuilder::write_wrapper() {
  const MutableBytes wrapper = MutableBytes(out_).subspan(start_);
  const bool append_time = spec_.timestamp_type == TimestampType::kLogAppendTime;
  write_header_legacy(wrapper.data(), spec_, spec_.compression.codec, last_offset_.value, wrapper.size(),
                      append_time ? spec_.log_append_time : max_timestamp_);
  std::uint8_t* const lengths = wrapper.data() + legacy_header_size(spec_.magic);
  store_be(lengths, std::int32_t{-1});
  store_be(lengths + kLengthBytes, static_cast<std::int32_t>(wrapper.size() - front_size()));
  seal_crc(wrapper);
}

Bytes empty_batch(const BatchSpec& spec, Offset last_offset, std::int64_t max_timestamp) {
  CHECK(spec.magic == 2 && spec.compression.codec == Codec::kNone);
  Bytes batch(kHeaderSizeV2);
  write_header_v2(batch, spec, last_offset, spec.delete_horizon_ms.value_or(kNoTimestamp), max_timestamp, 0);
  return batch;
}

}  // namespace moldau::record
