#include "log/clean_filter.h"

#include "base/fault.h"
#include "record/builder.h"
#include "record/control.h"

namespace moldau::log {
namespace {

std::unexpected<Error> unreadable(const record::BatchHeader& header, const std::string& why) {
  return fail(ErrorKind::kCorrupt, "the batch of offsets " + std::to_string(header.base_offset.value) +
                                       " to " + std::to_string(header.last_offset.value) + ": " + why);
}

record::BatchSpec spec_of(const record::BatchHeader& header) {
  record::BatchSpec spec{.magic = header.magic, .base_offset = header.base_offset};
  spec.timestamp_type = header.timestamp_type();
  if (spec.timestamp_type == record::TimestampType::kLogAppendTime)
    spec.log_append_time = header.max_timestamp;
  if (header.magic < 2) return spec;
  spec.leader_epoch = header.partition_leader_epoch;
  spec.producer_id = header.producer_id;
  spec.producer_epoch = header.producer_epoch;
  spec.base_sequence = header.base_sequence;
  spec.transactional = header.transactional();
  spec.control = header.control();
  return spec;
}

}  // namespace

Result<CleanFilter::Outcome> CleanFilter::filter(const record::BatchView& batch, bool keep_old_tombstones,
                                                 Bytes& out) {
  const record::BatchHeader& header = batch.header();
  TRY_ASSIGN(verdict, judge(batch));
  Outcome outcome{.aborted = verdict.aborted};
  if (verdict.discard && !verdict.keep_empty) return outcome;

  kept_.clear();
  bool whole = true, tombstones = false;
  if (!verdict.discard) {
    record::RecordIterator records(batch, decompressor_);
    while (const auto record = records.next()) {
      ++outcome.read;
      if (!header.control() && !stays(header, *record, keep_old_tombstones)) {
        whole = false;
        continue;
      }
      tombstones |= !record->value.has_value();
      kept_.push_back(*record);
    }
    if (!records.fault().ok()) return unreadable(header, records.fault().message);
  }
  outcome.kept = static_cast<std::uint32_t>(kept_.size());
  if (kept_.empty()) {
    if (!verdict.keep_empty) return outcome;
    record::BatchSpec spec = spec_of(header);
    spec.magic = 2;  // no other can be empty
    if (header.magic == 0) spec.timestamp_type = record::TimestampType::kCreateTime;
    const Bytes empty = record::empty_batch(spec, header.last_offset, header.max_timestamp);
    out.insert(out.end(), empty.begin(), empty.end());
    return outcome;
  }
  auto horizon = header.delete_horizon_ms();
  if (header.magic >= 2 && !horizon && (tombstones || verdict.orphaned_marker)) {
    horizon = round_.now_ms + round_.delete_retention_ms;
    whole = false;
  }
  if (whole)
    out.insert(out.end(), batch.bytes().begin(), batch.bytes().end());
  else
    rewrite(header, horizon, out);
  return outcome;
}

Result<CleanFilter::Verdict> CleanFilter::judge(const record::BatchView& batch) {
  const record::BatchHeader& header = batch.header();
  Verdict verdict;
  if (header.control()) {
    std::optional<record::ControlType> type;
    record::RecordIterator records(batch, decompressor_);
    if (const auto record = records.next())
      type = record::control_type(record->key).value_or(record::ControlType::kUnknown);
    if (!records.fault().ok()) return unreadable(header, records.fault().message);
    const CleanTransactions::Marker marker = transactions_.control(header, type);
    const auto horizon = header.delete_horizon_ms();
    verdict.orphaned_marker = marker.may_go;
    verdict.aborted = marker.kept;
    verdict.discard = marker.may_go && horizon && *horizon <= round_.now_ms;
  } else {
    verdict.discard = transactions_.data(header);
  }
  verdict.keep_empty = last_of_producer(header) || header.next_offset() == round_.end;
  return verdict;
}

bool CleanFilter::last_of_producer(const record::BatchHeader& header) const {
  if (!header.has_producer_id()) return false;
  const auto found = round_.producers.find(header.producer_id);
  if (found == round_.producers.end()) return false;
  if (found->second.last_data != kNoOffset) return header.last_offset == found->second.last_data;
  return header.control() && header.producer_epoch == found->second.epoch;
}

bool CleanFilter::stays(const record::BatchHeader& header, const record::Record& record,
                        bool keep_old_tombstones) const {
  if (record.offset > round_.latest) return true;
  if (!record.key) return false;
  const Offset newest = round_.keys.get(*record.key);
  if (fault_is(Fault::kCleanNewest) ? record.offset >= newest && newest != kNoOffset : record.offset < newest)
    return false;
  if (record.value) return true;
  if (header.magic < 2) return keep_old_tombstones;
  const auto horizon = header.delete_horizon_ms();
  return !horizon || round_.now_ms < *horizon;
}

void CleanFilter::rewrite(const record::BatchHeader& header, std::optional<std::int64_t> horizon,
                          Bytes& out) {
  record::BatchSpec spec = spec_of(header);
  spec.compression = *header.codec();  // its records were read
  if (header.magic < 2) spec.base_offset = kept_.front().offset;
  spec.delete_horizon_ms = horizon;
  record::BatchBuilder builder(spec, std::move(out));
  for (const record::Record& record : kept_)
    builder.append_at(record.offset, {.timestamp = record.timestamp,
                                      .key = record.key,
                                      .value = record.value,
                                      .encoded_headers = record.headers});
  if (header.magic >= 2) builder.set_last_offset(header.last_offset);
  out = std::move(builder).finish(compressor_);
}

}  // namespace moldau::log
