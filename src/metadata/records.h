// What is in an image, said as metadata records: values with their framing (wire/record_frame.h).
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "metadata/image.h"
#include "wire/record_frame.h"

namespace moldau::metadata {

// REQUIRES: `record` can be said in `version`.
template <typename Record>
Bytes encode_record(const Record& record, std::int16_t version = Record::kMaxVersion) {
  wire::Writer writer;
  wire::append_metadata_record(writer, version, record);
  CHECK(writer.ok(), writer.error());
  return writer.to_bytes();
}

// The records that say what these are, in the newest version that a log at `metadata_version` may hold.
Bytes to_record(const BrokerRegistration& broker, std::int16_t metadata_version);
Bytes to_record(const ControllerRegistration& controller);
Bytes to_record(const Partition& partition, const Uuid& topic_id, std::int16_t metadata_version);
Bytes config_record(const Resource& resource, std::string_view name, std::optional<std::string_view> value);
Bytes feature_record(std::string_view name, std::int16_t level);

}  // namespace moldau::metadata
