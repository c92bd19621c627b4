// Reads Kafka's types from bytes that somebody else owns (all numbers big-endian).
//
// Failure is sticky: after the first one every read yields zero, empty or null, at once, and ok() stays
// false; a decoder asks once, at the end. reason() then says where and why. What always holds:
//   - no read goes past the end, whatever the lengths inside claim;
//   - a count is refused unless that many of the smallest elements fit into the bytes left, and memory is
//   taken as
//     elements are really read, never on the word of a count;
//   - strings and bytes are views into the input.
// `what` names the field for reason(); it must be a literal. One thread.
//
//   form        old                              flexible
//   string      int16 length, -1 = null          uvarint length + 1, 0 = null
//   bytes       int32 length, -1 = null          uvarint length + 1, 0 = null
//   array       int32 count, -1 = null           uvarint count + 1, 0 = null
//   tags        (none)                           uvarint n, n × (uvarint tag, uvarint size, value)
// Any negative length is read as null, as Kafka does.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/uuid.h"
#include "wire/types.h"

namespace moldau::wire {

// Of every string on the wire and in records, in all versions.
inline constexpr std::int64_t kMaxStringBytes = 0x7fff;

class Reader {
 public:
  explicit Reader(ByteView input)
      : begin_(input.data()), at_(input.data()), end_(input.data() + input.size()) {}

  bool ok() const { return !failed_; }
  std::size_t position() const { return static_cast<std::size_t>(at_ - begin_); }
  std::size_t remaining() const { return static_cast<std::size_t>(end_ - at_); }
  ByteView rest() const { return {at_, end_}; }
  // "ProduceRequest 9: topic_data[0].partition_data[2].records: expected 1024 bytes, found 17, at byte 33";
  // "" while ok.
  std::string reason() const;

  // The next `size` bytes, or nullptr. Decoders take a run of fixed-size fields at once.
  const std::uint8_t* take(std::size_t size, const char* what) {
    if (remaining() < size) [[unlikely]]
      return fail_short(size, what), nullptr;
    const std::uint8_t* bytes = at_;
    at_ += size;
    return bytes;
  }
  template <std::integral T>
  T number(const char* what) {
    const std::uint8_t* bytes = take(sizeof(T), what);
    return bytes ? load_be<T>(bytes) : T{};
  }
  std::uint32_t uvarint(const char* what) {
    if (at_ != end_ && *at_ < 0x80) [[likely]]
      return *at_++;
    return long_uvarint(what);
  }
  std::string_view string(bool flexible, const char* what);
  std::optional<std::string_view> nullable_string(bool flexible, const char* what);
  ByteView bytes(bool flexible, const char* what);
  std::optional<ByteView> nullable_bytes(bool flexible, const char* what);
  Records records(bool flexible, bool nullable, const char* what);

  // The count of an array whose elements take `smallest` bytes at least; nullable_array: -1 for null.
  std::int32_t array(bool flexible, std::size_t smallest, const char* what);
  std::int32_t nullable_array(bool flexible, std::size_t smallest, const char* what);
  // Elements of a counted array. REQUIRES: `count` comes from array() or nullable_array() of that element's
  // size.
  template <typename T>
    requires std::integral<T> || std::same_as<T, Uuid>
  void fill(std::int32_t count, std::vector<T>& out);
  void fill(std::int32_t count, std::vector<std::string_view>& out, bool flexible, const char* what);
  // Room for `count` structs, within reason: a peer may claim more than it sends.
  template <typename T>
  static void reserve(std::int32_t count, std::vector<T>& out) {
    constexpr std::size_t kAtOnce = 1 + (std::size_t{32} << 10) / sizeof(T);
    const auto wanted = static_cast<std::size_t>(count);
    out.reserve(wanted < kAtOnce ? wanted : kAtOnce);
  }

  // One entry of a tag section. A reader of a known tag ends with end(tag): the value must fill its size
  // exactly.
  struct Tag {
    std::uint32_t number = 0;
    const std::uint8_t* end = nullptr;
  };
  std::uint32_t tag_count() { return uvarint("tags"); }
  Tag tag();
  void end(Tag tag);
  void skip(Tag tag) { at_ = tag.end; }
  void keep(Tag tag, UnknownTags& out);
  void skip_tags() {
    if (at_ != end_ && *at_ == 0) [[likely]]
      ++at_;
    else
      skip_all_tags();
  }

  // For who reads a number that must lie in a range: notes a failure like those that the reader finds itself.
  void refuse(const char* what, std::uint64_t largest, std::int64_t found) {
    fail(Failure::kRange, what, largest, found);
  }

  // For generated decoders. begin: false, with a failure, if the version is none of the message's.
  bool begin(const char* message, std::int16_t version, std::int16_t min, std::int16_t max) {
    message_ = message;
    version_ = version;
    if (version < min || version > max) [[unlikely]]
      fail(Failure::kVersion, "", max, version);
    return ok();
  }
  static constexpr std::uint32_t kNoIndex = UINT32_MAX;
  // Adds a step to the path of a failure, from the inside out.
  void inside(const char* field, std::uint32_t index = kNoIndex);

 private:
  enum class Failure : std::uint8_t { kShort, kNull, kLongVarint, kCount, kTagSize, kVersion, kRange };
  struct Step {
    const char* field;
    std::uint32_t index;
  };
  static constexpr std::size_t kMaxSteps = 8;

  void fail(Failure kind, const char* what, std::uint64_t expected, std::int64_t found);
  void fail_short(std::size_t size, const char* what);
  std::uint32_t long_uvarint(const char* what);
  void skip_all_tags();
  std::int64_t length(bool flexible, bool wide, const char* what);
  const std::uint8_t* non_null(std::int64_t size, const char* what);

  const std::uint8_t* begin_;
  const std::uint8_t* at_;
  const std::uint8_t* end_;
  bool failed_ = false;
  const char* message_ = "";
  std::int16_t version_ = 0;
  // Set by the first failure only.
  Failure kind_{};
  std::uint8_t depth_ = 0;
  std::uint64_t expected_ = 0;
  std::int64_t found_ = 0;
  std::size_t where_ = 0;
  std::array<Step, kMaxSteps> path_;  // [0] is the field that failed
};

inline double to_float64(std::uint64_t bits) { return std::bit_cast<double>(bits); }

}  // namespace moldau::wire
