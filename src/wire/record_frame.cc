#include "wire/record_frame.h"

#include <limits>

namespace moldau::wire {
namespace {

constexpr std::uint32_t kFrameVersion = 1;

// A uvarint that must be no larger than `most`.
std::int16_t bounded(Reader& reader, std::uint32_t least, std::uint32_t most, const char* what) {
  const std::uint32_t number = reader.uvarint(what);
  if (number < least || number > most) reader.refuse(what, most, number);
  return static_cast<std::int16_t>(number);
}

}  // namespace

std::optional<MetadataRecord> read_metadata_record(Reader& value) {
  constexpr std::uint32_t kMost = std::numeric_limits<std::int16_t>::max();
  bounded(value, kFrameVersion, kFrameVersion, "frame version");
  const std::int16_t type = bounded(value, 0, kMost, "record type");
  const std::int16_t version = bounded(value, 0, kMost, "record version");
  if (!value.ok()) return std::nullopt;
  return MetadataRecord{{type, version}, value.rest()};
}

void write_metadata_header(Writer& writer, MetadataRecordHeader header) {
  writer.uvarint(kFrameVersion);
  writer.uvarint(static_cast<std::uint32_t>(header.type));
  writer.uvarint(static_cast<std::uint32_t>(header.version));
}

}  // namespace moldau::wire
