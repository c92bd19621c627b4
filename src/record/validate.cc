#include "record/validate.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/fault.h"
#include "record/builder.h"

namespace moldau::record {
namespace {

using wire::ErrorCode;

std::unexpected<Rejection> reject(ErrorCode code, std::string message,
                                  std::vector<RecordError> records = {}) {
  return std::unexpected(Rejection{code, std::move(message), std::move(records)});
}
std::unexpected<Rejection> invalid(std::string message) {
  return reject(ErrorCode::kInvalidRecord, std::move(message));
}

std::unexpected<Rejection> reject(const Fault& fault) {
  switch (fault.kind) {
    case FaultKind::kChecksum:
      return reject(ErrorCode::kCorruptMessage, fault.message);
    case FaultKind::kTooLarge:
      return reject(ErrorCode::kMessageTooLarge, fault.message);
    case FaultKind::kUnsupportedCodec:
      return reject(ErrorCode::kUnsupportedCompressionType, fault.message);
    default:
      return invalid(fault.message);
  }
}

using Verdict = std::expected<void, Rejection>;

// ---- The request: which batches there are
// -------------------------------------------------------------------

struct Shape {
  BatchView first;
  std::size_t batches = 0;
  std::size_t bytes = 0;  // of whole batches
  Codec codec = Codec::kNone;
  bool mixed_magics = false;
};

// What a Produce of version 3 and later may carry. Looks at headers only, before any CRC, as Kafka does.
Verdict check_request(ByteView in, std::int16_t version) {
  if (version < 3) return {};
  BatchIterator batches(in);
  const auto first = batches.next();
  if (!first && batches.corrupt().empty())
    return invalid("a Produce of version " + std::to_string(version) +
                   " needs a whole record batch per partition");
  if (first && first->header().magic != 2)
    return invalid("a Produce of version " + std::to_string(version) +
                   " takes batches of magic 2 only, this one has magic " +
                   std::to_string(first->header().magic));
  if (first && version < 7 && first->header().codec() == Codec::kZstd)
    return reject(ErrorCode::kUnsupportedCompressionType,
                  "zstd needs Produce version 7, this one is " + std::to_string(version));
  if (first && batches.next())
    return invalid("a Produce of version " + std::to_string(version) +
                   " takes one record batch per partition, not more");
  if (!batches.corrupt().empty()) return reject(ErrorCode::kCorruptMessage, std::string(batches.corrupt()));
  return {};
}

Verdict check_batch(const BatchView& batch, const ProduceRules& rules) {
  const BatchHeader& header = batch.header();
  if (rules.origin == Origin::kClient && header.magic >= 2 && header.base_offset != Offset{0})
    return invalid("the base offset of a produced batch is 0, not " +
                   std::to_string(header.base_offset.value));
  if (header.size > rules.max_batch_bytes)
    return reject(ErrorCode::kMessageTooLarge, "a batch of " + std::to_string(header.size) +
                                                   " bytes, where " + std::to_string(rules.max_batch_bytes) +
                                                   " are allowed");
  if (!batch.crc_ok() && !moldau::fault_is(moldau::Fault::kSkipCrc))
    return reject(ErrorCode::kCorruptMessage, "a batch whose CRC is wrong: stored " +
                                                  std::to_string(header.crc) + ", computed " +
                                                  std::to_string(batch.compute_crc()));
  return {};
}

std::expected<Shape, Rejection> survey_batches(ByteView in, const ProduceRules& rules) {
  Shape shape;
  BatchIterator batches(in);
  while (const auto batch = batches.next()) {
    TRY(check_batch(*batch, rules));
    const auto codec = batch->header().codec();
    if (!codec)
      return reject(ErrorCode::kUnsupportedCompressionType,
                    "unknown compression codec " + std::to_string(batch->header().attributes & kCodecMask));
    if (shape.batches++ == 0) shape.first = *batch;
    if (*codec != Codec::kNone) shape.codec = *codec;
    shape.mixed_magics |= batch->header().magic != shape.first.header().magic;
  }
  if (!batches.corrupt().empty()) return reject(ErrorCode::kCorruptMessage, std::string(batches.corrupt()));
  shape.bytes = batches.position();
  return shape;
}

// ---- One batch of magic 2: its header
// --------------------------------------------------------------------------

Verdict check_header(const BatchHeader& header, Origin origin) {
  if (header.record_count <= 0)
    return invalid("a batch that claims " + std::to_string(header.record_count) + " records");
  if (origin != Origin::kClient) return {};
  if (std::int64_t{header.last_offset_delta} + 1 != header.record_count)
    return invalid("a batch of " + std::to_string(header.record_count) +
                   " records whose last offset delta is " + std::to_string(header.last_offset_delta));
  if (header.control()) return invalid("clients do not write control records");
  if (header.has_producer_id() && header.base_sequence < 0)
    return invalid("a batch of producer " + std::to_string(header.producer_id.value) + " with sequence " +
                   std::to_string(header.base_sequence));
  if (header.transactional() && !header.has_producer_id())
    return invalid("a transactional batch without a producer id");
  return {};
}

// ---- Records: keys and timestamps
// ------------------------------------------------------------------------------

// Java's arithmetic: what is too far away wraps, and is judged as Kafka judges it.
bool in_range(std::int64_t timestamp, const ProduceRules& rules) {
  const auto age = static_cast<std::uint64_t>(rules.now_ms) - static_cast<std::uint64_t>(timestamp);
  return static_cast<std::int64_t>(age) <= rules.before_max_ms &&
         static_cast<std::int64_t>(0 - age) <= rules.after_max_ms;
}

// The errors of the records of one batch, gathered as they pass.
class RecordChecker {
 public:
  RecordChecker(const ProduceRules& rules, TimestampType batch_type)
      : rules_(rules), batch_type_(batch_type) {}

