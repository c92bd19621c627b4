#include "record/compression.h"

#include <array>
#include <cstring>
#include <zlib.h>
#include <zstd.h>

#include "record/codecs.h"

namespace moldau::record {
namespace {

constexpr std::array<std::string_view, 5> kNames{"none", "gzip", "snappy", "lz4", "zstd"};

// A buffer that one giant batch has grown is not kept for the small ones after it.
constexpr std::size_t kKeptBytes = std::size_t{4} << 20;

codecs::Lz4Header lz4_header(std::int8_t magic) {
  return magic == 0 ? codecs::Lz4Header::kAsIn08 : codecs::Lz4Header::kAsInSpecification;
}

}  // namespace

std::string_view codec_name(Codec codec) { return kNames[static_cast<std::size_t>(codec)]; }

std::optional<Codec> codec_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Codec>(i);
  return std::nullopt;
}

LevelRange level_range(Codec codec) {
  switch (codec) {
    case Codec::kGzip:
      return {1, 9, -1};
    case Codec::kLz4:
      return {1, 17, 9};
    case Codec::kZstd:
      return {-131072, 22, 3};
    case Codec::kNone:
    case Codec::kSnappy:
      return {0, 0, 0};
  }
  return {0, 0, 0};
}

bool valid_level(Codec codec, int level) {
  const LevelRange range = level_range(codec);
  return level == range.standard || (level >= range.min && level <= range.max);
}

std::uint8_t* Scratch::grow(std::size_t capacity, std::size_t keep) {
  if (capacity <= capacity_) return data_.get();
  auto larger = std::make_unique_for_overwrite<std::uint8_t[]>(capacity);
  if (keep > 0) std::memcpy(larger.get(), data_.get(), keep);
  data_ = std::move(larger);
  capacity_ = capacity;
  return data_.get();
}

struct Decompressor::Contexts {
  z_stream inflater{};
  bool inflating = false;
  ZSTD_DCtx* zstd = nullptr;

  ~Contexts() {
    if (inflating) inflateEnd(&inflater);
    ZSTD_freeDCtx(zstd);
  }
  z_stream& gzip() {
    constexpr int kGzipHeader = 16;
    if (!inflating) {
      CHECK(inflateInit2(&inflater, MAX_WBITS + kGzipHeader) == Z_OK);
      inflating = true;
    }
    return inflater;
  }
};

Decompressor::Decompressor(std::size_t max_bytes)
    : max_bytes_(max_bytes), contexts_(std::make_unique<Contexts>()) {}
Decompressor::~Decompressor() = default;

Result<ByteView> Decompressor::decompress(Codec codec, std::int8_t magic, ByteView in) {
  if (codec == Codec::kNone) return in;
  if (out_.capacity() > kKeptBytes) out_.release();
  Result<std::size_t> size = fail(ErrorKind::kUnsupported, "unknown compression codec");
  switch (codec) {
    case Codec::kNone:
      break;
    case Codec::kGzip:
      size = codecs::gzip_decompress(contexts_->gzip(), in, out_, max_bytes_);
      break;
    case Codec::kSnappy:
      size = codecs::snappy_decompress(in, out_, max_bytes_);
      break;
    case Codec::kLz4:
      size = codecs::lz4_decompress(lz4_header(magic), in, out_, max_bytes_);
      break;
    case Codec::kZstd:
      if (contexts_->zstd == nullptr) contexts_->zstd = ZSTD_createDCtx();
      size = codecs::zstd_decompress(contexts_->zstd, in, out_, max_bytes_);
      break;
  }
  if (!size) {
    if (out_.capacity() > kKeptBytes) out_.release();  // a bomb leaves nothing behind
    return std::unexpected(std::move(size).error());
  }
  return ByteView(out_.data(), *size);
}

struct Compressor::Contexts {
  ZSTD_CCtx* zstd = nullptr;
  ~Contexts() { ZSTD_freeCCtx(zstd); }
};

Compressor::Compressor() : contexts_(std::make_unique<Contexts>()) {}
Compressor::~Compressor() = default;

void Compressor::compress(const Compression& compression, std::int8_t magic, ByteView in, Bytes& out) {
  CHECK(valid_level(compression.codec, compression.level));
  switch (compression.codec) {
    case Codec::kNone:
      out.insert(out.end(), in.begin(), in.end());
      break;
    case Codec::kGzip:
      codecs::gzip_compress(compression.level, in, out);
      break;
    case Codec::kSnappy:
      codecs::snappy_compress(in, out);
      break;
    case Codec::kLz4:
      codecs::lz4_compress(lz4_header(magic), compression.level, in, out);
      break;
    case Codec::kZstd:
      CHECK(magic >= 2, "zstd in an old message format");
      if (contexts_->zstd == nullptr) contexts_->zstd = ZSTD_createCCtx();
      codecs::zstd_compress(contexts_->zstd, compression.level, in, out);
      break;
  }
}

}  // namespace moldau::record
