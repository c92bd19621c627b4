// What records say: each value names the record that it belongs to, and all its bytes follow from that name,
// so a reader knows whose it is and that nothing in it has changed. Plain functions.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace moldau::sim {

// The `number`-th record (from 0) that one writer has sent to its one partition.
struct RecordId {
  std::uint32_t writer = 0;
  std::uint32_t number = 0;
  auto operator<=>(const RecordId&) const = default;
};

Bytes value_of(RecordId id);                    // 8 to some 250 bytes
std::optional<RecordId> id_of(ByteView value);  // nothing: these bytes are nobody's value
std::optional<Bytes> key_of(RecordId id);       // some have none
// In a compacted topic there are few keys, and every record has one. Some records delete their key: without a
// value, they bear their name in a header.
Bytes compacted_key_of(RecordId id);
bool deletes_its_key(RecordId id);
Bytes name_of(RecordId id);
std::optional<RecordId> named(ByteView name);
inline constexpr std::string_view kNameHeader = "name";
std::int64_t timestamp_delta_of(RecordId id);  // ms, added to the batch's time

}  // namespace moldau::sim
