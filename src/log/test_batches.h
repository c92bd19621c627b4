// Batches for the tests of this folder.
#pragma once

#include <string>
#include <vector>

#include "record/builder.h"
#include "record/control.h"

namespace moldau::log::testing {

struct BatchOptions {
  int count = 1;
  std::int64_t timestamp = 1000;  // of the first record; the next ones follow by a millisecond
  std::size_t value_bytes = 10;
  std::string tag = "v";  // in front of each value
  ProducerId producer = kNoProducerId;
  std::int16_t producer_epoch = 0;
  std::int32_t sequence = 0;
  bool transactional = false;
  Offset base{0};
  LeaderEpoch epoch{0};
  record::Codec codec = record::Codec::kNone;
  record::TimestampType timestamp_type = record::TimestampType::kCreateTime;
};

inline Bytes make_batch(const BatchOptions& o = {}) {
  record::BatchSpec spec{.base_offset = o.base, .compression = o.codec, .leader_epoch = o.epoch};
  spec.timestamp_type = o.timestamp_type;
  if (o.timestamp_type == record::TimestampType::kLogAppendTime) spec.log_append_time = o.timestamp;
  if (o.producer != kNoProducerId) {
    spec.producer_id = o.producer;
    spec.producer_epoch = ProducerEpoch{o.producer_epoch};
    spec.base_sequence = o.sequence;
    spec.transactional = o.transactional;
  }
  record::BatchBuilder builder(spec);
  for (int i = 0; i < o.count; ++i) {
    std::string value = o.tag + std::to_string(i);
    value.resize(std::max(value.size(), o.value_bytes), '.');
    builder.append({.timestamp = o.timestamp + i, .value = as_bytes(value)});
  }
  record::Compressor compressor;
  return std::move(builder).finish(compressor);
}

inline Bytes make_marker(ProducerId producer, std::int16_t producer_epoch, bool commit,
                         std::int32_t coordinator_epoch = 0, std::int64_t timestamp = 1000) {
  return record::end_txn_batch(
      {commit ? record::ControlType::kCommit : record::ControlType::kAbort, coordinator_epoch}, producer,
      ProducerEpoch{producer_epoch}, Offset{0}, timestamp, LeaderEpoch{0});
}

}  // namespace moldau::log::testing