  void check(const Record& record) {
    const std::int32_t index = index_++;
    if (rules_.compacted && !record.key) return add(index, "a record without a key in a compacted topic");
    const bool timed =
        rules_.timestamp_type == TimestampType::kCreateTime && record.timestamp != kNoTimestamp;
    if (timed && !in_range(record.timestamp, rules_)) {
      bad_time_ = true;
      add(index, "timestamp " + std::to_string(record.timestamp) + " is too far from the broker's " +
                     std::to_string(rules_.now_ms) + " ms");
    } else if (!timed && batch_type_ == TimestampType::kLogAppendTime) {
      bad_time_ = true;
      add(index, "a producer does not set the timestamp type LogAppendTime");
    }
  }

  bool ok() const { return errors_.empty(); }

  std::unexpected<Rejection> rejection() && {
    const ErrorCode code = bad_time_ ? ErrorCode::kInvalidTimestamp : ErrorCode::kInvalidRecord;
    std::string message = std::to_string(errors_.size()) +
                          " of the batch's records cannot be accepted, the first (" +
                          std::to_string(errors_.front().index) + "): " + errors_.front().message;
    return reject(code, std::move(message), std::move(errors_));
  }

 private:
  void add(std::int32_t index, std::string message) { errors_.push_back({index, std::move(message)}); }

