#include "record/compression.h"

#include <gtest/gtest.h>
#include <lz4frame.h>
#include <snappy.h>
#include <xxhash.h>
#include <zstd.h>

#include "record/test_batches.h"

namespace moldau::record {
namespace {

using test::Dice;

constexpr Codec kAll[] = {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd};

Bytes content(std::size_t size, bool random) {
  Dice dice(size + random);
  Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random ? dice.roll() : "moldau"[dice.below(6)]);
  return bytes;
}

Bytes compressed(const Compression& compression, ByteView in, std::int8_t magic = 2) {
  Compressor compressor;
  Bytes out;
  compressor.compress(compression, magic, in, out);
  return out;
}

Result<Bytes> decompressed(Codec codec, ByteView in, std::size_t limit = kMaxDecompressedBytes,
                           std::int8_t magic = 2) {
  Decompressor decompressor(limit);
  TRY_ASSIGN(out, decompressor.decompress(codec, magic, in));
  return Bytes(out.begin(), out.end());
}

TEST(Compression, GivesBackWhatItTook) {
  for (const Codec codec : kAll)
    for (const std::size_t size : {0, 1, 17, 4096, 65535, 65536, 65537, 1 << 20})
      for (const bool random : {false, true}) {
        const Bytes in = content(size, random);
        EXPECT_EQ(decompressed(codec, compressed(codec, in)), in) << codec_name(codec) << " " << size;
      }
}

TEST(Compression, KnowsKafkasLevels) {
  const Bytes in = content(100'000, false);
  for (const Codec codec : {Codec::kGzip, Codec::kLz4, Codec::kZstd}) {
    const LevelRange range = level_range(codec);
    for (const int level : {range.min, range.standard, range.max})
      EXPECT_EQ(decompressed(codec, compressed({codec, level}, in)), in) << codec_name(codec) << " " << level;
    EXPECT_LT(compressed({codec, range.max}, in).size(), compressed({codec, range.min}, in).size());
    EXPECT_FALSE(valid_level(codec, range.max + 1));
    EXPECT_FALSE(valid_level(codec, range.min - (codec == Codec::kGzip ? 3 : 1)));
  }
  EXPECT_FALSE(valid_level(Codec::kSnappy, 1));
  EXPECT_TRUE(valid_level(Codec::kGzip, -1));
  EXPECT_FALSE(valid_level(Codec::kGzip, 0));
}

TEST(Compression, NamesAreKafkas) {
  for (const Codec codec : kAll) EXPECT_EQ(codec_from_name(codec_name(codec)), codec);
  EXPECT_EQ(codec_from_name("lzma"), std::nullopt);
}

TEST(Compression, OneToolServesManyBatches) {
  Decompressor decompressor;
  for (int round = 0; round < 3; ++round)
    for (const Codec codec : kAll)
      for (const std::size_t size : {100'000, 3}) {
        const Bytes in = content(size, false), packed = compressed(codec, in);
        const auto out = decompressor.decompress(codec, 2, packed);
        ASSERT_TRUE(out);
        EXPECT_EQ(Bytes(out->begin(), out->end()), in);
        EXPECT_EQ(decompressor.decompress(codec, 2, ByteView(packed).first(packed.size() / 2)).has_value(),
                  codec == Codec::kNone);
      }
}

TEST(Compression, EveryCutFailsCleanly) {
  const Bytes in = content(300, false);
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    const Bytes packed = compressed(codec, in);
    for (std::size_t cut = 0; cut < packed.size(); ++cut)
      EXPECT_NE(decompressed(codec, ByteView(packed).first(cut)), in) << codec_name(codec) << " cut " << cut;
  }
}

TEST(Compression, DamageNeverDoesHarm) {
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    const Bytes packed = compressed(codec, content(5'000, false));
    Dice dice(3);
    for (int round = 0; round < 2'000; ++round) {
      Bytes bytes = packed;
      for (std::size_t flips = 1 + dice.below(4); flips > 0; --flips)
        bytes[dice.below(bytes.size())] ^= static_cast<std::uint8_t>(1 << dice.below(8));
      const auto out = decompressed(codec, bytes, 1 << 20);
      if (out) EXPECT_LE(out->size(), std::size_t{1} << 20);
    }
  }
}

TEST(Compression, BombsAreStoppedAtTheLimit) {
  const Bytes zeros(8 << 20);
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    const Bytes bomb = compressed(codec, zeros);
    EXPECT_LT(bomb.size(), zeros.size() / 20);
    const auto out = decompressed(codec, bomb, zeros.size() - 1);
    ASSERT_FALSE(out) << codec_name(codec);
    EXPECT_EQ(out.error().kind, ErrorKind::kInvalid);
    EXPECT_EQ(decompressed(codec, bomb, zeros.size())->size(), zeros.size()) << codec_name(codec);
  }
}

// A zstd frame without a content size, as a stream writes it.
Bytes zstd_stream(ByteView in) {
  Bytes out(ZSTD_compressBound(in.size()));
  ZSTD_CStream* stream = ZSTD_createCStream();
  ZSTD_inBuffer from{in.data(), in.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  while (from.pos < from.size) ZSTD_compressStream(stream, &to, &from);
  while (ZSTD_endStream(stream, &to) != 0) {
  }
  ZSTD_freeCStream(stream);
  out.resize(to.pos);
  return out;
}

Bytes joined(const Bytes& a, const Bytes& b) {
  Bytes both = a;
  both.insert(both.end(), b.begin(), b.end());
  return both;
}

TEST(Zstd, StreamsAndBombsWithoutAContentSize) {
  const Bytes in = content(700'000, false), zeros(8 << 20);
  EXPECT_EQ(decompressed(Codec::kZstd, zstd_stream(in)), in);
  EXPECT_EQ(decompressed(Codec::kZstd, zstd_stream(zeros), zeros.size()), zeros);
  EXPECT_EQ(decompressed(Codec::kZstd, zstd_stream(zeros), zeros.size() - 1).error().kind,
            ErrorKind::kInvalid);
  const Bytes packed = zstd_stream(content(300, true));
  for (std::size_t cut = 0; cut < packed.size(); ++cut)
    EXPECT_FALSE(decompressed(Codec::kZstd, ByteView(packed).first(cut))) << cut;
}

TEST(Joined, StreamsFollowOneAnotherWhereKafkaLetsThem) {
  const Bytes a = content(1'000, false), b = content(500, true), both = joined(a, b);
  for (const Codec codec : {Codec::kGzip, Codec::kSnappy, Codec::kZstd})
    EXPECT_EQ(decompressed(codec, joined(compressed(codec, a), compressed(codec, b))), both)
        << codec_name(codec);
  EXPECT_EQ(decompressed(Codec::kLz4, joined(compressed(Codec::kLz4, a), compressed(Codec::kLz4, b))), a);
}

TEST(Snappy, ReadsABareBlock) {
  const Bytes in = content(200'000, false);
  std::string bare;
  snappy::Compress(as_text(in).data(), in.size(), &bare);
  EXPECT_EQ(decompressed(Codec::kSnappy, as_bytes(bare)), in);
}

// How the reference writes frames, with everything that Kafka reads: checksums of blocks and content, content
// size.
Bytes reference_lz4(ByteView in, LZ4F_preferences_t preferences) {
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  Bytes out(LZ4F_compressFrameBound(in.size(), &preferences));
  out.resize(LZ4F_compressFrame(out.data(), out.size(), in.data(), in.size(), &preferences));
  return out;
}

TEST(Lz4, ReadsTheReferencesFrames) {
  const Bytes in = content(400'000, false);
  for (const auto size : {LZ4F_max64KB, LZ4F_max256KB, LZ4F_max1MB, LZ4F_max4MB}) {
    LZ4F_preferences_t preferences{};
    preferences.frameInfo.blockSizeID = size;
    preferences.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled;
    preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
    preferences.frameInfo.contentSize = in.size();
    Bytes frame = reference_lz4(in, preferences);
    EXPECT_EQ(decompressed(Codec::kLz4, frame), in);
    frame[frame.size() / 2] ^= 1;
    EXPECT_FALSE(decompressed(Codec::kLz4, frame));
  }
}

TEST(Lz4, ReferenceReadsOurFrames) {
  const Bytes in = content(400'000, false), frame = compressed(Codec::kLz4, in);
  LZ4F_dctx* context = nullptr;
  LZ4F_createDecompressionContext(&context, LZ4F_VERSION);
  Bytes out(in.size());
  std::size_t taken = 0, made = 0;
  for (std::size_t left = 1; left != 0 && taken < frame.size();) {
    std::size_t to = out.size() - made, from = frame.size() - taken;
    left = LZ4F_decompress(context, out.data() + made, &to, frame.data() + taken, &from, nullptr);
    ASSERT_FALSE(LZ4F_isError(left)) << LZ4F_getErrorName(left);
    taken += from, made += to;
  }
  LZ4F_freeDecompressionContext(context);
  EXPECT_EQ(out, in);
}

// Magic 0 has the checksum over too many bytes, and reads either; magic 1 and 2 insist on the right one.
TEST(Lz4, HeaderChecksumIsWrongInMagic0) {
  constexpr std::size_t kHashAt = 6;
  const Bytes in = content(100, false);
  const Bytes old = compressed(Codec::kLz4, in, 0), right = compressed(Codec::kLz4, in, 1);
  EXPECT_NE(old[kHashAt], right[kHashAt]);
  EXPECT_EQ(old[kHashAt], static_cast<std::uint8_t>(XXH32(old.data(), kHashAt, 0) >> 8));
  EXPECT_EQ(decompressed(Codec::kLz4, old, kMaxDecompressedBytes, 0), in);
  EXPECT_EQ(decompressed(Codec::kLz4, right, kMaxDecompressedBytes, 0), in);
  EXPECT_FALSE(decompressed(Codec::kLz4, old, kMaxDecompressedBytes, 1));
  EXPECT_FALSE(decompressed(Codec::kLz4, old, kMaxDecompressedBytes, 2));
}

}  // namespace
}  // namespace moldau::record
