// Writes batches: magic 2 as one batch, magic 0 and 1 as a row of messages or, compressed, one wrapper.
//   BatchBuilder builder({.base_offset = offset, .compression = Codec::kLz4});
//   builder.append({.timestamp = now, .key = key, .value = value});
//   Bytes bytes = std::move(builder).finish(compressor);
// Offsets ascend from base_offset; each append without an offset takes the next one. One thread.
// (Kafka: MemoryRecordsBuilder.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/ids.h"
#include "record/batch.h"
#include "record/compression.h"
#include "record/record.h"

namespace moldau::record {

// What a batch says of all its records. Below magic 2 only base_offset, compression, timestamp_type and
// log_append_time count.
struct BatchSpec {
  std::int8_t magic = 2;
  Offset base_offset{0};
  Compression compression{};
  TimestampType timestamp_type = TimestampType::kCreateTime;
  std::int64_t log_append_time =
      kNoTimestamp;  // ms; with kLogAppendTime, the time that every record then has
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  ProducerId producer_id = kNoProducerId;
  ProducerEpoch producer_epoch = kNoProducerEpoch;
  std::int32_t base_sequence = kNoSequence;
  bool transactional = false;
  bool control = false;
  std::optional<std::int64_t> delete_horizon_ms{};  // becomes the base timestamp (KIP-534)
};

// A record to write. Headers come as a list of their own or as they lie in another batch; old magics drop
// them.
struct NewRecord {
  std::int64_t timestamp = kNoTimestamp;
  NullableBytes key{};
  NullableBytes value{};
  std::span<const HeaderView> headers{};
  HeaderList encoded_headers{};
};

class BatchBuilder {
 public:
  // Appends behind what `into` already holds, and keeps its capacity.
  explicit BatchBuilder(const BatchSpec& spec, Bytes into = {});

  void append(const NewRecord& record) { append_at(next_offset_, record); }
  // Ascending, and within 2^31 of the base: what append_at takes.
  bool fits(Offset offset) const;
  // REQUIRES: fits(offset).
  void append_at(Offset offset, const NewRecord& record);

  std::int32_t record_count() const { return count_; }
  bool empty() const { return count_ == 0; }
  Offset next_offset() const { return next_offset_; }
  std::int64_t max_timestamp() const { return max_timestamp_; }  // of the records written, ms; -1 for none
  // Bytes that the batch has so far, its header and the records before compression.
  std::size_t uncompressed_size() const { return out_.size() - start_; }
  // What one more record would add to that, at most.
  static std::size_t size_bound(const NewRecord& record);

  // Compaction keeps a batch's offset range although its last records are gone. Magic 2 only.
  void set_last_offset(Offset last) { last_offset_ = last; }

  // The bytes: what `into` held, then the batch. An empty builder adds nothing.
  Bytes finish(Compressor& compressor) &&;

 private:
  bool wraps() const { return spec_.magic < 2 && spec_.compression.codec != Codec::kNone; }
  std::size_t front_size() const;
  void append_v2(Offset offset, const NewRecord& record);
  void append_legacy(Offset offset, const NewRecord& record);
  void write_front();
  void write_front_v2();
  void write_wrapper();

  BatchSpec spec_;
  Bytes out_;
  std::size_t start_;
  Offset next_offset_;
  Offset last_offset_;
  std::int32_t count_ = 0;
  std::int64_t base_timestamp_ = kNoTimestamp;
  std::int64_t max_timestamp_ = kNoTimestamp;
};

// A batch of magic 2 without records, that only keeps an offset range and a producer's last sequence, as
// compaction leaves it. (Kafka: DefaultRecordBatch.writeEmptyHeader)
Bytes empty_batch(const BatchSpec& spec, Offset last_offset, std::int64_t max_timestamp);

}  // namespace moldau::record
