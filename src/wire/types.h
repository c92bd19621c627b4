// What generated messages are made of, beside numbers, std::string_view, std::optional and std::vector.
// All are views: the bytes belong to the frame that was decoded, or to the caller who encodes. Any thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/uuid.h"

namespace moldau::wire {

// Record batches inside a message. Either bytes in memory, or `external_size` bytes that the encoder never
// sees: the Writer leaves a hole there (writer.h), and who sends the message puts the bytes named by
// `external_id` into it.
struct Records {
  ByteView bytes{};
  std::uint64_t external_size = 0;
  std::uint32_t external_id = 0;
  bool null = false;

  static Records none() { return {.null = true}; }
  static Records view(ByteView bytes) { return {.bytes = bytes}; }
  static Records external(std::uint64_t size, std::uint32_t id) {
    return {.external_size = size, .external_id = id};
  }

  std::uint64_t size() const { return bytes.size() + external_size; }
  bool empty() const { return size() == 0; }
};

// A tagged field that this schema does not know, as it came. Kept only where losing it would lose data: in
// records of the metadata log, which a newer controller may have written.
struct UnknownTag {
  std::uint32_t tag = 0;
  ByteView bytes{};
};
using UnknownTags = std::vector<UnknownTag>;

// Equality of what has no == of its own; by value.
inline bool same(ByteView a, ByteView b) { return std::ranges::equal(a, b); }
inline bool same(const std::optional<ByteView>& a, const std::optional<ByteView>& b) {
  return a.has_value() == b.has_value() && (!a || same(*a, *b));
}
template <typename T>
bool same(const T& a, const T& b) {
  return a == b;
}

inline bool operator==(const Records& a, const Records& b) {
  return a.null == b.null && same(a.bytes, b.bytes) && a.external_size == b.external_size &&
         a.external_id == b.external_id;
}
inline bool operator==(const UnknownTag& a, const UnknownTag& b) {
  return a.tag == b.tag && same(a.bytes, b.bytes);
}

}  // namespace moldau::wire
