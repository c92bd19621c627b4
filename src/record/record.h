// One record as a view into its batch, and the shape of a magic 2 record in bytes.
// Views: the bytes belong to the batch, or to the Decompressor that unpacked it. Any thread.
//
// A record of magic 2 (KIP-98, KIP-82); varints are zigzag:
//   varint  length of what follows
//   int8    attributes, unused
//   varlong timestamp - base timestamp
//   varint  offset - base offset
//   varint  key length or negative for null, key
//   varint  value length or negative for null, value
//   varint  number of headers, each: varint key length, key, varint value length or negative for null, value
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/varint.h"

namespace moldau::record {

// Null, or bytes (none or more).
using NullableBytes = std::optional<ByteView>;

struct HeaderView {
  ByteView key;  // UTF-8 by agreement, not checked by anyone
  NullableBytes value;
};

// A record's headers as they lie there. Iterating cannot fail: whoever makes one has checked its bytes.
class HeaderList {
 public:
  class Iterator {
   public:
    explicit Iterator(ByteView rest, std::int32_t left) : rest_(rest), left_(left) {}
    HeaderView operator*() const;
    Iterator& operator++();
    bool operator==(const Iterator& other) const { return left_ == other.left_; }

   private:
    ByteView rest_;
    std::int32_t left_;
  };

  HeaderList() = default;
  // REQUIRES: `encoded` holds exactly `count` well-formed headers.
  HeaderList(ByteView encoded, std::int32_t count) : encoded_(encoded), count_(count) {}

  std::int32_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  ByteView encoded() const { return encoded_; }  // without the count in front
  Iterator begin() const { return Iterator(encoded_, count_); }
  Iterator end() const { return Iterator({}, 0); }

 private:
  ByteView encoded_;
  std::int32_t count_ = 0;
};

struct Record {
  Offset offset;
  std::int64_t timestamp = -1;  // ms; -1 in magic 0
  std::int32_t sequence = -1;
  NullableBytes key;
  NullableBytes value;
  HeaderList headers;
};

// A record of magic 2 before its batch gives the deltas a meaning.
struct RawRecord {
  std::int64_t timestamp_delta = 0;
  std::int32_t offset_delta = 0;
  std::int32_t key_size = -1;
  std::int32_t value_size = -1;
  std::int32_t header_count = 0;
  const std::uint8_t* key = nullptr;
  const std::uint8_t* value = nullptr;
  const std::uint8_t* headers = nullptr;
  const std::uint8_t* end = nullptr;

  NullableBytes key_view() const { return view(key, key_size); }
  NullableBytes value_view() const { return view(value, value_size); }
  HeaderList header_list() const {
    return {ByteView(headers, static_cast<std::size_t>(end - headers)), header_count};
  }

 private:
  static NullableBytes view(const std::uint8_t* at, std::int32_t size) {
    if (size < 0) return std::nullopt;
    return ByteView(at, static_cast<std::size_t>(size));
  }
};

namespace detail {

// The varint at `p`, which moves behind it. False when `end` comes first or it is longer than its type
// allows.
inline bool take_varint(const std::uint8_t*& p, const std::uint8_t* end, std::int32_t& out) {
  if (p != end && *p < 0x80) [[likely]] {
    out = unzigzag(static_cast<std::uint32_t>(*p++));
    return true;
  }
  const std::size_t taken = read_varint({p, static_cast<std::size_t>(end - p)}, out);
  p += taken;
  return taken != 0;
}
inline bool take_varlong(const std::uint8_t*& p, const std::uint8_t* end, std::int64_t& out) {
  if (p != end && *p < 0x80) [[likely]] {
    out = unzigzag(static_cast<std::uint64_t>(*p++));
    return true;
  }
  const std::size_t taken = read_varlong({p, static_cast<std::size_t>(end - p)}, out);
  p += taken;
  return taken != 0;
}

// A length and that many bytes; a negative length has none.
inline bool skip_sized(const std::uint8_t*& p, const std::uint8_t* end, std::int32_t& size,
                       const std::uint8_t*& at) {
  if (!take_varint(p, end, size)) return false;
  at = p;
  if (size <= 0) return true;
  if (end - p < size) return false;
  p += size;
  return true;
}

bool skip_headers(const std::uint8_t*& p, const std::uint8_t* end, std::int32_t count);

}  // namespace detail

// Reads the record at `p` within `end` into `out` and moves `p` behind it. Every length inside is checked, so
// that the views of `out` are good. Returns what is wrong as static text, or an empty text.
inline std::string_view parse_record(const std::uint8_t*& p, const std::uint8_t* end, RawRecord& out) {
  std::int32_t size = 0;
  if (!detail::take_varint(p, end, size)) return "a record without a length";
  if (size < 0 || end - p < size) return "a record longer than what is left of its batch";
  const std::uint8_t* const stop = p + size;
  if (p == stop) return "an empty record";
  ++p;  // attributes
  if (!detail::take_varlong(p, stop, out.timestamp_delta) || !detail::take_varint(p, stop, out.offset_delta))
    return "a record that ends before its key";
  if (!detail::skip_sized(p, stop, out.key_size, out.key)) return "a key longer than its record";
  if (!detail::skip_sized(p, stop, out.value_size, out.value)) return "a value longer than its record";
  if (!detail::take_varint(p, stop, out.header_count)) return "a record without a header count";
  if (out.header_count < 0 || out.header_count > stop - p) return "an impossible number of headers";
  out.headers = p;
  if (out.header_count > 0 && !detail::skip_headers(p, stop, out.header_count))
    return "headers longer than their record";
  if (p != stop) return "a record longer than its fields";
  out.end = stop;
  return {};
}

}  // namespace moldau::record
