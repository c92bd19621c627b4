#include "record/record.h"

namespace moldau::record {
namespace {

// REQUIRES: a well-formed header at the front of `rest`.
HeaderView take_header(ByteView& rest) {
  const std::uint8_t* p = rest.data();
  const std::uint8_t* const end = p + rest.size();
  std::int32_t key_size = 0, value_size = 0;
  const std::uint8_t *key = nullptr, *value = nullptr;
  detail::skip_sized(p, end, key_size, key);
  detail::skip_sized(p, end, value_size, value);
  rest = {p, static_cast<std::size_t>(end - p)};
  HeaderView header{.key = {key, static_cast<std::size_t>(key_size)}, .value = std::nullopt};
  if (value_size >= 0) header.value = ByteView(value, static_cast<std::size_t>(value_size));
  return header;
}

}  // namespace

HeaderView HeaderList::Iterator::operator*() const {
  ByteView rest = rest_;
  return take_header(rest);
}

HeaderList::Iterator& HeaderList::Iterator::operator++() {
  take_header(rest_);
  --left_;
  return *this;
}

namespace detail {

template <typename T>
Taken<T> take_long(const std::uint8_t* p, const std::uint8_t* end) {
  const ByteView rest(p, static_cast<std::size_t>(end - p));
  Taken<T> taken{};
  if constexpr (sizeof(T) == sizeof(std::int32_t))
    taken.size = read_varint(rest, taken.value);
  else
    taken.size = read_varlong(rest, taken.value);
  return taken;
}
template Taken<std::int32_t> take_long(const std::uint8_t*, const std::uint8_t*);
template Taken<std::int64_t> take_long(const std::uint8_t*, const std::uint8_t*);

const std::uint8_t* behind_headers(const std::uint8_t* p, const std::uint8_t* end, std::int32_t count) {
  for (; count > 0; --count) {
    std::int32_t size = 0;
    const std::uint8_t* at = nullptr;
    if (!skip_sized(p, end, size, at) || size < 0) return nullptr;
    if (!skip_sized(p, end, size, at)) return nullptr;
  }
  return p;
}

}  // namespace detail

}  // namespace moldau::record
