#include "record/control.h"

#include <utility>

#include "base/check.h"
#include "record/builder.h"

namespace moldau::record {
namespace {

constexpr std::int16_t kKeyVersion = 0, kMarkerVersion = 0;
constexpr std::size_t kKeySize = 4, kMarkerSize = 6;

Bytes one_record(const BatchSpec& spec, ControlType type, ByteView value, std::int64_t timestamp) {
  const auto key = control_key(type);
  Compressor unused;
  BatchBuilder builder(spec);
  builder.append({.timestamp = timestamp, .key = key, .value = value});
  return std::move(builder).finish(unused);
}

}  // namespace

std::array<std::uint8_t, 4> control_key(ControlType type) {
  CHECK(type != ControlType::kUnknown);
  std::array<std::uint8_t, kKeySize> key{};
  store_be(key.data(), kKeyVersion);
  store_be(key.data() + 2, std::to_underlying(type));
  return key;
}

std::optional<ControlType> control_type(const NullableBytes& key) {
  if (!key || key->size() < kKeySize || load_be<std::int16_t>(key->data()) < 0) return std::nullopt;
  const auto code = load_be<std::int16_t>(key->data() + 2);
  const bool known = code >= 0 && code <= std::to_underlying(ControlType::kKRaftVoters);
  return known ? static_cast<ControlType>(code) : ControlType::kUnknown;
}

std::optional<EndTxnMarker> end_txn_marker(const Record& record) {
  const auto type = control_type(record.key);
  if (type != ControlType::kCommit && type != ControlType::kAbort) return std::nullopt;
  if (!record.value || record.value->size() < kMarkerSize || load_be<std::int16_t>(record.value->data()) < 0)
    return std::nullopt;
  return EndTxnMarker{*type, load_be<std::int32_t>(record.value->data() + 2)};
}

Bytes control_batch(ControlType type, ByteView value, Offset offset, std::int64_t timestamp,
                    LeaderEpoch epoch) {
  return one_record({.base_offset = offset, .leader_epoch = epoch, .control = true}, type, value, timestamp);
}

Bytes end_txn_batch(const EndTxnMarker& marker, ProducerId producer, ProducerEpoch producer_epoch,
                    Offset offset, std::int64_t timestamp, LeaderEpoch epoch) {
  std::array<std::uint8_t, kMarkerSize> value{};
  store_be(value.data(), kMarkerVersion);
  store_be(value.data() + 2, marker.coordinator_epoch);
  return one_record({.base_offset = offset,
                     .leader_epoch = epoch,
                     .producer_id = producer,
                     .producer_epoch = producer_epoch,
                     .transactional = true,
                     .control = true},
                    marker.type, value, timestamp);
}

}  // namespace moldau::record
