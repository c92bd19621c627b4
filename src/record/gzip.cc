#include <algorithm>
#include <limits>
#include <zlib.h>

#include "base/check.h"
#include "record/codecs.h"

namespace moldau::record::codecs {
namespace {

constexpr std::size_t kSmallestMember = 18;  // header and trailer around nothing

bool starts_member(ByteView in) {
  return in.size() > kSmallestMember && in[0] == 0x1f && in[1] == 0x8b && in[2] == Z_DEFLATED;
}

// zlib counts in 32 bits.
uInt clipped(std::size_t n) {
  return static_cast<uInt>(std::min<std::size_t>(n, std::numeric_limits<uInt>::max()));
}

// Inflates one member from the front of `in`; returns how many bytes of `in` it took and advances `used`.
Result<std::size_t> inflate_member(z_stream& z, ByteView in, Scratch& out, std::size_t& used,
                                   std::size_t limit) {
  inflateReset(&z);
  std::size_t taken = 0;
  for (;;) {
    const std::size_t room = more_room(out, used, limit);
    const uInt offered = clipped(in.size() - taken);
    z.next_in = const_cast<Bytef*>(in.data() + taken);
    z.avail_in = offered;
    z.next_out = out.data() + used;
    z.avail_out = clipped(room);
    const int outcome = inflate(&z, Z_NO_FLUSH);
    const std::size_t written = static_cast<std::size_t>(z.next_out - out.data()) - used;
    taken += offered - z.avail_in;
    used += written;
    if (used > limit) return too_large("gzip", limit);
    if (outcome == Z_STREAM_END) return taken;
    if (outcome != Z_OK && outcome != Z_BUF_ERROR)
      return broken("gzip", z.msg != nullptr ? z.msg : "no header");
    if (taken == in.size() && z.avail_out != 0) return broken("gzip", "it ends too early");
  }
}

}  // namespace

Result<std::size_t> gzip_decompress(z_stream& inflater, ByteView in, Scratch& out, std::size_t limit) {
  std::size_t used = 0;
  do {
    TRY_ASSIGN(taken, inflate_member(inflater, in, out, used, limit));
    in = in.subspan(taken);
  } while (starts_member(in));
  return used;
}

void gzip_compress(int level, ByteView in, Bytes& out) {
  constexpr int kGzipHeader = 16, kMemoryLevel = 8;
  z_stream z{};
  CHECK(deflateInit2(&z, level, Z_DEFLATED, MAX_WBITS + kGzipHeader, kMemoryLevel, Z_DEFAULT_STRATEGY) ==
        Z_OK);
  CHECK(in.size() <= std::numeric_limits<uInt>::max());
  const std::size_t start = out.size();
  out.resize(start + deflateBound(&z, in.size()));
  z.next_in = const_cast<Bytef*>(in.data());
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = out.data() + start;
  z.avail_out = clipped(out.size() - start);
  CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
  out.resize(start + z.total_out);
  deflateEnd(&z);
}

}  // namespace moldau::record::codecs
