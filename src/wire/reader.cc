#include "wire/reader.h"

#include <cstring>

#include "base/varint.h"

namespace moldau::wire {

void Reader::fail(Failure kind, const char* what, std::uint64_t expected, std::int64_t found) {
  if (failed_) return;
  failed_ = true;
  kind_ = kind;
  expected_ = expected;
  found_ = found;
  where_ = position();
  path_[0] = {what, kNoIndex};
  depth_ = 1;
  at_ = end_;
}

void Reader::fail_short(std::size_t size, const char* what) {
  fail(Failure::kShort, what, size, static_cast<std::int64_t>(remaining()));
}

void Reader::inside(const char* field, std::uint32_t index) {
  if (depth_ < kMaxSteps) path_[depth_++] = {field, index};
}

std::string Reader::reason() const {
  if (ok()) return "";
  std::string text = message_;
  text += *message_ ? " " + std::to_string(version_) + ": " : "";
  for (std::size_t i = depth_; i-- > 0;) {
    if (!*path_[i].field) continue;
    text += path_[i].field;
    if (path_[i].index != kNoIndex) text += "[" + std::to_string(path_[i].index) + "]";
    text += i == 0 ? ": " : ".";
  }
  const std::string expected = std::to_string(expected_);
  const std::string found = std::to_string(found_);
  switch (kind_) {
    case Failure::kShort:
      text += "expected " + expected + " bytes, found " + found;
      break;
    case Failure::kNull:
      text += "expected a value, found null";
      break;
    case Failure::kLongVarint:
      text += "expected a number of at most 5 bytes, found a longer one";
      break;
    case Failure::kCount:
      text += "expected at most " + expected + " elements in the bytes left, found a count of " + found;
      break;
    case Failure::kTagSize:
      text += "expected a tagged value of " + expected + " bytes, found one of " + found;
      break;
    case Failure::kVersion:
      text += "expected a version up to " + expected;
      break;
    case Failure::kRange:
      text += "found " + found + ", out of range: the largest is " + expected;
      break;
  }
  return text + ", at byte " + std::to_string(where_);
}

std::uint32_t Reader::long_uvarint(const char* what) {
  std::uint32_t value = 0;
  const std::size_t taken = read_uvarint(rest(), value);
  if (taken == 0) [[unlikely]] {
    if (remaining() < kMaxVarintBytes)
      fail_short(remaining() + 1, what);
    else
      fail(Failure::kLongVarint, what, 0, 0);
    return 0;
  }
  at_ += taken;
  return value;
}

// Negative = null. `wide`: the old form has four bytes (bytes, arrays) rather than two (strings). A string is
// no longer than two bytes can say in the new form either: what was read goes on into records of the old one.
inline std::int64_t Reader::length(bool flexible, bool wide, const char* what) {
  if (flexible) {
    const std::int64_t size = static_cast<std::int64_t>(uvarint(what)) - 1;
    if (wide || size <= kMaxStringBytes) [[likely]]
      return size;
    fail(Failure::kRange, what, kMaxStringBytes, size);
    return -1;
  }
  return wide ? number<std::int32_t>(what) : number<std::int16_t>(what);
}

inline const std::uint8_t* Reader::non_null(std::int64_t size, const char* what) {
  if (size < 0) [[unlikely]]
    return fail(Failure::kNull, what, 0, 0), nullptr;
  return take(static_cast<std::size_t>(size), what);
}

std::string_view Reader::string(bool flexible, const char* what) {
  const std::int64_t size = length(flexible, false, what);
  const std::uint8_t* text = non_null(size, what);
  if (!text) [[unlikely]]
    return {};
  return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)};
}

std::optional<std::string_view> Reader::nullable_string(bool flexible, const char* what) {
  const std::int64_t size = length(flexible, false, what);
  if (size < 0) return std::nullopt;
  const std::uint8_t* text = take(static_cast<std::size_t>(size), what);
  if (!text) [[unlikely]]
    return std::nullopt;
  return std::string_view{reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)};
}

