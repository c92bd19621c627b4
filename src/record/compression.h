// The codecs of record batches, whole payload at a time: gzip, snappy (in Java's blocks, or bare), lz4 frames
// and zstd. Output is bounded, so that a few kilobytes cannot claim gigabytes.
// A Compressor or Decompressor keeps its buffer and contexts for the next batch: one per loop, never shared
// between threads. (Kafka: org.apache.kafka.common.compress.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "record/batch.h"

namespace moldau::record {

// Kafka's names ("none", "gzip", "snappy", "lz4", "zstd"); nothing for any other text.
std::string_view codec_name(Codec codec);
std::optional<Codec> codec_from_name(std::string_view name);

// The levels that `compression.<codec>.level` may have. Snappy and none have none: both ends and the default
// are 0.
struct LevelRange {
  int min, max, standard;
};
// gzip 1..9 (or -1, its default), lz4 1..17 (9 = the fast compressor, all others the thorough one), zstd
// -131072..22.
LevelRange level_range(Codec codec);
bool valid_level(Codec codec, int level);

// A codec and how hard it tries.
struct Compression {
  Codec codec = Codec::kNone;
  int level = 0;

  Compression() = default;
  Compression(Codec c) : codec(c), level(level_range(c).standard) {}  // NOLINT(google-explicit-constructor)
  Compression(Codec c, int l) : codec(c), level(l) {}
  bool operator==(const Compression&) const = default;
};

// A buffer that grows without clearing its bytes and keeps what it has.
class Scratch {
 public:
  // At least `capacity` writable bytes, of which the first `keep` are as they were.
  std::uint8_t* grow(std::size_t capacity, std::size_t keep = 0);
  std::uint8_t* data() { return data_.get(); }
  std::size_t capacity() const { return capacity_; }
  void release() { data_.reset(), capacity_ = 0; }

 private:
  std::unique_ptr<std::uint8_t[]> data_;
  std::size_t capacity_ = 0;
};

// What one payload may become. Kafka has no such bound; 256 MiB is far beyond what its clients batch.
inline constexpr std::size_t kMaxDecompressedBytes = std::size_t{256} << 20;

class Decompressor {
 public:
  explicit Decompressor(std::size_t max_bytes = kMaxDecompressedBytes);
  ~Decompressor();
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  // The content of `in`, valid until the next call here; `in` itself for kNone. `magic` is that of the batch:
  // lz4 in magic 0 has a header checksum that 0.8 computed wrongly, and that nobody checks.
  // Errors: kCorrupt for what is not that codec's, kInvalid for more than max_bytes.
  // What follows a complete gzip member or lz4 frame is ignored, behind the others it is an error: as in
  // Kafka.
  Result<ByteView> decompress(Codec codec, std::int8_t magic, ByteView in);

  std::size_t max_bytes() const { return max_bytes_; }

 private:
  struct Contexts;
  std::size_t max_bytes_;
  Scratch out_;
  std::unique_ptr<Contexts> contexts_;
};

class Compressor {
 public:
  Compressor();
  ~Compressor();
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  // Appends `in`, compressed, to `out`; the bytes themselves for kNone. REQUIRES: a valid level; a codec that
  // `magic` knows (zstd: magic 2 only).
  void compress(const Compression& compression, std::int8_t magic, ByteView in, Bytes& out);

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

}  // namespace moldau::record
