// Java's snappy stream (xerial): "\x82SNAPPY\0", int32 version 1, int32 oldest compatible version 1, then
// blocks of at most 32 KiB, each an int32 size and a bare snappy block. A payload without that header is one
// bare block, as other clients write it. A header may come again where streams were joined.
#include <algorithm>
#include <array>
#include <snappy.h>

#include "base/check.h"
#include "record/codecs.h"

namespace moldau::record::codecs {
namespace {

constexpr std::array<std::uint8_t, 16> kHeader{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1};
constexpr std::size_t kMarkSize = 8;
constexpr std::size_t kVersionAt = 8;
constexpr std::int32_t kOldestVersion = 1;
constexpr std::size_t kBlockSize = std::size_t{32} << 10;

bool has_mark(ByteView in) {
  return in.size() >= kHeader.size() && std::equal(in.begin(), in.begin() + kMarkSize, kHeader.begin());
}

Status block(ByteView in, Scratch& out, std::size_t& used, std::size_t limit) {
  const char* text = as_text(in).data();
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(text, in.size(), &size))
    return broken("snappy", "a block without a length");
  if (size > limit - used) return too_large("snappy", limit);
  if (out.capacity() < used + size) out.grow(std::max(used + size, std::min(used * 2, limit)), used);
  // A null pointer means nothing to snappy, not even for an empty block.
  if (out.data() == nullptr) out.grow(1);
  if (!snappy::RawUncompress(text, in.size(), reinterpret_cast<char*>(out.data() + used)))
    return broken("snappy", "a block that cannot be unpacked");
  used += size;
  return {};
}

}  // namespace

Result<std::size_t> snappy_decompress(ByteView in, Scratch& out, std::size_t limit) {
  std::size_t used = 0;
  if (!has_mark(in)) {
    TRY(block(in, out, used, limit));
    return used;
  }
  while (in.size() >= sizeof(std::int32_t)) {
    if (has_mark(in)) {
      if (load_be<std::int32_t>(in.data() + kVersionAt) < kOldestVersion)
        return broken("snappy", "a stream of an unknown version");
      in = in.subspan(kHeader.size());
      continue;
    }
    const auto size = load_be<std::uint32_t>(in.data());
    in = in.subspan(sizeof size);
    if (size == 0 || size > in.size()) return broken("snappy", "a block that ends too early");
    TRY(block(in.first(size), out, used, limit));
    in = in.subspan(size);
  }
  return used;
}

void snappy_compress(ByteView in, Bytes& out) {
  out.insert(out.end(), kHeader.begin(), kHeader.end());
  while (!in.empty()) {
    const ByteView part = in.first(std::min(in.size(), kBlockSize));
    const std::size_t start = out.size();
    std::size_t size = 0;
    out.resize(start + sizeof(std::uint32_t) + snappy::MaxCompressedLength(part.size()));
    snappy::RawCompress(as_text(part).data(), part.size(),
                        reinterpret_cast<char*>(out.data() + start + sizeof(std::uint32_t)), &size);
    store_be(out.data() + start, static_cast<std::uint32_t>(size));
    out.resize(start + sizeof(std::uint32_t) + size);
    in = in.subspan(part.size());
  }
}

}  // namespace moldau::record::codecs
