// Variable-length integers: 7 bits a byte, low group first, high bit = more follows (protobuf's form).
// `uvarint` is plain; `varint`/`varlong` are zigzag (0, -1, 1, -2 … → 0, 1, 2, 3 …), used inside records.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace moldau {

inline constexpr std::size_t kMaxVarintBytes = 5;
inline constexpr std::size_t kMaxVarlongBytes = 10;

constexpr std::uint32_t zigzag(std::int32_t n) {
  return (static_cast<std::uint32_t>(n) << 1) ^ static_cast<std::uint32_t>(n >> 31);
}
constexpr std::uint64_t zigzag(std::int64_t n) {
  return (static_cast<std::uint64_t>(n) << 1) ^ static_cast<std::uint64_t>(n >> 63);
}
constexpr std::int32_t unzigzag(std::uint32_t n) {
  return static_cast<std::int32_t>((n >> 1) ^ (~(n & 1) + 1));
}
constexpr std::int64_t unzigzag(std::uint64_t n) {
  return static_cast<std::int64_t>((n >> 1) ^ (~(n & 1) + 1));
}

// How many bytes write_uvarint writes.
template <typename T>
constexpr std::size_t uvarint_size(T n) {
  std::size_t size = 1;
  while (n >= 0x80) n >>= 7, ++size;
  return size;
}
constexpr std::size_t varint_size(std::int32_t n) { return uvarint_size(zigzag(n)); }
constexpr std::size_t varlong_size(std::int64_t n) { return uvarint_size(zigzag(n)); }

// Writes n at `at` and returns the byte behind it. REQUIRES: uvarint_size(n) writable bytes.
template <typename T>
std::uint8_t* write_uvarint(std::uint8_t* at, T n) {
  while (n >= 0x80) {
    *at++ = static_cast<std::uint8_t>(n | 0x80);
    n >>= 7;
  }
  *at++ = static_cast<std::uint8_t>(n);
  return at;
}
inline std::uint8_t* write_varint(std::uint8_t* at, std::int32_t n) { return write_uvarint(at, zigzag(n)); }
inline std::uint8_t* write_varlong(std::uint8_t* at, std::int64_t n) { return write_uvarint(at, zigzag(n)); }

// Reads from the front of `in` into `out` and returns how many bytes it took; 0 when `in` ends too early or
// the number is longer than its type allows (5 bytes for 32 bits, 10 for 64).
std::size_t read_uvarint(ByteView in, std::uint32_t& out);
std::size_t read_uvarint(ByteView in, std::uint64_t& out);
std::size_t read_varint(ByteView in, std::int32_t& out);
std::size_t read_varlong(ByteView in, std::int64_t& out);

}  // namespace moldau
