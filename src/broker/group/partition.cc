#include "broker/group/partition.h"

#include <limits>

namespace moldau::broker {
namespace {

constexpr std::uint32_t kReplacement = 0xfffd;

// Takes one code point off the front.
std::uint32_t next_code_point(std::string_view& text) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<std::uint8_t>(text[i]));
  };
  const std::uint32_t first = byte(0);
  const std::size_t length = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  std::uint32_t point = length <= 1 ? first : first & (0x7fu >> length);
  bool whole = length != 0 && length <= text.size();
  for (std::size_t i = 1; whole && i < length; ++i) {
    whole = (byte(i) & 0xc0) == 0x80;
    point = (point << 6) | (byte(i) & 0x3f);
  }
  text.remove_prefix(whole ? length : 1);
  return whole ? point : kReplacement;
}

}  // namespace

std::int32_t java_hash(std::string_view text) {
  std::uint32_t hash = 0;
  while (!text.empty()) {
    const std::uint32_t point = next_code_point(text);
    if (point < 0x10000) {
      hash = hash * 31 + point;
      continue;
    }
    const std::uint32_t above = point - 0x10000;  // as a pair of surrogates
    hash = hash * 31 + (0xd800 + (above >> 10));
    hash = hash * 31 + (0xdc00 + (above & 0x3ff));
  }
  return static_cast<std::int32_t>(hash);
}

std::int32_t group_partition(std::string_view group, std::int32_t partitions) {
  const std::int32_t hash = java_hash(group);
  return (hash == std::numeric_limits<std::int32_t>::min() ? 0 : hash < 0 ? -hash : hash) % partitions;
}

}  // namespace moldau::broker
