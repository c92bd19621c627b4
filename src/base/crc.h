// Checksums: CRC-32C (record batches of magic 2, checkpoints of producer state) and CRC-32 (magic 0 and 1).
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace moldau {

std::uint32_t crc32c(ByteView bytes);
std::uint32_t crc32(ByteView bytes);  // IEEE 802.3, as java.util.zip.CRC32

}  // namespace moldau
