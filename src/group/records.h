// Records of __consumer_offsets, made and taken apart. Byte formats: schema/group_records.def and
// schema/consumer_group_records.def. Pure functions.
#pragma once

#include <optional>

#include "base/check.h"
#include "group/decision.h"
#include "wire/record_frame.h"

namespace moldau::group {

template <typename Key>
Bytes encode_key(const Key& key) {
  wire::Writer writer;
  wire::append_coordinator_key(writer, key);
  CHECK(writer.ok(), writer.error());
  return writer.to_bytes();
}

template <typename Value>
Bytes encode_value(const Value& value, std::int16_t version) {
  wire::Writer writer;
  wire::append_coordinator_value(writer, version, value);
  CHECK(writer.ok(), writer.error());
  return writer.to_bytes();
}

template <typename Key, typename Value>
Record make_record(const Key& key, const Value& value, std::int16_t version) {
  return {encode_key(key), encode_value(value, version)};
}

template <typename Key>
Record make_tombstone(const Key& key) {
  return {encode_key(key), std::nullopt};
}

// A record as it lies in the log.
struct RecordView {
  ByteView key;
  std::optional<ByteView> value;
};

}  // namespace moldau::group
