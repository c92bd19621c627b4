// Records of __consumer_offsets, made and taken apart. Byte formats: schema/group_records.def and
// schema/consumer_group_records.def. Pure functions.
#pragma once

#include <optional>
#include <string>

#include "base/check.h"
#include "base/result.h"
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

// The fields of a key, behind its type.
template <typename Key>
Result<Key> read_key(wire::Reader& reader) {
  Key key;
  if (!decode(reader, 0, key))
    return fail(ErrorKind::kCorrupt, std::string(Key::kName) + ": " + reader.reason());
  return key;
}

// A value with its version in front.
template <typename Value>
Result<Value> read_value(ByteView bytes) {
  wire::Reader reader(bytes);
  const std::int16_t version = wire::read_coordinator_prefix(reader);
  if (reader.ok() && (version < Value::kMinVersion || version > Value::kMaxVersion))
    return fail(ErrorKind::kUnsupported, std::string(Value::kName) + ": expected version 0 to " +
                                             std::to_string(Value::kMaxVersion) + ", found " +
                                             std::to_string(version));
  Value value;
  if (!reader.ok() || !decode(reader, version, value))
    return fail(ErrorKind::kCorrupt, std::string(Value::kName) + ": " + reader.reason());
  return value;
}

// A record as it lies in the log.
struct RecordView {
  ByteView key;
  std::optional<ByteView> value;
};

}  // namespace moldau::group
