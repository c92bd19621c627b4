// Writes Kafka's types behind one another into one growing buffer; the forms stand in reader.h.
//
// The buffer is meant to live long: a connection appends the replies of a turn, sends them, clear()s and
// keeps the memory. Records that are not in memory leave a hole: their length is written, their bytes are
// not, and holes() says which bytes belong where. What cannot be written (null where the version has none, a
// value that the version cannot carry, a string of 32 KiB) is a mistake of the caller, not of
// a peer: error() names message and field, ok() stays false. One thread.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/varint.h"
#include "wire/types.h"

namespace moldau::wire {

// `size` bytes called `external_id` belong in front of byte `position` of the buffer.
struct Hole {
  std::size_t position = 0;
  std::uint64_t size = 0;
  std::uint32_t external_id = 0;

  bool operator==(const Hole&) const = default;
};

class Writer {
 public:
  Writer() = default;
  Writer(Writer&& other) noexcept { swap(other); }
  Writer& operator=(Writer&& other) noexcept { return swap(other), *this; }
  ~Writer() { std::free(begin_); }

  bool ok() const { return error_.empty(); }
  const std::string& error() const { return error_; }
  std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }
  ByteView view() const { return {begin_, at_}; }
  Bytes to_bytes() const { return {begin_, at_}; }
  const std::vector<Hole>& holes() const { return holes_; }
  std::uint64_t external_size() const { return external_size_; }

  // Forgets content, holes and error; keeps the memory.
  void clear();
  void reserve(std::size_t size) {
    if (static_cast<std::size_t>(end_ - at_) < size) [[unlikely]]
      grow(size);
  }
  // A frame: an int32 in front that counts what is written between the two, holes included. end_frame: false
  // if anything between could not be written; then all of the frame is taken back, and error() stays until
  // the next begin_frame.
  struct Mark {
    std::size_t size = 0;
    std::size_t holes = 0;
    std::uint64_t external_size = 0;
  };
  Mark begin_frame();
  bool end_frame(Mark start);
  // The place reached, and the way back to it: forgets all that was written since, a mistake included.
  Mark mark() const { return {size(), holes_.size(), external_size_}; }
  void rewind(Mark mark);

  // `size` bytes to fill in. Encoders write a run of fixed-size fields at once.
  std::uint8_t* extend(std::size_t size) {
    reserve(size);
    return std::exchange(at_, at_ + size);
  }
  template <std::integral T>
  void number(T value) {
    store_be(extend(sizeof(T)), value);
  }
  void uvarint(std::uint32_t value) {
    reserve(kMaxVarintBytes);
    at_ = write_uvarint(at_, value);
  }
  void raw(ByteView bytes);
  void string(bool flexible, std::string_view text);
  void nullable_string(bool flexible, const std::optional<std::string_view>& text);
  void bytes(bool flexible, ByteView bytes);
  void nullable_bytes(bool flexible, const std::optional<ByteView>& bytes);
  void records(bool flexible, const Records& records);
  void array(bool flexible, std::size_t count);
  void null_array(bool flexible);
  template <typename T>
    requires std::integral<T> || std::same_as<T, Uuid>
  void elements(const std::vector<T>& values);
  void elements(const std::vector<std::string_view>& texts, bool flexible);
  void unknown_tags(const UnknownTags& tags);

  // Notes a mistake; the first one counts. `field` is a literal, "Message.Struct.field".
  void refuse_value(const char* field, std::int16_t version);
  void refuse_null(const char* field, std::int16_t version);
  void refuse_version(const char* message, std::int16_t version);

 private:
  void swap(Writer& other) noexcept;
  void grow(std::size_t size);
  void refuse(std::string error);
  void cut(Mark mark);

  std::uint8_t* begin_ = nullptr;
  std::uint8_t* at_ = nullptr;
  std::uint8_t* end_ = nullptr;
  std::uint64_t external_size_ = 0;
  std::vector<Hole> holes_;
  std::string error_;
};

inline std::uint64_t from_float64(double value) { return std::bit_cast<std::uint64_t>(value); }

// How many bytes each form takes.
constexpr std::size_t string_size(bool flexible, std::size_t size) {
  return size + (flexible ? uvarint_size(static_cast<std::uint32_t>(size) + 1) : 2);
}
constexpr std::size_t array_size(bool flexible, std::size_t count) {
  return flexible ? uvarint_size(static_cast<std::uint32_t>(count) + 1) : 4;
}
constexpr std::size_t bytes_size(bool flexible, std::size_t size) {
  return size + array_size(flexible, size);
}
constexpr std::size_t null_string_size(bool flexible) { return flexible ? 1 : 2; }
constexpr std::size_t null_bytes_size(bool flexible) { return flexible ? 1 : 4; }
constexpr std::size_t null_array_size(bool flexible) { return flexible ? 1 : 4; }
// A tagged field, tag and size included, of a value of `size` bytes.
constexpr std::size_t tag_size(std::uint32_t tag, std::size_t size) {
  return uvarint_size(tag) + uvarint_size(static_cast<std::uint32_t>(size)) + size;
}
inline std::size_t size_of(bool flexible, std::string_view text) {
  return string_size(flexible, text.size());
}
inline std::size_t size_of(bool flexible, const std::optional<std::string_view>& text) {
  return text ? string_size(flexible, text->size()) : null_string_size(flexible);
}
inline std::size_t size_of(bool flexible, ByteView bytes) { return bytes_size(flexible, bytes.size()); }
inline std::size_t size_of(bool flexible, const std::optional<ByteView>& bytes) {
  return bytes ? bytes_size(flexible, bytes->size()) : null_bytes_size(flexible);
}
inline std::size_t size_of(bool flexible, const Records& records) {
  return records.null ? null_bytes_size(flexible) : bytes_size(flexible, records.size());
}
std::size_t size_of(bool flexible, const std::vector<std::string_view>& texts);
std::size_t size_of(const UnknownTags& tags);

}  // namespace moldau::wire
