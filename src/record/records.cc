#include "record/records.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace moldau::record {
namespace {

// Java's long arithmetic: hostile deltas wrap instead of overflowing.
std::int64_t wrapping_add(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

constexpr std::size_t kMessageMagicAt = kMagicAt;  // an inner message has the same prefix as a batch

FaultKind kind_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
      return FaultKind::kTooLarge;
    case ErrorKind::kUnsupported:
      return FaultKind::kUnsupportedCodec;
    default:
      return FaultKind::kCompression;
  }
}

// A nullable byte string with an int32 length at `at`; moves behind it. False when it does not fit.
bool take_sized(ByteView in, std::size_t& at, NullableBytes& out) {
  if (in.size() - at < sizeof(std::int32_t)) return false;
  const auto size = load_be<std::int32_t>(in.data() + at);
  at += sizeof size;
  out = std::nullopt;
  if (size < 0) return true;
  const auto length = static_cast<std::size_t>(size);
  if (in.size() - at < length) return false;
  out = in.subspan(at, length);
  at += length;
  return true;
}

// One whole message of magic 0 or 1 at the front of `in`, with its 12 bytes in front; nothing when it is cut.
std::optional<ByteView> front_message(ByteView in) {
  if (in.size() < kSizePrefix) return std::nullopt;
  const auto size = load_be<std::int32_t>(in.data() + at::kSize);
  if (size < 0 || static_cast<std::size_t>(size) > in.size() - kSizePrefix) return std::nullopt;
  return in.first(kSizePrefix + static_cast<std::size_t>(size));
}

}  // namespace

std::optional<ByteView> unpack(const BatchView& batch, Decompressor& decompressor, Fault& fault) {
  const BatchHeader& header = batch.header();
  const auto refuse = [&](FaultKind kind, std::string what) {
    fault = {kind, std::move(what)};
    return std::nullopt;
  };
  const auto codec = header.codec();
  if (!codec)
    return refuse(FaultKind::kUnsupportedCodec,
                  "unknown compression codec " + std::to_string(header.attributes & kCodecMask));
  ByteView packed = batch.payload();
  if (header.magic < 2) {
    if (*codec == Codec::kZstd)
      return refuse(FaultKind::kStructure, "zstd in a message of magic " + std::to_string(header.magic));
    std::size_t at = 0;
    NullableBytes key, value;
    if (!take_sized(packed, at, key) || !take_sized(packed, at, value))
      return refuse(FaultKind::kStructure, "a key or value longer than its message");
    if (!value) return refuse(FaultKind::kStructure, "a compressed message without a value");
    packed = *value;
  }
  auto content = decompressor.decompress(*codec, header.magic, packed);
  if (!content) return refuse(kind_of(content.error().kind), std::move(content.error().message));
  return *content;
}

RecordIterator::RecordIterator(const BatchView& batch, Decompressor& decompressor)
    : batch_(batch), decompressor_(decompressor) {}

std::nullopt_t RecordIterator::stop(FaultKind kind, std::string_view what) {
  fault_ = {kind, std::string(what)};
  return std::nullopt;
}

std::optional<Record> RecordIterator::next() {
  if (!fault_.ok() || (!opened_ && !open())) return std::nullopt;
  return batch_.header().magic >= 2 ? next_v2() : next_legacy();
}

std::optional<Offset> RecordIterator::first_offset() {
  const BatchHeader& header = batch_.header();
  if (header.magic >= 2 || !header.compressed()) return header.base_offset;
  if (!fault_.ok() || (!opened_ && !open())) return std::nullopt;
  return Offset{wrapping_add(base_, load_be<std::int64_t>(rest_.data()))};
}

bool RecordIterator::open() {
  opened_ = true;
  const BatchHeader& header = batch_.header();
  if (header.magic < 2) return open_legacy();
  left_ = header.record_count;
  if (left_ < 0) return stop(FaultKind::kStructure, "a negative number of records"), false;
  if (left_ == 0) return true;
  if (!header.compressed()) {
    rest_ = batch_.payload();
    return true;
  }
  const auto content = unpack(batch_, decompressor_, fault_);
  if (!content) return false;
  rest_ = *content;
  return true;
}

bool RecordIterator::open_legacy() {
  if (!batch_.header().compressed()) {
    rest_ = batch_.bytes();
    return true;
  }
  const auto content = unpack(batch_, decompressor_, fault_);
  if (!content) return false;
  inner_ = true;
  rest_ = *content;
  return survey_legacy();
}

