#include "base/crc.h"

#include <isa-l/crc.h>

namespace moldau {

std::uint32_t crc32c(ByteView bytes) {
  // ISA-L takes a non-const pointer, an int length, and leaves the final inversion to us.
  std::uint32_t crc = ~0u;
  auto* at = const_cast<std::uint8_t*>(bytes.data());
  for (std::size_t left = bytes.size(); left > 0;) {
    const std::size_t step = left < (1u << 30) ? left : (1u << 30);
    crc = crc32_iscsi(at, static_cast<int>(step), crc);
    at += step;
    left -= step;
  }
  return ~crc;
}

std::uint32_t crc32(ByteView bytes) { return crc32_gzip_refl(0, bytes.data(), bytes.size()); }

}  // namespace moldau
