#include <zstd.h>

#include "base/check.h"
#include "record/codecs.h"

namespace moldau::record::codecs {
namespace {

Result<std::size_t> stream(ZSTD_DCtx* context, ByteView in, Scratch& out, std::size_t limit) {
  ZSTD_DCtx_reset(context, ZSTD_reset_session_only);
  ZSTD_inBuffer from{in.data(), in.size(), 0};
  std::size_t used = 0, state = 1;
  do {
    const std::size_t room = more_room(out, used, limit);
    ZSTD_outBuffer to{out.data() + used, room, 0};
    state = ZSTD_decompressStream(context, &to, &from);
    if (ZSTD_isError(state)) return broken("zstd", ZSTD_getErrorName(state));
    used += to.pos;
    if (used > limit) return too_large("zstd", limit);
    if (from.pos == from.size && to.pos < to.size && state != 0) return broken("zstd", "it ends too early");
  } while (from.pos < from.size || state != 0);
  return used;
}

}  // namespace

Result<std::size_t> zstd_decompress(ZSTD_DCtx* context, ByteView in, Scratch& out, std::size_t limit) {
  if (in.empty()) return broken("zstd", "no frame");
  // Kafka's Java clients write frames without a content size; librdkafka and we write it, and then it goes at
  // once.
  const unsigned long long size = ZSTD_getFrameContentSize(in.data(), in.size());
  if (size == ZSTD_CONTENTSIZE_ERROR) return broken("zstd", "no frame");
  if (size == ZSTD_CONTENTSIZE_UNKNOWN || ZSTD_findFrameCompressedSize(in.data(), in.size()) != in.size())
    return stream(context, in, out, limit);
  if (size > limit) return too_large("zstd", limit);
  out.grow(size + 1);
  const std::size_t written = ZSTD_decompressDCtx(context, out.data(), size, in.data(), in.size());
  if (ZSTD_isError(written)) return broken("zstd", ZSTD_getErrorName(written));
  return written;
}

void zstd_compress(ZSTD_CCtx* context, int level, ByteView in, Bytes& out) {
  const std::size_t start = out.size();
  out.resize(start + ZSTD_compressBound(in.size()));
  const std::size_t size =
      ZSTD_compressCCtx(context, out.data() + start, out.size() - start, in.data(), in.size(), level);
  CHECK(!ZSTD_isError(size));
  out.resize(start + size);
}

}  // namespace moldau::record::codecs
