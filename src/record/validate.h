// What becomes of records before they enter a log: refused, left where they lie, or written anew.
// Pure but for the bytes it is given: in place, it may correct a batch's timestamp type, max timestamp and
// CRC. One thread. (Kafka: ProduceRequest.validateRecords, UnifiedLog.analyzeAndValidateRecords,
// LogValidator.)
//
//   magic 2, codec kept ── CRC, header, walk over the records ──→ in place: the log patches base offset and
//   epoch magic 2, codec changed, or offset deltas with gaps ─────────→ new bytes, magic 2 magic 0 and 1 (old
//   producers) ──────────────────────────────→ new bytes, one batch of magic 2
//
// Compressed batches are unpacked once and walked, never decoded into records, unless they are rewritten.
#pragma once

#include <cstdint>
#include <expected>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "record/batch.h"
#include "record/compression.h"
#include "record/records.h"
#include "wire/errors.h"

namespace moldau::record {

enum class Origin : std::uint8_t {
  kClient,       // Produce: nothing is believed
  kCoordinator,  // our own group and transaction coordinators: control batches allowed
};

struct ProduceRules {
  Origin origin = Origin::kClient;
  std::int16_t produce_version =
      3;                   // of the request; from 3 on exactly one batch of magic 2, below 7 no zstd
  bool compacted = false;  // cleanup.policy has compact: every record needs a key
  std::optional<Compression> compression{};                   // compression.type; nothing for "producer"
  TimestampType timestamp_type = TimestampType::kCreateTime;  // message.timestamp.type
  // message.timestamp.before.max.ms and .after.max.ms
  std::int64_t before_max_ms = std::numeric_limits<std::int64_t>::max();
  std::int64_t after_max_ms = std::numeric_limits<std::int64_t>::max();
  std::int32_t max_batch_bytes = std::numeric_limits<std::int32_t>::max();    // max.message.bytes
  std::int32_t max_segment_bytes = std::numeric_limits<std::int32_t>::max();  // segment.bytes
  std::int64_t now_ms = 0;
};

struct RecordError {
  std::int32_t index = 0;  // within the batch
  std::string message;
  bool operator==(const RecordError&) const = default;
};

struct Rejection {
  wire::ErrorCode code;
  std::string message;
  std::vector<RecordError> records{};  // Produce 8 and later tell them
};

// One batch of magic 2, whose base offset and leader epoch the log still has to set (set_offset,
// set_leader_epoch). Without a whole batch in the input (Produce 0 to 2 may have none) there is nothing to
// append: empty().
struct Accepted {
  MutableBytes kept{};                        // in place: a front part of the caller's buffer
  Bytes rewritten{};                          // else
  BatchHeader header{};                       // of bytes(), as it now is
  std::int64_t max_timestamp = kNoTimestamp;  // ms, of the records, or the append time
  std::int64_t converted_records = 0;         // 0 in place

  MutableBytes bytes() { return rewritten.empty() ? kept : MutableBytes(rewritten); }
  bool in_place() const { return rewritten.empty(); }
  bool empty() const { return kept.empty() && rewritten.empty(); }
  // How many offsets the batch takes.
  std::int32_t record_count() const { return empty() ? 0 : header.record_count; }
};

// The tools of validation, one set per loop.
struct Workbench {
  Decompressor decompressor;
  Compressor compressor;
};

std::expected<Accepted, Rejection> validate_produce(MutableBytes in, const ProduceRules& rules,
                                                    Workbench& bench);

// Records that another broker has validated already: a follower's fetch, or a log read again. Whole batches
// with right CRCs and ascending offsets; nothing is unpacked or changed. `bytes` is the input without a cut
// last batch.
struct Replicated {
  ByteView bytes;
  Offset first_offset = kNoOffset;  // of magic 0 and 1: the last offset of the first batch
  Offset last_offset = kNoOffset;
  LeaderEpoch last_epoch = kNoLeaderEpoch;
  std::int64_t max_timestamp = kNoTimestamp;
  Offset offset_of_max_timestamp = kNoOffset;  // the last offset of the first batch that has it
  std::int32_t batches = 0;
};
std::expected<Replicated, Rejection> validate_replicated(ByteView in);

}  // namespace moldau::record
