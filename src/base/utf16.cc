#include "base/utf16.h"

#include <bit>
#include <cstdint>

namespace moldau {

std::u16string to_utf16(std::string_view text) {
  std::u16string units;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<std::uint8_t>(text[i]);
    const int more = std::countl_one(lead) < 2 ? 0 : std::countl_one(lead) - 1;
    char32_t point = more == 0 ? lead : lead & (0x3Fu >> more);
    bool valid = (lead < 0x80 || more > 0) && more < 4 && i + static_cast<std::size_t>(more) < text.size();
    for (int k = 1; valid && k <= more; ++k) {
      const auto next = static_cast<std::uint8_t>(text[i + static_cast<std::size_t>(k)]);
      valid = (next & 0xC0) == 0x80;
      point = (point << 6) | (next & 0x3F);
    }
    i += valid ? static_cast<std::size_t>(more) + 1 : 1;
    if (!valid) {
      units.push_back(u'\uFFFD');
    } else if (point < 0x10000) {
      units.push_back(static_cast<char16_t>(point));
    } else {
      units.push_back(static_cast<char16_t>(0xD7C0 + (point >> 10)));
      units.push_back(static_cast<char16_t>(0xDC00 + (point & 0x3FF)));
    }
  }
  return units;
}

}  // namespace moldau
