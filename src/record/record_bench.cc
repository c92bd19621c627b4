// What the checks of a produce cost per batch, beside the CRC that they cannot do without:
//   record_bench [--benchmark_filter=...]
#include <algorithm>
#include <benchmark/benchmark.h>

#include "record/builder.h"
#include "record/convert.h"
#include "record/validate.h"

namespace moldau::record {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;

struct Load {
  std::int32_t records;
  std::size_t value_size;
};
constexpr Load kLoads[] = {{150, 100}, {16, 1024}, {128, 1024}};

// Values that compress about as well as text does.
Bytes batch(const Load& load, Codec codec) {
  BatchBuilder builder({.compression = codec});
  std::uint64_t state = 1;
  Bytes value(load.value_size);
  for (std::int32_t i = 0; i < load.records; ++i) {
    for (auto& byte : value) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      byte = static_cast<std::uint8_t>("etaoin shrdlu"[(state >> 33) % 13]);
    }
    builder.append({.timestamp = kNow + i, .value = value});
  }
  Compressor compressor;
  return std::move(builder).finish(compressor);
}

void say(benchmark::State& state, const Load& load, std::size_t size) {
  state.counters["ns/record"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * load.records * 1e-9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(size));
}

void validate(benchmark::State& state, Codec codec, ProduceRules rules) {
  const Load load = kLoads[state.range(0)];
  Bytes bytes = batch(load, codec);
  const Bytes fresh = bytes;
  Workbench bench;
  rules.produce_version = 9;
  rules.after_max_ms = 3'600'000;
  rules.now_ms = kNow;
  const bool changes = rules.timestamp_type == TimestampType::kLogAppendTime;
  for (auto _ : state) {
    if (changes) std::copy_n(fresh.begin(), at::kRecords, bytes.begin());
    auto accepted = validate_produce(bytes, rules, bench);
    benchmark::DoNotOptimize(accepted);
    if (!accepted) state.SkipWithError(accepted.error().message.c_str());
  }
  say(state, load, bytes.size());
}

void crc_alone(benchmark::State& state) {
  const Load load = kLoads[state.range(0)];
  const Bytes bytes = batch(load, Codec::kNone);
  const BatchView view(bytes, parse_header(bytes).header);
  for (auto _ : state) benchmark::DoNotOptimize(view.crc_ok());
  say(state, load, bytes.size());
}

void walk_alone(benchmark::State& state) {
  const Load load = kLoads[state.range(0)];
  const Bytes bytes = batch(load, Codec::kNone);
  for (auto _ : state) {
    Survey found;
    benchmark::DoNotOptimize(survey(ByteView(bytes).subspan(at::kRecords), load.records, found));
    benchmark::DoNotOptimize(found);
  }
  say(state, load, bytes.size());
}

void down(benchmark::State& state) {
  const Load load = kLoads[state.range(0)];
  const Bytes bytes = batch(load, Codec::kNone);
  Workbench bench;
  for (auto _ : state) {
    Bytes out;
    benchmark::DoNotOptimize(
        down_convert(bytes, 1, Offset{0}, 1 << 30, bench.decompressor, bench.compressor, out));
  }
  say(state, load, bytes.size());
}

BENCHMARK(crc_alone)->DenseRange(0, 2);
BENCHMARK(walk_alone)->DenseRange(0, 2);
BENCHMARK_CAPTURE(validate, plain, Codec::kNone, {})->DenseRange(0, 2);
BENCHMARK_CAPTURE(validate, plain_append_time, Codec::kNone,
                  {.timestamp_type = TimestampType::kLogAppendTime})
    ->DenseRange(0, 2);
BENCHMARK_CAPTURE(validate, gzip, Codec::kGzip, {})->DenseRange(0, 2);
BENCHMARK_CAPTURE(validate, snappy, Codec::kSnappy, {})->DenseRange(0, 2);
BENCHMARK_CAPTURE(validate, lz4, Codec::kLz4, {})->DenseRange(0, 2);
BENCHMARK_CAPTURE(validate, zstd, Codec::kZstd, {})->DenseRange(0, 2);
BENCHMARK_CAPTURE(validate, lz4_to_zstd, Codec::kLz4, {.compression = Compression(Codec::kZstd)})
    ->DenseRange(0, 2);
BENCHMARK(down)->DenseRange(0, 2);

}  // namespace
}  // namespace moldau::record

BENCHMARK_MAIN();
