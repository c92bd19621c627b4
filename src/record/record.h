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
#include <type_traits>

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

// Values go in and out of the calls that are rarely made, not references: those would keep what they refer to
// out of registers for all the records that need no call.
template <typename T>
struct Taken {
  std::size_t size;  // 0: not a varint
  T value;
};
template <typename T>
Taken<T> take_long(const std::uint8_t* p, const std::uint8_t* end);
extern template Taken<std::int32_t> take_long(const std::uint8_t*, const std::uint8_t*);
extern template Taken<std::int64_t> take_long(const std::uint8_t*, const std::uint8_t*);

// The zigzag varint of type T at `p`, which moves behind it. False when `end` comes first or it is longer
// than its type allows. Nearly all have one or two bytes, and those must not cost a call: 6 of them make a
// record.
template <typename T>
bool take(const std::uint8_t*& p, const std::uint8_t* end, T& out) {
  using Unsigned = std::make_unsigned_t<T>;
  if (p != end) [[likely]] {
    const Unsigned first = p[0];
    if (first < 0x80) {
      p += 1;
      out = unzigzag(first);
      return true;
    }
    if (end - p >= 2 && p[1] < 0x80) {
      const Unsigned second = p[1];
      p += 2;
      out = unzigzag(static_cast<Unsigned>((first & 0x7f) | (second << 7)));
      return true;
    }
  }
  const auto [taken, value] = take_long<T>(p, end);
  p += taken;
  out = value;
  return taken != 0;
}

// A length and that many bytes; a negative length has none.
inline bool skip_sized(const std::uint8_t*& p, const std::uint8_t* end, std::int32_t& size,
                       const std::uint8_t*& at) {
  if (!take(p, end, size)) return false;
  at = p;
  if (size <= 0) return true;
  if (end - p < size) return false;
  p += size;
  return true;
}

// The byte behind `count` headers at `p`; null when they do not fit or a key is null.
const std::uint8_t* behind_headers(const std::uint8_t* p, const std::uint8_t* end, std::int32_t count);

}  // namespace detail

// Reads the record at `at` within `end` into `out` and moves `at` behind it. Every length inside is checked,
// so that the views of `out` are good. Returns what is wrong as static text, or an empty text.
[[gnu::always_inline]] inline std::string_view parse_record(const std::uint8_t*& at, const std::uint8_t* end,
                                                            RawRecord& out) {
  const std::uint8_t* p = at;
  std::int32_t size = 0;
  if (!detail::take(p, end, size)) return "a record without a length";
  if (size < 0 || end - p < size) return "a record longer than what is left of its batch";
  const std::uint8_t* const stop = p + size;
  if (p == stop) return "an empty record";
  ++p;  // attributes
  std::int64_t timestamp_delta = 0;
  std::int32_t offset_delta = 0, key_size = 0, value_size = 0, header_count = 0;
  const std::uint8_t *key = nullptr, *value = nullptr;
  if (!detail::take(p, stop, timestamp_delta) || !detail::take(p, stop, offset_delta))
    return "a record that ends before its key";
  if (!detail::skip_sized(p, stop, key_size, key)) return "a key longer than its record";
  if (!detail::skip_sized(p, stop, value_size, value)) return "a value longer than its record";
  if (!detail::take(p, stop, header_count)) return "a record without a header count";
  if (header_count < 0 || header_count > stop - p) return "an impossible number of headers";
  if ((header_count == 0 ? p : detail::behind_headers(p, stop, header_count)) != stop)
    return "headers that do not end with their record";
  out = {.timestamp_delta = timestamp_delta,
         .offset_delta = offset_delta,
         .key_size = key_size,
         .value_size = value_size,
         .header_count = header_count,
         .key = key,
         .value = value,
         .headers = p,
         .end = stop};
  at = stop;
  return {};
}

}  // namespace moldau::record
