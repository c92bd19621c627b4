#include "base/varint.h"

namespace moldau {
namespace {

// Bits beyond the type's width in the last byte are dropped, as Kafka's ByteUtils does.
template <typename T, std::size_t MaxBytes>
std::size_t read(ByteView in, T& out) {
  T value = 0;
  const std::size_t end = in.size() < MaxBytes ? in.size() : MaxBytes;
  for (std::size_t i = 0; i < end; ++i) {
    value |= static_cast<T>(in[i] & 0x7f) << (7 * i);
    if (in[i] < 0x80) {
      out = value;
      return i + 1;
    }
  }
  return 0;
}

}  // namespace

std::size_t read_uvarint(ByteView in, std::uint32_t& out) {
  return read<std::uint32_t, kMaxVarintBytes>(in, out);
}
std::size_t read_uvarint(ByteView in, std::uint64_t& out) {
  return read<std::uint64_t, kMaxVarlongBytes>(in, out);
}

std::size_t read_varint(ByteView in, std::int32_t& out) {
  std::uint32_t raw = 0;
  const std::size_t taken = read_uvarint(in, raw);
  if (taken != 0) out = unzigzag(raw);
  return taken;
}

std::size_t read_varlong(ByteView in, std::int64_t& out) {
  std::uint64_t raw = 0;
  const std::size_t taken = read_uvarint(in, raw);
  if (taken != 0) out = unzigzag(raw);
  return taken;
}

}  // namespace moldau
