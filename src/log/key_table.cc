#include "log/key_table.h"

#include <algorithm>
#include <cstdlib>
#include <xxhash.h>

#include "base/check.h"

namespace moldau::log {

void KeyTable::Free::operator()(Slot* slots) const { std::free(slots); }

// calloc, for the system hands out large zeroed pieces without touching them.
KeyTable::KeyTable(std::size_t bytes, std::uint64_t seed)
    : slots_(std::max<std::size_t>(1, bytes / kSlotBytes)),
      seed_(seed),
      table_(static_cast<Slot*>(std::calloc(slots_, sizeof(Slot)))) {
  CHECK(table_ != nullptr, "no memory for the table of keys");
}

// The slot of the key with this hash, or the free one where it belongs.
KeyTable::Slot& KeyTable::slot_of(std::uint64_t low, std::uint64_t high) const {
  for (std::size_t at = high % slots_;; at = at + 1 == slots_ ? 0 : at + 1) {
    Slot& slot = table_[at];
    if (slot.offset_plus_one == 0 || (slot.low == low && slot.high == high)) return slot;
  }
}

void KeyTable::put(ByteView key, Offset offset) {
  CHECK(size_ < slots_);
  const XXH128_hash_t hash = XXH3_128bits_withSeed(key.data(), key.size(), seed_);
  Slot& slot = slot_of(hash.low64, hash.high64);
  if (slot.offset_plus_one == 0) ++size_;
  slot = {hash.low64, hash.high64, static_cast<std::uint64_t>(offset.value) + 1};
}

Offset KeyTable::get(ByteView key) const {
  if (size_ == slots_) return kNoOffset;  // never so in use: the search would not end
  const XXH128_hash_t hash = XXH3_128bits_withSeed(key.data(), key.size(), seed_);
  const Slot& slot = slot_of(hash.low64, hash.high64);
  return slot.offset_plus_one == 0 ? kNoOffset : Offset{static_cast<std::int64_t>(slot.offset_plus_one - 1)};
}

}  // namespace moldau::log
