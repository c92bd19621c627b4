// A record batch of magic 2, built once and sent many times. Values are printable pseudo-random bytes from a
// fixed seed; keys are null, there are no headers, and every record has timestamp delta 0.
//
//   0 base offset int64 | 8 length int32 | 12 leader epoch int32 | 16 magic int8 | 17 crc int32 |
//   21 attributes int16 | 23 last offset delta int32 | 27 base timestamp int64 | 35 max timestamp int64 |
//   43 producer id int64 | 51 producer epoch int16 | 53 base sequence int32 | 57 records int32 | 61
//   records... record: varint length | int8 attributes | varlong timestamp delta | varint offset delta |
//           varint key length (-1) | varint value length | value | varint headers (0)
// The CRC-32C covers everything from the attributes on.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace moldau::bench {

inline constexpr std::size_t kBatchHeaderBytes = 61;
inline constexpr std::size_t kStampBytes = 8;

struct BatchSpec {
  std::int32_t records = 1;
  std::int32_t value_bytes = 100;
  std::int64_t timestamp_ms = 0;
};

struct Batch {
  Bytes bytes;
  std::vector<std::size_t> values;  // where each record's value starts in `bytes`
};

// REQUIRES: records >= 1, value_bytes >= 0.
Batch build_batch(const BatchSpec& spec);

// Writes `stamp` into the first 8 bytes of every value, sets the timestamps, and renews the CRC.
// REQUIRES: every value has at least kStampBytes bytes.
void stamp_batch(Batch& batch, std::int64_t stamp, std::int64_t timestamp_ms);

// Calls visit(value) for every record of the whole batch `bytes`; false when the bytes are no such batch or
// are compressed. The CRC is not checked: the unit tests do, the hot loop need not.
template <typename Visit>
bool for_each_value(ByteView bytes, Visit visit);

// One whole batch at the front of `bytes`, by its header; size 0 when there is none (a cut tail is usual in a
// fetch).
struct BatchHead {
  std::int64_t base_offset = 0;
  std::int64_t next_offset = 0;
  std::int32_t records = 0;
  std::size_t size = 0;
};
BatchHead peek_batch(ByteView bytes);

// The value inside the record at the front of `bytes`, and the record's whole size (0: malformed).
struct RecordView {
  ByteView value;
  std::size_t size = 0;
};
RecordView peek_record(ByteView bytes);

template <typename Visit>
bool for_each_value(ByteView bytes, Visit visit) {
  const BatchHead head = peek_batch(bytes);
  if (head.size == 0 || (load_be<std::int16_t>(&bytes[21]) & 7) != 0) return false;
  ByteView rest = bytes.subspan(kBatchHeaderBytes, head.size - kBatchHeaderBytes);
  for (std::int32_t i = 0; i < head.records; ++i) {
    const RecordView record = peek_record(rest);
    if (record.size == 0) return false;
    visit(record.value);
    rest = rest.subspan(record.size);
  }
  return rest.empty();
}

}  // namespace moldau::bench
