// The newest offset of each key, in memory that is bounded beforehand: what compaction asks "is there a later
// record of this key?". (Kafka: SkimpyOffsetMap, with MD5.)
//
//   slot: 16 bytes hash of the key, 8 bytes offset + 1 (0: the slot is free)          open addressing, linear
//
// Keys are known by their 128-bit hash alone, seeded, so that nobody outside can prepare two keys with one
// hash. Memory is taken when it is first touched: a table for many keys that gets few costs little. REQUIRES:
// size() < slots(); nothing is ever taken out but by making a new table. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/ids.h"

namespace moldau::log {

class KeyTable {
 public:
  static constexpr std::size_t kSlotBytes = 24;

  // As many slots as fit `bytes`, at least one.
  KeyTable(std::size_t bytes, std::uint64_t seed);

  std::size_t slots() const { return slots_; }
  std::size_t size() const { return size_; }

  // The key's newest offset is `offset` now. REQUIRES: size() < slots() (even if the key is known).
  void put(ByteView key, Offset offset);
  Offset get(ByteView key) const;  // kNoOffset: not known

 private:
  struct Slot {
    std::uint64_t low, high;
    std::uint64_t offset_plus_one;
  };
  static_assert(sizeof(Slot) == kSlotBytes);
  struct Free {
    void operator()(Slot* slots) const;
  };
  Slot& slot_of(std::uint64_t low, std::uint64_t high) const;

  std::size_t slots_;
  std::size_t size_ = 0;
  std::uint64_t seed_;
  std::unique_ptr<Slot[], Free> table_;
};

}  // namespace moldau::log
