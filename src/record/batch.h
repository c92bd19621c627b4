// Record batches where they lie: a header decoded from the front of a buffer or file, a view of one whole
// batch, an iterator over consecutive ones, and the few fields that a broker patches in place.
// Always holds: a BatchView spans exactly header().size bytes and at least its magic's header; nothing here
// allocates, decompresses or looks at records. Views own nothing; any thread. (Kafka: DefaultRecordBatch,
// LegacyRecord, ByteBufferLogInputStream.)
//
// Magic 2 (0.11 and later; one batch, 61 bytes of header, then the records, compressed together or not):
//    0 int64  base offset            outside the CRC: the broker assigns it
//    8 int32  size of what follows this field
//   12 int32  partition leader epoch outside the CRC: the broker assigns it
//   16 int8   magic = 2
//   17 uint32 CRC-32C of everything from 21 to the end
//   21 int16  attributes: 0..2 codec, 3 timestamps are the log's append time, 4 transactional, 5 control,
//             6 base timestamp is the delete horizon
//   23 int32  last offset delta
//   27 int64  base timestamp (or delete horizon)
//   35 int64  max timestamp
//   43 int64  producer id     51 int16 producer epoch     53 int32 base sequence
//   57 int32  number of records
//   61        records
//
// Magic 0 and 1 (one message; a compressed one is a wrapper whose value holds the inner messages, and whose
// offset is that of the LAST of them):
//    0 int64  offset
//    8 int32  size of what follows this field
//   12 uint32 CRC-32 of everything from 16 to the end
//   16 int8   magic
//   17 int8   attributes: 0..2 codec, 3 log append time (magic 1)
//   18 int64  timestamp, magic 1 only
//    . int32  key length or -1, key, int32 value length or -1, value
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "base/crc.h"
#include "base/ids.h"

namespace moldau::record {

// Codes as in the attributes of every magic. 5 to 7 are nobody's.
enum class Codec : std::uint8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

// Magic 0 has no timestamps: kNone.
enum class TimestampType : std::int8_t { kNone = -1, kCreateTime = 0, kLogAppendTime = 1 };

inline constexpr std::int64_t kNoTimestamp = -1;
inline constexpr std::int32_t kNoSequence = -1;

inline constexpr std::size_t kSizePrefix = 12;    // offset and size, in front of every batch
inline constexpr std::size_t kMagicAt = 16;       // the same place in all three
inline constexpr std::size_t kHeaderSizeV0 = 18;  // up to the key length
inline constexpr std::size_t kHeaderSizeV1 = 26;
inline constexpr std::size_t kHeaderSizeV2 = 61;  // up to the records
inline constexpr std::size_t kMinBatchSize = kHeaderSizeV0 + 8;
inline constexpr std::size_t kMaxHeaderSize = kHeaderSizeV2;

namespace at {  // positions in magic 2
inline constexpr std::size_t kBaseOffset = 0, kSize = 8, kLeaderEpoch = 12, kCrc = 17, kAttributes = 21,
                             kLastOffsetDelta = 23, kBaseTimestamp = 27, kMaxTimestamp = 35, kProducerId = 43,
                             kProducerEpoch = 51, kBaseSequence = 53, kCount = 57, kRecords = 61;
}  // namespace at
namespace legacy_at {  // positions in magic 0 and 1
inline constexpr std::size_t kOffset = 0, kCrc = 12, kAttributes = 17, kTimestamp = 18;
}  // namespace legacy_at

inline constexpr std::uint16_t kCodecMask = 0x07, kAppendTimeBit = 0x08, kTransactionalBit = 0x10,
                               kControlBit = 0x20, kDeleteHorizonBit = 0x40;

// Sequences run from 0 to 2^31-1 and wrap to 0. REQUIRES: sequence >= 0, count >= 0.
constexpr std::int32_t advance_sequence(std::int32_t sequence, std::int32_t count) {
  const std::int64_t sum = std::int64_t{sequence} + count;
  return static_cast<std::int32_t>(sum & std::numeric_limits<std::int32_t>::max());
}

// What the front of a batch says, for every magic. What magic 0 and 1 do not have is absent (-1, 0, false).
struct BatchHeader {
  Offset
      base_offset;  // magic 0 and 1: = last_offset; a wrapper's true base needs a decompression (records.h)
  Offset last_offset;     // magic 2: base + last_offset_delta, whatever the delta claims
  std::int32_t size = 0;  // bytes of the whole batch, the 12 in front included
  std::int8_t magic = 0;
  std::uint16_t attributes = 0;
  std::uint32_t crc = 0;
  LeaderEpoch partition_leader_epoch = kNoLeaderEpoch;
  std::int32_t last_offset_delta = 0;
  std::int64_t base_timestamp = kNoTimestamp;  // ms; the delete horizon where has_delete_horizon()
  std::int64_t max_timestamp = kNoTimestamp;   // ms; magic 1: the message's or wrapper's
  ProducerId producer_id = kNoProducerId;
  ProducerEpoch producer_epoch = kNoProducerEpoch;
  std::int32_t base_sequence = kNoSequence;
  std::int32_t record_count = -1;  // as claimed; -1 in magic 0 and 1

