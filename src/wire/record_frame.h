// How generated messages stand inside records of internal topics.
//
//   __cluster_metadata, __remote_log_metadata   key null; value: uvarint 1 (frame version) | uvarint type |
//   uvarint version |
//                                               fields (metadata_records.h, remote_log_records.h)
//   __consumer_offsets, __transaction_state,    key: int16 type | fields of the key message, version 0
//   __share_group_state                         value: int16 version | fields of the value message; null =
//   tombstone
//
// Headers and bodies are split, so that a record of an unknown type or version can be kept as it came.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace moldau::wire {

struct MetadataRecordHeader {
  std::int16_t type = 0;
  std::int16_t version = 0;

  bool operator==(const MetadataRecordHeader&) const = default;
};

// A metadata record, its fields not decoded yet. `body` is a view into the value.
struct MetadataRecord {
  MetadataRecordHeader header;
  ByteView body;
};

// nullopt: not a frame of version 1, with the reason in the reader.
std::optional<MetadataRecord> read_metadata_record(Reader& value);
void write_metadata_header(Writer& writer, MetadataRecordHeader header);

// Appends a whole record value. `Record` is a message of metadata_records.h or remote_log_records.h.
template <typename Record>
void append_metadata_record(Writer& writer, std::int16_t version, const Record& record) {
  write_metadata_header(writer, {Record::kKey, version});
  encode(writer, version, record);
}

// The int16 in front of a coordinator record: the type of a key, the version of a value. What follows in the
// reader are the fields. 0 with the reader failed if there are not even two bytes.
inline std::int16_t read_coordinator_prefix(Reader& reader) {
  return reader.number<std::int16_t>("type or version");
}

template <typename Key>
void append_coordinator_key(Writer& writer, const Key& key) {
  writer.number(Key::kKey);
  encode(writer, 0, key);
}
template <typename Value>
void append_coordinator_value(Writer& writer, std::int16_t version, const Value& value) {
  writer.number(version);
  encode(writer, version, value);
}

}  // namespace moldau::wire
