// XXH32 with seed 0: the checksum inside LZ4 frames (github.com/Cyan4973/xxHash, doc/xxhash_spec.md).
#pragma once

#include <bit>
#include <cstdint>

#include "base/bytes.h"

namespace moldau::record {

namespace xxh {
inline constexpr std::uint32_t kPrime1 = 0x9E3779B1, kPrime2 = 0x85EBCA77, kPrime3 = 0xC2B2AE3D,
                               kPrime4 = 0x27D4EB2F, kPrime5 = 0x165667B1;
inline std::uint32_t lane(const std::uint8_t* at) { return std::byteswap(load_be<std::uint32_t>(at)); }
inline std::uint32_t round(std::uint32_t sum, std::uint32_t lane) {
  return std::rotl(sum + lane * kPrime2, 13) * kPrime1;
}
}  // namespace xxh

inline std::uint32_t xxhash32(ByteView in) {
  using namespace xxh;
  const std::uint8_t* at = in.data();
  std::size_t left = in.size();
  std::uint32_t hash = kPrime5;
  if (left >= 16) {
    std::uint32_t a = kPrime1 + kPrime2, b = kPrime2, c = 0, d = 0u - kPrime1;
    for (; left >= 16; left -= 16, at += 16) {
      a = round(a, lane(at));
      b = round(b, lane(at + 4));
      c = round(c, lane(at + 8));
      d = round(d, lane(at + 12));
    }
    hash = std::rotl(a, 1) + std::rotl(b, 7) + std::rotl(c, 12) + std::rotl(d, 18);
  }
  hash += static_cast<std::uint32_t>(in.size());
  for (; left >= 4; left -= 4, at += 4) hash = std::rotl(hash + lane(at) * kPrime3, 17) * kPrime4;
  for (; left > 0; --left, ++at) hash = std::rotl(hash + *at * kPrime5, 11) * kPrime1;
  hash = (hash ^ (hash >> 15)) * kPrime2;
  hash = (hash ^ (hash >> 13)) * kPrime3;
  return hash ^ (hash >> 16);
}

}  // namespace moldau::record
