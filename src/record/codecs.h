// One pair of functions per codec, behind compression.h. Each decompress function leaves the content at
// out.data() and returns its length, at most `limit`; each compress function appends to `out`.
#pragma once

#include <cstddef>

#include "base/bytes.h"
#include "base/result.h"
#include "record/compression.h"

struct z_stream_s;
struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace moldau::record::codecs {

// Ready to inflate gzip members; reset by each call.
Result<std::size_t> gzip_decompress(z_stream_s& inflater, ByteView in, Scratch& out, std::size_t limit);
void gzip_compress(int level, ByteView in, Bytes& out);

Result<std::size_t> snappy_decompress(ByteView in, Scratch& out, std::size_t limit);
void snappy_compress(ByteView in, Bytes& out);

enum class Lz4Header : bool { kAsInSpecification, kAsIn08 };
Result<std::size_t> lz4_decompress(Lz4Header header, ByteView in, Scratch& out, std::size_t limit);
void lz4_compress(Lz4Header header, int level, ByteView in, Bytes& out);

Result<std::size_t> zstd_decompress(ZSTD_DCtx_s* context, ByteView in, Scratch& out, std::size_t limit);
void zstd_compress(ZSTD_CCtx_s* context, int level, ByteView in, Bytes& out);

// The common errors.
inline std::unexpected<Error> broken(std::string_view codec, std::string_view what) {
  return fail(ErrorKind::kCorrupt, std::string(codec) + " content is broken: " + std::string(what));
}
inline std::unexpected<Error> too_large(std::string_view codec, std::size_t limit) {
  return fail(ErrorKind::kInvalid,
              std::string(codec) + " content is larger than the " + std::to_string(limit) + " bytes allowed");
}

// Room for more output behind `used` bytes, never beyond limit + 1: whoever fills that last byte has gone too
// far. Growing copies, so the last step is taken early: at most one and a half times the limit is held at
// once.
inline std::size_t more_room(Scratch& out, std::size_t used, std::size_t limit) {
  const std::size_t wanted = out.capacity() > used ? out.capacity() : used * 2;
  const std::size_t floor = std::size_t{64} << 10;
  const std::size_t doubled = wanted < floor ? floor : wanted;
  const std::size_t capacity = doubled > limit / 2 && doubled > out.capacity() ? limit + 1 : doubled;
  out.grow(capacity < limit + 1 ? capacity : limit + 1, used);
  return (out.capacity() < limit + 1 ? out.capacity() : limit + 1) - used;
}

}  // namespace moldau::record::codecs
