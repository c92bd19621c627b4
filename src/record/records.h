// The records of one batch, in order, whatever its magic and codec:
//   RecordIterator it(batch, decompressor);
//   while (auto record = it.next()) …
//   if (!it.fault().ok()) …
// A compressed batch is unpacked as a whole at the first next(), into the Decompressor, which must not be
// used for another batch until the records are done with. Nothing malformed does more than end the iteration
// with a fault. One thread. (Kafka: DefaultRecordBatch.RecordIterator,
// AbstractLegacyRecordBatch.DeepRecordsIterator.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "record/batch.h"
#include "record/compression.h"
#include "record/record.h"

namespace moldau::record {

enum class FaultKind : std::uint8_t {
  kNone,
  kStructure,         // the records are not as the header or the format says
  kCompression,       // the content cannot be unpacked
  kTooLarge,          // … or only to more bytes than the Decompressor allows
  kUnsupportedCodec,  // a codec that does not exist, or not in this magic
  kChecksum,          // an inner message (magic 0 and 1) whose CRC is wrong
};

struct Fault {
  FaultKind kind = FaultKind::kNone;
  std::string message;
  bool ok() const { return kind == FaultKind::kNone; }
};

class RecordIterator {
 public:
  // Both must outlive the iterator.
  RecordIterator(const BatchView& batch, Decompressor& decompressor);

  // The next record, or nothing at the end or a fault.
  std::optional<Record> next();

  const Fault& fault() const { return fault_; }
  // The offset of the first record; for a compressed batch of magic 0 or 1 this is what unpacks it.
  // Nothing for an empty or faulty batch.
  std::optional<Offset> first_offset();

 private:
  bool open();
  bool open_legacy();
  bool survey_legacy();
  std::optional<Record> next_v2();
  std::optional<Record> next_legacy();
  std::optional<Record> message(ByteView message, Offset offset);
  std::nullopt_t stop(FaultKind kind, std::string_view what);

  const BatchView& batch_;
  Decompressor& decompressor_;
  Fault fault_;
  bool opened_ = false;
  bool inner_ = false;     // magic 0 and 1: rest_ holds the messages of a wrapper
  std::int64_t base_ = 0;  // magic 1 wrappers: what to add to an inner, relative offset
  std::int32_t left_ = 0;  // magic 2: records still to come
  ByteView rest_;
};

// Unpacks the payload of `batch`; the records of magic 2, the inner messages of a wrapper. `fault` says why
// not.
std::optional<ByteView> unpack(const BatchView& batch, Decompressor& decompressor, Fault& fault);

// What a pass over the records of a magic 2 batch found, without making records of them.
struct Survey {
  std::int64_t min_timestamp_delta = 0;
  std::int64_t max_timestamp_delta = 0;
  bool deltas_dense = true;  // offset deltas are 0, 1, 2 …
  bool keyless = false;      // some record has a null key
};

// Checks that `records` (unpacked) holds exactly `count` well-formed records. REQUIRES: count > 0.
// On an error returns its static text.
std::string_view survey(ByteView records, std::int32_t count, Survey& out);

}  // namespace moldau::record