  const ProduceRules& rules_;
  TimestampType batch_type_;
  std::int32_t index_ = 0;
  bool bad_time_ = false;
  std::vector<RecordError> errors_;
};

// What the records of a batch say together.
struct Summary {
  bool dense = true;
  std::int64_t max_timestamp = kNoTimestamp;
};

// Record by record. Only where the quick look was not enough.
std::expected<Summary, Rejection> check_each(const BatchView& batch, const ProduceRules& rules,
                                             Workbench& bench, bool dense) {
  Summary summary{.dense = dense};
  RecordChecker checker(rules, batch.header().timestamp_type());
  RecordIterator records(batch, bench.decompressor);
  while (const auto record = records.next()) {
    checker.check(*record);
    summary.max_timestamp = std::max(summary.max_timestamp, record->timestamp);
  }
  if (!records.fault().ok()) return reject(records.fault());
  if (!checker.ok()) return std::move(checker).rejection();
  return summary;
}

// True if the earliest and latest timestamp settle it for all between.
bool surely_in_range(std::int64_t earliest, std::int64_t latest, const ProduceRules& rules) {
  constexpr std::int64_t kFar = std::int64_t{1} << 61;  // beyond, differences may wrap
  if (rules.timestamp_type == TimestampType::kLogAppendTime) return true;
  return earliest > -kFar && latest < kFar && in_range(earliest, rules) && in_range(latest, rules);
}

std::expected<Summary, Rejection> check_records(const BatchView& batch, const ProduceRules& rules,
                                                Workbench& bench) {
  const BatchHeader& header = batch.header();
  const bool append_time = header.timestamp_type() == TimestampType::kLogAppendTime;
  Survey found;
  Fault fault;
  const auto records = unpack(batch, bench.decompressor, fault);
  if (!records) return reject(fault);
  if (const auto wrong = survey(*records, header.record_count, found); !wrong.empty())
    return invalid(std::string(wrong));
  std::int64_t earliest = header.max_timestamp, latest = header.max_timestamp;
  bool wrapped = false;
  if (!append_time) {
    wrapped = __builtin_add_overflow(header.base_timestamp, found.min_timestamp_delta, &earliest) ||
              __builtin_add_overflow(header.base_timestamp, found.max_timestamp_delta, &latest);
  }
  const bool odd_type =
      append_time && (rules.timestamp_type == TimestampType::kLogAppendTime || latest == kNoTimestamp);
  const bool keyless = rules.compacted && found.keyless;
  if (wrapped || odd_type || keyless || !surely_in_range(earliest, latest, rules))
    return check_each(batch, rules, bench, found.deltas_dense);
  return Summary{.dense = found.deltas_dense, .max_timestamp = std::max(latest, kNoTimestamp)};
}

// ---- Writing anew
// ----------------------------------------------------------------------------------------------

// One batch of magic 2 from the records of one or more batches, which are checked as they pass.
class Rewriter {
 public:
  Rewriter(const BatchHeader& first, Codec source, const ProduceRules& rules, Workbench& bench)
      : rules_(rules),
        bench_(bench),
        target_(rules.compression.value_or(Compression(source))),
        builder_(spec(first)) {}

  Verdict add(const BatchView& batch) {
    RecordChecker checker(rules_, batch.header().timestamp_type());
    RecordIterator records(batch, bench_.decompressor);
    while (const auto record = records.next()) {
      checker.check(*record);
      if (checker.ok()) TRY(write(*record));
    }
    if (!records.fault().ok()) return reject(records.fault());
    if (!checker.ok()) return std::move(checker).rejection();
    return {};
  }

  std::expected<Accepted, Rejection> finish() && {
    Accepted accepted{.max_timestamp = rules_.timestamp_type == TimestampType::kLogAppendTime
                                           ? rules_.now_ms
                                           : builder_.max_timestamp(),
                      .converted_records = builder_.record_count()};
    if (builder_.empty()) return invalid("batches without records");
    accepted.rewritten = std::move(builder_).finish(bench_.compressor);
    if (accepted.rewritten.size() > static_cast<std::size_t>(rules_.max_batch_bytes))
      return too_large(accepted.rewritten.size());
    accepted.header = parse_header(accepted.rewritten).header;
    return accepted;
  }

 private:
  BatchSpec spec(const BatchHeader& first) const {
    return {.compression = target_,
            .timestamp_type = rules_.timestamp_type,
            .log_append_time = rules_.now_ms,
            .producer_id = first.producer_id,
            .producer_epoch = first.producer_epoch,
            .base_sequence = first.base_sequence,
            .transactional = first.transactional(),
            .control = first.control()};
  }

  Verdict write(const Record& record) {
    if (record.timestamp < kNoTimestamp)
      return reject(ErrorCode::kInvalidTimestamp,
                    "timestamp " + std::to_string(record.timestamp) + " is negative");
    builder_.append({.timestamp = record.timestamp,
                     .key = record.key,
                     .value = record.value,
                     .encoded_headers = record.headers});
    const bool plain = target_.codec == Codec::kNone;
    if (plain && builder_.uncompressed_size() > static_cast<std::size_t>(rules_.max_batch_bytes))
      return too_large(builder_.uncompressed_size());
    return {};
  }

  std::unexpected<Rejection> too_large(std::size_t size) const {
    return reject(ErrorCode::kMessageTooLarge, "a batch of " + std::to_string(size) +
                                                   " bytes after its conversion, where " +
                                                   std::to_string(rules_.max_batch_bytes) + " are allowed");
  }

