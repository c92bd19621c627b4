#include "wire/writer.h"

#include <cstring>

#include "base/check.h"

namespace moldau::wire {
namespace {

constexpr std::size_t kFirstCapacity = 512;
constexpr std::size_t kMaxShortString = 0x7fff;
constexpr std::size_t kMaxLength = 0x7fffffff;
constexpr std::size_t kFrameSize = 4;

}  // namespace

void Writer::swap(Writer& other) noexcept {
  std::swap(begin_, other.begin_);
  std::swap(at_, other.at_);
  std::swap(end_, other.end_);
  std::swap(external_size_, other.external_size_);
  holes_.swap(other.holes_);
  error_.swap(other.error_);
}

void Writer::grow(std::size_t size) {
  const std::size_t used = this->size();
  std::size_t capacity = static_cast<std::size_t>(end_ - begin_);
  capacity = capacity == 0 ? kFirstCapacity : capacity * 2;
  if (capacity < used + size) capacity = used + size;
  auto* memory = static_cast<std::uint8_t*>(std::realloc(begin_, capacity));
  CHECK(memory != nullptr, "out of memory");
  begin_ = memory;
  at_ = begin_ + used;
  end_ = begin_ + capacity;
}

void Writer::clear() { rewind({}); }

void Writer::rewind(Mark mark) {
  cut(mark);
  error_.clear();
}

void Writer::cut(Mark mark) {
  CHECK(mark.size <= size() && mark.holes <= holes_.size());
  at_ = begin_ + mark.size;
  holes_.resize(mark.holes);
  external_size_ = mark.external_size;
}

Writer::Mark Writer::begin_frame() {
  error_.clear();
  const Mark start = mark();
  extend(kFrameSize);
  return start;
}

bool Writer::end_frame(Mark start) {
  const std::uint64_t total = size() - start.size - kFrameSize + (external_size_ - start.external_size);
  if (total > kMaxLength) refuse("a frame of " + std::to_string(total) + " bytes");
  if (!ok()) [[unlikely]]
    return cut(start), false;
  store_be(begin_ + start.size, static_cast<std::uint32_t>(total));
  return true;
}

void Writer::raw(ByteView bytes) {
  if (!bytes.empty()) std::memcpy(extend(bytes.size()), bytes.data(), bytes.size());
}

void Writer::string(bool flexible, std::string_view text) {
  if (text.size() > kMaxShortString) [[unlikely]] {  // in both forms: nobody would read it
    return refuse("a string of " + std::to_string(text.size()) + " bytes");
  }
  if (flexible)
    uvarint(static_cast<std::uint32_t>(text.size()) + 1);
  else
    number(static_cast<std::int16_t>(text.size()));
  raw(as_bytes(text));
}

void Writer::nullable_string(bool flexible, const std::optional<std::string_view>& text) {
  if (text) return string(flexible, *text);
  if (flexible)
    number(std::int8_t{0});
  else
    number(std::int16_t{-1});
}

void Writer::bytes(bool flexible, ByteView bytes) {
  array(flexible, bytes.size());
  raw(bytes);
}

void Writer::nullable_bytes(bool flexible, const std::optional<ByteView>& bytes) {
  if (bytes) return this->bytes(flexible, *bytes);
  null_array(flexible);
}

void Writer::records(bool flexible, const Records& records) {
  if (records.null) return null_array(flexible);
  array(flexible, records.size());
  raw(records.bytes);
  if (records.external_size == 0) return;
  holes_.push_back({size(), records.external_size, records.external_id});
  external_size_ += records.external_size;
}

void Writer::array(bool flexible, std::size_t count) {
  if (count > kMaxLength) [[unlikely]]
    return refuse("a length of " + std::to_string(count));
  if (flexible)
    uvarint(static_cast<std::uint32_t>(count) + 1);
  else
    number(static_cast<std::int32_t>(count));
}

void Writer::null_array(bool flexible) {
  if (flexible)
    number(std::int8_t{0});
  else
    number(std::int32_t{-1});
}

template <typename T>
  requires std::integral<T> || std::same_as<T, Uuid>
void Writer::elements(const std::vector<T>& values) {
  std::uint8_t* to = extend(values.size() * sizeof(T));
  for (const T& value : values) {
    if constexpr (std::integral<T>)
      store_be(to, value);
    else
      std::memcpy(to, &value, sizeof value);
    to += sizeof(T);
  }
}
template void Writer::elements(const std::vector<std::int8_t>&);
template void Writer::elements(const std::vector<std::int16_t>&);
template void Writer::elements(const std::vector<std::int32_t>&);
template void Writer::elements(const std::vector<std::int64_t>&);
template void Writer::elements(const std::vector<Uuid>&);

void Writer::elements(const std::vector<std::string_view>& texts, bool flexible) {
  for (const std::string_view text : texts) string(flexible, text);
}

void Writer::unknown_tags(const UnknownTags& tags) {
  for (const UnknownTag& tag : tags) {
    uvarint(tag.tag);
    uvarint(static_cast<std::uint32_t>(tag.bytes.size()));
    raw(tag.bytes);
  }
}

void Writer::refuse(std::string error) {
  if (error_.empty()) error_ = "cannot write " + std::move(error);
}
void Writer::refuse_value(const char* field, std::int16_t version) {
  refuse(std::string(field) + ", which version " + std::to_string(version) + " does not carry");
}
void Writer::refuse_null(const char* field, std::int16_t version) {
  refuse(std::string("null as ") + field + " in version " + std::to_string(version));
}
void Writer::refuse_version(const char* message, std::int16_t version) {
  refuse(std::string(message) + " in version " + std::to_string(version) + ", which it does not have");
}

std::size_t size_of(bool flexible, const std::vector<std::string_view>& texts) {
  std::size_t size = 0;
  for (const std::string_view text : texts) size += size_of(flexible, text);
  return size;
}

std::size_t size_of(const UnknownTags& tags) {
  std::size_t size = 0;
  for (const UnknownTag& tag : tags) size += tag_size(tag.tag, tag.bytes.size());
  return size;
}

}  // namespace moldau::wire