  // The codec's code; nothing for 5, 6 and 7.
  std::optional<Codec> codec() const {
    const unsigned code = attributes & kCodecMask;
    return code <= 4 ? std::optional(static_cast<Codec>(code)) : std::nullopt;
  }
  bool compressed() const { return (attributes & kCodecMask) != 0; }
  TimestampType timestamp_type() const {
    if (magic == 0) return TimestampType::kNone;
    return attributes & kAppendTimeBit ? TimestampType::kLogAppendTime : TimestampType::kCreateTime;
  }
  bool transactional() const { return magic >= 2 && (attributes & kTransactionalBit); }
  bool control() const { return magic >= 2 && (attributes & kControlBit); }
  bool has_delete_horizon() const { return magic >= 2 && (attributes & kDeleteHorizonBit); }
  std::optional<std::int64_t> delete_horizon_ms() const {
    return has_delete_horizon() ? std::optional(base_timestamp) : std::nullopt;
  }
  bool has_producer_id() const { return producer_id > kNoProducerId; }
  bool has_sequence() const { return base_sequence != kNoSequence; }
  std::int32_t last_sequence() const {
    return has_sequence() ? advance_sequence(base_sequence & 0x7fffffff, last_offset_delta) : kNoSequence;
  }
  Offset next_offset() const { return last_offset + 1; }
  std::size_t header_size() const {
    return magic >= 2 ? kHeaderSizeV2 : magic == 1 ? kHeaderSizeV1 : kHeaderSizeV0;
  }
};

enum class ParseState : std::uint8_t {
  kOk,
  kNeedMore,  // so far nothing wrong; `need` bytes from the batch's start are wanted to go on
  kCorrupt,   // not a batch, or of a magic that is not known; `reason` says what
};

struct ParsedHeader {
  ParseState state = ParseState::kNeedMore;
  std::string_view reason{};  // static text, kCorrupt only
  std::size_t need = 0;       // kNeedMore only
  BatchHeader header{};       // kOk only
};

namespace detail {

inline BatchHeader load_v2(const std::uint8_t* p, std::int32_t size) {
  BatchHeader h;
  h.base_offset = Offset{load_be<std::int64_t>(p + at::kBaseOffset)};
  h.size = size;
  h.magic = 2;
  h.attributes = load_be<std::uint16_t>(p + at::kAttributes);
  h.crc = load_be<std::uint32_t>(p + at::kCrc);
  h.partition_leader_epoch = LeaderEpoch{load_be<std::int32_t>(p + at::kLeaderEpoch)};
  h.last_offset_delta = load_be<std::int32_t>(p + at::kLastOffsetDelta);
  // Unsigned: a hostile base offset may wrap, as it does in Kafka.
  h.last_offset =
      Offset{static_cast<std::int64_t>(static_cast<std::uint64_t>(h.base_offset.value) +
                                       static_cast<std::uint64_t>(std::int64_t{h.last_offset_delta}))};
  h.base_timestamp = load_be<std::int64_t>(p + at::kBaseTimestamp);
  h.max_timestamp = load_be<std::int64_t>(p + at::kMaxTimestamp);
  h.producer_id = ProducerId{load_be<std::int64_t>(p + at::kProducerId)};
  h.producer_epoch = ProducerEpoch{load_be<std::int16_t>(p + at::kProducerEpoch)};
  h.base_sequence = load_be<std::int32_t>(p + at::kBaseSequence);
  h.record_count = load_be<std::int32_t>(p + at::kCount);
  return h;
}

inline BatchHeader load_legacy(const std::uint8_t* p, std::int32_t size, std::int8_t magic) {
  BatchHeader h;
  h.base_offset = h.last_offset = Offset{load_be<std::int64_t>(p + legacy_at::kOffset)};
  h.size = size;
  h.magic = magic;
  h.attributes = p[legacy_at::kAttributes];
  h.crc = load_be<std::uint32_t>(p + legacy_at::kCrc);
  if (magic == 1) h.base_timestamp = h.max_timestamp = load_be<std::int64_t>(p + legacy_at::kTimestamp);
  return h;
}

}  // namespace detail

// Reads the header at the front of `in`, which may end anywhere behind it: kMaxHeaderSize bytes are always
// enough, so a log may read that much from a file. Checks size and magic, not the CRC.
inline ParsedHeader parse_header(ByteView in) {
  const auto corrupt = [](std::string_view why) {
    return ParsedHeader{.state = ParseState::kCorrupt, .reason = why};
  };
  const auto more = [](std::size_t need) { return ParsedHeader{.need = need}; };
  if (in.size() < kSizePrefix) return more(kMagicAt + 1);
  const auto length = load_be<std::int32_t>(in.data() + at::kSize);
  if (length < static_cast<std::int32_t>(kMinBatchSize - kSizePrefix))
    return corrupt("batch size below the smallest possible");
  if (length > std::numeric_limits<std::int32_t>::max() - static_cast<std::int32_t>(kSizePrefix))
    return corrupt("batch size above the largest possible");
  if (in.size() <= kMagicAt) return more(kMagicAt + 1);

  const auto magic = static_cast<std::int8_t>(in[kMagicAt]);
  const auto size = length + static_cast<std::int32_t>(kSizePrefix);
  if (magic < 0 || magic > 2) return corrupt("batch of an unknown magic");
  const std::size_t header = magic == 2 ? kHeaderSizeV2 : magic == 1 ? kHeaderSizeV1 : kHeaderSizeV0;
  const std::size_t smallest = magic == 2 ? header : header + 8;
  if (static_cast<std::size_t>(size) < smallest) return corrupt("batch size below its magic's header");
  if (in.size() < header) return more(header);
  return {
      .state = ParseState::kOk,
      .header = magic == 2 ? detail::load_v2(in.data(), size) : detail::load_legacy(in.data(), size, magic)};
}

// One whole batch in a buffer that somebody else owns.
class BatchView {
 public:
  BatchView() = default;
  // REQUIRES: `header` was parsed from the front of `bytes`, which are exactly header.size long.
  BatchView(ByteView bytes, const BatchHeader& header) : bytes_(bytes), header_(header) {
    CHECK(bytes.size() == static_cast<std::size_t>(header.size));
  }

