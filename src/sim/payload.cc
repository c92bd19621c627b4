#include "sim/payload.h"

#include <algorithm>

namespace moldau::sim {
namespace {

std::uint64_t mix(std::uint64_t z) {  // splitmix64's finalizer
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}
std::uint64_t hash_of(RecordId id) {
  return mix((std::uint64_t{id.writer} << 32 | id.number) + 0x9e3779b97f4a7c15);
}

}  // namespace

Bytes value_of(RecordId id) {
  const std::uint64_t hash = hash_of(id);
  const std::size_t filler = hash % 16 == 0 ? hash / 16 % 240 : hash / 16 % 40;
  Bytes value(8 + filler);
  store_be(value.data(), id.writer);
  store_be(value.data() + 4, id.number);
  std::uint64_t word = hash;
  for (std::size_t i = 0; i < filler; ++i) {
    if (i % 8 == 0) word = mix(word + 1);
    // Half of it repeats itself, so that codecs have something to do.
    value[8 + i] =
        i % 16 < 8 ? static_cast<std::uint8_t>(hash) : static_cast<std::uint8_t>(word >> (i % 8 * 8));
  }
  return value;
}

std::optional<RecordId> id_of(ByteView value) {
  if (value.size() < 8) return std::nullopt;
  const RecordId id{load_be<std::uint32_t>(value.data()), load_be<std::uint32_t>(value.data() + 4)};
  if (!std::ranges::equal(value_of(id), value)) return std::nullopt;
  return id;
}

std::optional<Bytes> key_of(RecordId id) {
  const std::uint64_t hash = hash_of(id);
  if (hash >> 60 < 4) return std::nullopt;
  Bytes key(4);
  store_be(key.data(), static_cast<std::uint32_t>(hash >> 20));
  return key;
}

Bytes compacted_key_of(RecordId id) {
  constexpr std::uint64_t kKeys = 7;
  return {'k', static_cast<std::uint8_t>((hash_of(id) >> 20) % kKeys)};
}

bool deletes_its_key(RecordId id) { return (hash_of(id) >> 40) % 4 == 0; }

Bytes name_of(RecordId id) {
  Bytes name(8);
  store_be(name.data(), id.writer);
  store_be(name.data() + 4, id.number);
  return name;
}

std::optional<RecordId> named(ByteView name) {
  if (name.size() != 8) return std::nullopt;
  return RecordId{load_be<std::uint32_t>(name.data()), load_be<std::uint32_t>(name.data() + 4)};
}

std::int64_t timestamp_delta_of(RecordId id) { return static_cast<std::int64_t>(hash_of(id) >> 61); }

}  // namespace moldau::sim