  const ProduceRules& rules_;
  Workbench& bench_;
  Compression target_;
  BatchBuilder builder_;
};

// ---- The two ways
// ----------------------------------------------------------------------------------------------

Accepted accept_in_place(MutableBytes bytes, const ProduceRules& rules, const Summary& summary) {
  const bool append_time = rules.timestamp_type == TimestampType::kLogAppendTime;
  Accepted accepted{.kept = bytes, .max_timestamp = append_time ? rules.now_ms : summary.max_timestamp};
  set_max_timestamp(bytes, rules.timestamp_type, accepted.max_timestamp);
  accepted.header = parse_header(bytes).header;
  return accepted;
}

std::expected<Accepted, Rejection> validate_v2(MutableBytes in, const Shape& shape, const ProduceRules& rules,
                                               Workbench& bench) {
  const BatchView& batch = shape.first;
  TRY(check_header(batch.header(), rules.origin));
  // Control records are not compressed by a topic's wish.
  const bool keeps_codec = !rules.compression || rules.compression->codec == shape.codec ||
                           (batch.header().control() && shape.codec == Codec::kNone);
  TRY_ASSIGN(summary, check_records(batch, rules, bench));
  if (keeps_codec && summary.dense) return accept_in_place(in.first(shape.bytes), rules, summary);
  Rewriter rewriter(batch.header(), shape.codec, rules, bench);
  TRY(rewriter.add(batch));
  return std::move(rewriter).finish();
}

std::expected<Accepted, Rejection> validate_legacy(ByteView in, const Shape& shape, const ProduceRules& rules,
                                                   Workbench& bench) {
  Rewriter rewriter(shape.first.header(), shape.codec, rules, bench);
  BatchIterator batches(in);
  while (const auto batch = batches.next()) TRY(rewriter.add(*batch));
  return std::move(rewriter).finish();
}

}  // namespace

std::expected<Accepted, Rejection> validate_produce(MutableBytes in, const ProduceRules& rules,
                                                    Workbench& bench) {
  if (rules.origin == Origin::kClient) TRY(check_request(in, rules.produce_version));
  TRY_ASSIGN(shape, survey_batches(in, rules));
  if (shape.batches == 0) return Accepted{};
  if (shape.mixed_magics) return invalid("batches of different magics in one partition");
  const bool v2 = shape.first.header().magic >= 2;
  if (shape.batches > 1 && (v2 || shape.codec != Codec::kNone))
    return invalid("more than one batch where only uncompressed old messages may come in numbers");
  auto accepted = v2 ? validate_v2(in, shape, rules, bench) : validate_legacy(in, shape, rules, bench);
  if (accepted && accepted->header.size > rules.max_segment_bytes)
    return reject(ErrorCode::kRecordListTooLarge, std::to_string(accepted->header.size) +
                                                      " bytes do not fit into a segment of " +
                                                      std::to_string(rules.max_segment_bytes));
  return accepted;
}

std::expected<Replicated, Rejection> validate_replicated(ByteView in) {
  Replicated found;
  BatchIterator batches(in);
  while (const auto batch = batches.next()) {
    const BatchHeader& header = batch->header();
    if (!batch->crc_ok())
      return reject(ErrorCode::kCorruptMessage,
                    "a batch at offset " + std::to_string(header.base_offset.value) + " whose CRC is wrong");
    if (found.batches++ == 0)
      found.first_offset = header.base_offset;
    else if (header.last_offset <= found.last_offset)
      return invalid("offset " + std::to_string(header.last_offset.value) + " after offset " +
                     std::to_string(found.last_offset.value));
    found.last_offset = header.last_offset;
    found.last_epoch = header.partition_leader_epoch;
    if (header.max_timestamp > found.max_timestamp) {
      found.max_timestamp = header.max_timestamp;
      found.offset_of_max_timestamp = header.last_offset;
    }
  }
  if (!batches.corrupt().empty()) return reject(ErrorCode::kCorruptMessage, std::string(batches.corrupt()));
  found.bytes = in.first(batches.position());
  return found;
}

}  // namespace moldau::record