  const BatchHeader& header() const { return header_; }
  ByteView bytes() const { return bytes_; }
  // Magic 2: the records, compressed or not. Magic 0 and 1: key length, key, value length, value.
  ByteView payload() const { return bytes_.subspan(header_.header_size()); }

  std::uint32_t compute_crc() const {
    return header_.magic >= 2 ? crc32c(bytes_.subspan(at::kAttributes)) : crc32(bytes_.subspan(kMagicAt));
  }
  bool crc_ok() const { return compute_crc() == header_.crc; }

 private:
  ByteView bytes_;
  BatchHeader header_;
};

// Walks the whole batches of a buffer in order:
//   for (BatchIterator it(bytes); auto batch = it.next();) …
// It ends at the buffer's end, before a partial last batch (left_over() counts its bytes: a fetch or a torn
// log may end so), or at something that is no batch (corrupt() says what). position() counts whole batches'
// bytes.
class BatchIterator {
 public:
  explicit BatchIterator(ByteView in) : in_(in) {}

  std::optional<BatchView> next() {
    if (!corrupt_.empty() || position_ == in_.size()) return std::nullopt;
    const ByteView rest = in_.subspan(position_);
    const ParsedHeader parsed = parse_header(rest);
    if (parsed.state == ParseState::kCorrupt) corrupt_ = parsed.reason;
    if (parsed.state != ParseState::kOk) return std::nullopt;
    const auto size = static_cast<std::size_t>(parsed.header.size);
    if (size > rest.size()) return std::nullopt;
    position_ += size;
    return BatchView(rest.first(size), parsed.header);
  }

  std::size_t position() const { return position_; }
  std::size_t left_over() const { return in_.size() - position_; }
  std::string_view corrupt() const { return corrupt_; }

 private:
  ByteView in_;
  std::size_t position_ = 0;
  std::string_view corrupt_;
};

// ---- What a broker changes in place. REQUIRES for each: `batch` is one whole batch of the magic named. ----

// The CRC of the batch as it is now, written into it. Any magic.
inline void seal_crc(MutableBytes batch) {
  if (batch[kMagicAt] >= 2)
    store_be(batch.data() + at::kCrc, crc32c(batch.subspan(at::kAttributes)));
  else
    store_be(batch.data() + legacy_at::kCrc, crc32(batch.subspan(kMagicAt)));
}

// Magic 2: gives the first record this offset. Magic 0 and 1: sets the offset field, that is the last
// (wrapper) or only message's offset. Outside the CRC in all of them.
inline void set_offset(MutableBytes batch, Offset offset) {
  store_be(batch.data() + at::kBaseOffset, offset.value);
}

// Magic 2 only; outside the CRC.
inline void set_leader_epoch(MutableBytes batch, LeaderEpoch epoch) {
  store_be(batch.data() + at::kLeaderEpoch, epoch.value);
}

// Magic 1 and 2: sets the timestamp type and the max timestamp (of magic 1: the timestamp), and the CRC if
// anything changed. With kLogAppendTime every record then has `max_timestamp`, whatever is written in it.
inline void set_max_timestamp(MutableBytes batch, TimestampType type, std::int64_t max_timestamp) {
  const bool v2 = batch[kMagicAt] >= 2;
  std::uint8_t& attributes = batch[v2 ? at::kAttributes + 1 : legacy_at::kAttributes];
  std::uint8_t* const timestamp = batch.data() + (v2 ? at::kMaxTimestamp : legacy_at::kTimestamp);
  const auto flags = static_cast<std::uint8_t>(
      type == TimestampType::kLogAppendTime ? attributes | kAppendTimeBit : attributes & ~kAppendTimeBit);
  if (attributes == flags && load_be<std::int64_t>(timestamp) == max_timestamp) return;
  attributes = flags;
  store_be(timestamp, max_timestamp);
  seal_crc(batch);
}

}  // namespace moldau::record