// Finds the last inner offset, by which a wrapper of magic 1 places its messages: its own offset is the last
// one's. Some versions of librdkafka produce wrappers with offset 0; there the inner offsets are taken as
// they are.
bool RecordIterator::survey_legacy() {
  std::optional<std::int64_t> last;
  for (ByteView rest = rest_; auto message = front_message(rest);) {
    if (message->size() < kMinBatchSize)
      return stop(FaultKind::kStructure, "an inner message smaller than its header"), false;
    last = load_be<std::int64_t>(message->data());
    rest = rest.subspan(message->size());
  }
  if (!last) return stop(FaultKind::kStructure, "a compressed message without messages inside"), false;
  const std::int64_t wrapper = batch_.header().last_offset.value;
  if (batch_.header().magic == 1 && wrapper != 0) {
    if (wrapper < *last)
      return stop(FaultKind::kStructure,
                  "a compressed message whose offset is below that of its last inner one"),
             false;
    base_ = wrapping_add(wrapper, static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(*last)));
  }
  return true;
}

std::optional<Record> RecordIterator::next_v2() {
  const BatchHeader& header = batch_.header();
  if (left_ == 0) return std::nullopt;
  const std::uint8_t* p = rest_.data();
  const std::uint8_t* const end = p + rest_.size();
  RawRecord raw;
  if (const auto wrong = parse_record(p, end, raw); !wrong.empty()) return stop(FaultKind::kStructure, wrong);
  rest_ = {p, static_cast<std::size_t>(end - p)};
  if (--left_ == 0 && !rest_.empty())
    return stop(FaultKind::kStructure, "bytes behind the last record of a batch");

  Record record{.offset = Offset{wrapping_add(header.base_offset.value, raw.offset_delta)},
                .timestamp = header.timestamp_type() == TimestampType::kLogAppendTime
                                 ? header.max_timestamp
                                 : wrapping_add(header.base_timestamp, raw.timestamp_delta),
                .sequence = kNoSequence,
                .key = raw.key_view(),
                .value = raw.value_view(),
                .headers = raw.header_list()};
  if (header.base_sequence >= 0) record.sequence = advance_sequence(header.base_sequence, raw.offset_delta);
  return record;
}

std::optional<Record> RecordIterator::next_legacy() {
  if (rest_.empty()) return std::nullopt;
  if (!inner_) return message(std::exchange(rest_, {}), batch_.header().last_offset);
  const auto inner = front_message(rest_);
  // A cut last message ends the set, as it does at the end of a fetched buffer.
  if (!inner) return rest_ = {}, std::nullopt;
  rest_ = rest_.subspan(inner->size());
  const auto magic = static_cast<std::int8_t>((*inner)[kMessageMagicAt]);
  if (magic != batch_.header().magic)
    return stop(FaultKind::kStructure, "an inner message of another magic than its wrapper");
  if (crc32(inner->subspan(kMagicAt)) != load_be<std::uint32_t>(inner->data() + legacy_at::kCrc))
    return stop(FaultKind::kChecksum, "an inner message with a wrong CRC");
  if (((*inner)[legacy_at::kAttributes] & kCodecMask) != 0)
    return stop(FaultKind::kStructure, "a compressed message inside a compressed one");
  return message(*inner, Offset{wrapping_add(base_, load_be<std::int64_t>(inner->data()))});
}

std::optional<Record> RecordIterator::message(ByteView message, Offset offset) {
  const BatchHeader& header = batch_.header();
  std::size_t at = header.header_size();
  Record record;
  record.offset = offset;
  if (message.size() < at || !take_sized(message, at, record.key) || !take_sized(message, at, record.value))
    return stop(FaultKind::kStructure, "a key or value longer than its message");
  if (header.magic == 1) {
    record.timestamp = header.timestamp_type() == TimestampType::kLogAppendTime
                           ? header.max_timestamp
                           : load_be<std::int64_t>(message.data() + legacy_at::kTimestamp);
  }
  return record;
}

std::string_view survey(ByteView records, std::int32_t count, Survey& out) {
  const std::uint8_t* p = records.data();
  const std::uint8_t* const end = p + records.size();
  std::int64_t min_delta = std::numeric_limits<std::int64_t>::max();
  std::int64_t max_delta = std::numeric_limits<std::int64_t>::min();
  std::int32_t misplaced = 0, keys = 0;
  for (std::int32_t i = 0; i < count; ++i) {
    RawRecord record;
    if (const auto wrong = parse_record(p, end, record); !wrong.empty()) return wrong;
    min_delta = std::min(min_delta, record.timestamp_delta);
    max_delta = std::max(max_delta, record.timestamp_delta);
    misplaced |= record.offset_delta ^ i;
    keys |= record.key_size;  // the sign bit stays set once any was negative
  }
  if (p != end) return "bytes behind the last record of a batch";
  out = {.min_timestamp_delta = min_delta,
         .max_timestamp_delta = max_delta,
         .deltas_dense = misplaced == 0,
         .keyless = keys < 0};
  return {};
}

}  // namespace moldau::record