ByteView Reader::bytes(bool flexible, const char* what) {
  const std::int64_t size = length(flexible, true, what);
  const std::uint8_t* data = non_null(size, what);
  if (!data) [[unlikely]]
    return {};
  return {data, static_cast<std::size_t>(size)};
}

std::optional<ByteView> Reader::nullable_bytes(bool flexible, const char* what) {
  const std::int64_t size = length(flexible, true, what);
  if (size < 0) return std::nullopt;
  const std::uint8_t* data = take(static_cast<std::size_t>(size), what);
  if (!data) [[unlikely]]
    return std::nullopt;
  return ByteView{data, static_cast<std::size_t>(size)};
}

Records Reader::records(bool flexible, bool nullable, const char* what) {
  const std::int64_t size = length(flexible, true, what);
  if (size < 0 && nullable && ok()) return Records::none();
  const std::uint8_t* data = non_null(size, what);
  if (!data) [[unlikely]]
    return {};
  return Records::view({data, static_cast<std::size_t>(size)});
}

std::int32_t Reader::nullable_array(bool flexible, std::size_t smallest, const char* what) {
  const std::int64_t count = length(flexible, true, what);
  if (count < 0) return -1;
  const std::size_t most = remaining() / smallest;
  if (static_cast<std::uint64_t>(count) > most) [[unlikely]]
    return fail(Failure::kCount, what, most, count), 0;
  return static_cast<std::int32_t>(count);
}

std::int32_t Reader::array(bool flexible, std::size_t smallest, const char* what) {
  const std::int32_t count = nullable_array(flexible, smallest, what);
  if (count < 0) [[unlikely]]
    return fail(Failure::kNull, what, 0, 0), 0;
  return count;
}

template <typename T>
  requires std::integral<T> || std::same_as<T, Uuid>
void Reader::fill(std::int32_t count, std::vector<T>& out) {
  const auto size = static_cast<std::size_t>(count);
  const std::uint8_t* from = take(size * sizeof(T), "");
  if (!from || size == 0) return;
  out.resize(size);
  if constexpr (std::integral<T>) {
    for (std::size_t i = 0; i < size; ++i) out[i] = load_be<T>(from + i * sizeof(T));
  } else {
    std::memcpy(out.data(), from, size * sizeof(T));
  }
}
template void Reader::fill(std::int32_t, std::vector<std::int8_t>&);
template void Reader::fill(std::int32_t, std::vector<std::int16_t>&);
template void Reader::fill(std::int32_t, std::vector<std::int32_t>&);
template void Reader::fill(std::int32_t, std::vector<std::int64_t>&);
template void Reader::fill(std::int32_t, std::vector<Uuid>&);

void Reader::fill(std::int32_t count, std::vector<std::string_view>& out, bool flexible, const char* what) {
  reserve(count, out);
  for (std::int32_t i = 0; i < count && ok(); ++i) out.push_back(string(flexible, what));
}

Reader::Tag Reader::tag() {
  const std::uint32_t number = uvarint("tag");
  const std::uint32_t size = uvarint("tag size");
  if (remaining() < size) [[unlikely]]
    fail_short(size, "tagged value");
  return {number, ok() ? at_ + size : end_};
}

void Reader::end(Tag tag) {
  if (at_ == tag.end || failed_) [[likely]]
    return;
  fail(Failure::kTagSize, "tagged value", static_cast<std::uint64_t>(tag.end - begin_), at_ - begin_);
}

void Reader::keep(Tag tag, UnknownTags& out) {
  if (failed_) return;
  out.push_back({tag.number, ByteView{at_, tag.end}});
  at_ = tag.end;
}

void Reader::skip_all_tags() {
  for (std::uint32_t left = tag_count(); left > 0 && ok(); --left) skip(tag());
}

}  // namespace moldau::wire
