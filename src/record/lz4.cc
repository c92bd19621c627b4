// LZ4 frames as Kafka's clients write and accept them:
//   int32le 0x184D2204 · FLG: bits 6-7 version 1, 5 blocks independent, 4 block checksums, 3 content size,
//   2 content checksum, 0-1 zero · BD: bits 4-6 block size code 4..7 (64 KiB << 2*(code-4)), others zero ·
//   int64le content size if flagged · byte: second byte of XXH32 over FLG up to here
//   blocks: int32le size, top bit = stored; the bytes; XXH32 of them if flagged
//   int32le 0 · XXH32 of the content if flagged
// 0.8's clients hashed the magic number too. So does magic 0 to this day, and no reader of magic 0 looks.
// What follows the end mark is ignored, the content's own checksum is not compared, both as in Kafka.
#include <algorithm>
#include <array>
#include <bit>
#include <lz4.h>
#include <lz4hc.h>
#include <xxhash.h>

#include "base/check.h"
#include "record/codecs.h"

namespace moldau::record::codecs {
namespace {

std::uint32_t xxh32(ByteView bytes) { return XXH32(bytes.data(), bytes.size(), 0); }

constexpr std::uint32_t kMark = 0x184D2204;
constexpr std::uint32_t kStoredBit = 0x80000000;
constexpr std::uint8_t kFlags = 0x60;  // version 1, independent blocks
constexpr std::uint8_t kBlockCode = 4;
constexpr std::size_t kDescriptorAt = 4;
constexpr std::size_t kContentSizeBytes = 8;

std::uint32_t load_le(const std::uint8_t* at) { return std::byteswap(load_be<std::uint32_t>(at)); }

void append_le(Bytes& out, std::uint32_t n) {
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::uint8_t>(n >> (8 * i)));
}

struct Frame {
  std::size_t header_size = 0;
  std::size_t block_size = 0;
  bool block_checksums = false;
};

Result<Frame> read_header(Lz4Header kind, ByteView in) {
  if (in.size() < kDescriptorAt + 3) return broken("lz4", "it ends in its header");
  if (load_le(in.data()) != kMark) return broken("lz4", "no frame");
  const unsigned flags = in[4], sizes = in[5];
  if (flags >> 6 != 1 || (flags & 0x3) != 0) return broken("lz4", "a frame of another version");
  if ((flags & 0x20) == 0) return broken("lz4", "blocks that depend on one another");
  const unsigned code = (sizes >> 4) & 0x7;
  if (code < kBlockCode || (sizes & 0x8f) != 0) return broken("lz4", "a block size that does not exist");
  const std::size_t descriptor = 2 + ((flags & 0x8) != 0 ? kContentSizeBytes : 0);
  const std::size_t hash_at = kDescriptorAt + descriptor;
  if (in.size() <= hash_at) return broken("lz4", "it ends in its header");
  if (kind == Lz4Header::kAsInSpecification &&
      in[hash_at] != static_cast<std::uint8_t>(xxh32(in.subspan(kDescriptorAt, descriptor)) >> 8))
    return broken("lz4", "the checksum of its header is wrong");
  return Frame{hash_at + 1, std::size_t{1} << (8 + 2 * code), (flags & 0x10) != 0};
}

// Unpacks one block of at most frame.block_size bytes behind `used`.
Status read_block(const Frame& frame, ByteView packed, bool stored, Scratch& out, std::size_t& used) {
  if (out.capacity() < used + frame.block_size) out.grow(std::max(used + frame.block_size, used * 2), used);
  if (stored) {
    std::copy(packed.begin(), packed.end(), out.data() + used);
    used += packed.size();
    return {};
  }
  const int written =
      LZ4_decompress_safe(as_text(packed).data(), reinterpret_cast<char*>(out.data() + used),
                          static_cast<int>(packed.size()), static_cast<int>(frame.block_size));
  if (written < 0) return broken("lz4", "a block that cannot be unpacked");
  used += static_cast<std::size_t>(written);
  return {};
}

}  // namespace

Result<std::size_t> lz4_decompress(Lz4Header header, ByteView in, Scratch& out, std::size_t limit) {
  TRY_ASSIGN(frame, read_header(header, in));
  const bool content_checksum = (in[4] & 0x4) != 0;
  in = in.subspan(frame.header_size);
  std::size_t used = 0;
  for (;;) {
    if (in.size() < sizeof(std::uint32_t)) return broken("lz4", "it ends too early");
    const std::uint32_t head = load_le(in.data());
    in = in.subspan(sizeof head);
    const std::size_t size = head & ~kStoredBit;
    if (size == 0) break;
    if (size > frame.block_size) return broken("lz4", "a block larger than its frame allows");
    const std::size_t with_checksum = size + (frame.block_checksums ? sizeof(std::uint32_t) : 0);
    if (in.size() < with_checksum) return broken("lz4", "it ends too early");
    TRY(read_block(frame, in.first(size), (head & kStoredBit) != 0, out, used));
    if (used > limit) return too_large("lz4", limit);
    if (frame.block_checksums && load_le(in.data() + size) != xxh32(in.first(size)))
      return broken("lz4", "the checksum of a block is wrong");
    in = in.subspan(with_checksum);
  }
  if (content_checksum && in.size() < sizeof(std::uint32_t)) return broken("lz4", "it ends too early");
  return used;
}

void lz4_compress(Lz4Header header, int level, ByteView in, Bytes& out) {
  constexpr std::size_t kBlockSize = std::size_t{64} << 10;
  const std::size_t start = out.size();
  append_le(out, kMark);
  out.push_back(kFlags);
  out.push_back(kBlockCode << 4);
  const std::size_t hashed_from = header == Lz4Header::kAsIn08 ? 0 : kDescriptorAt;
  out.push_back(static_cast<std::uint8_t>(xxh32(ByteView(out).subspan(start + hashed_from)) >> 8));

  while (!in.empty()) {
    const ByteView part = in.first(std::min(in.size(), kBlockSize));
    const int part_size = static_cast<int>(part.size());
    const std::size_t head_at = out.size();
    const int bound = LZ4_compressBound(part_size);
    out.resize(head_at + sizeof(std::uint32_t) + static_cast<std::size_t>(bound));
    char* to = reinterpret_cast<char*>(out.data() + head_at + sizeof(std::uint32_t));
    const char* from = as_text(part).data();
    const int packed = level == level_range(Codec::kLz4).standard
                           ? LZ4_compress_default(from, to, part_size, bound)
                           : LZ4_compress_HC(from, to, part_size, bound, level);
    CHECK(packed > 0);
    const bool stored = packed >= part_size;
    if (stored) std::copy(part.begin(), part.end(), to);
    const auto size = static_cast<std::uint32_t>(stored ? part_size : packed);
    store_be(out.data() + head_at, std::byteswap(size | (stored ? kStoredBit : 0)));
    out.resize(head_at + sizeof(std::uint32_t) + size);
    in = in.subspan(part.size());
  }
  append_le(out, 0);
}

}  // namespace moldau::record::codecs
