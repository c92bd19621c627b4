#include "loadgen/batch.h"

#include "base/check.h"
#include "base/crc.h"
#include "base/varint.h"

namespace moldau::bench {
namespace {

void append_varint(Bytes& out, std::int32_t n) {
  std::uint8_t buffer[kMaxVarintBytes];
  out.insert(out.end(), buffer, write_varint(buffer, n));
}

void append_value(Bytes& out, std::int32_t size, std::uint64_t& state) {
  for (std::int32_t i = 0; i < size; ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    out.push_back(static_cast<std::uint8_t>('A' + (state >> 33) % 58));
  }
}

void renew_crc(Bytes& batch) { store_be(&batch[17], crc32c(ByteView(batch).subspan(21))); }

void set_timestamps(Bytes& batch, std::int64_t timestamp_ms) {
  store_be(&batch[27], timestamp_ms);
  store_be(&batch[35], timestamp_ms);
}

}  // namespace

Batch build_batch(const BatchSpec& spec) {
  CHECK(spec.records >= 1 && spec.value_bytes >= 0);
  Batch batch;
  Bytes& out = batch.bytes;
  out.resize(kBatchHeaderBytes);
  std::uint64_t random = 42;
  for (std::int32_t i = 0; i < spec.records; ++i) {
    const std::size_t body = 1 + 1 + varint_size(i) + 1 + varint_size(spec.value_bytes) +
                             static_cast<std::size_t>(spec.value_bytes) + 1;
    append_varint(out, static_cast<std::int32_t>(body));
    out.insert(out.end(), {0, 0});
    append_varint(out, i);
    append_varint(out, -1);
    append_varint(out, spec.value_bytes);
    batch.values.push_back(out.size());
    append_value(out, spec.value_bytes, random);
    out.push_back(0);
  }
  store_be(&out[8], static_cast<std::int32_t>(out.size() - 12));
  store_be(&out[12], std::int32_t{-1});
  out[16] = 2;
  store_be(&out[23], spec.records - 1);
  store_be(&out[43], std::int64_t{-1});
  store_be(&out[51], std::int16_t{-1});
  store_be(&out[53], std::int32_t{-1});
  store_be(&out[57], spec.records);
  set_timestamps(out, spec.timestamp_ms);
  renew_crc(out);
  return batch;
}

void stamp_batch(Batch& batch, std::int64_t stamp, std::int64_t timestamp_ms) {
  for (const std::size_t value : batch.values) store_be(&batch.bytes[value], stamp);
  set_timestamps(batch.bytes, timestamp_ms);
  renew_crc(batch.bytes);
}

BatchHead peek_batch(ByteView bytes) {
  if (bytes.size() < kBatchHeaderBytes || bytes[16] != 2) return {};
  const std::int64_t size = std::int64_t{12} + load_be<std::int32_t>(&bytes[8]);
  if (size < static_cast<std::int64_t>(kBatchHeaderBytes) || size > static_cast<std::int64_t>(bytes.size()))
    return {};
  const auto base = load_be<std::int64_t>(&bytes[0]);
  return {base, base + load_be<std::int32_t>(&bytes[23]) + 1, load_be<std::int32_t>(&bytes[57]),
          static_cast<std::size_t>(size)};
}

RecordView peek_record(ByteView bytes) {
  std::int32_t length = 0;
  std::size_t at = read_varint(bytes, length);
  if (at == 0 || length < 0 || static_cast<std::size_t>(length) > bytes.size() - at) return {};
  const ByteView body = bytes.subspan(at, static_cast<std::size_t>(length));
  std::int64_t timestamp = 0;
  std::int32_t offset = 0, key = 0, value = 0;
  std::size_t inner = 1;  // attributes
  const auto skip = [&](std::size_t taken) { return inner += taken, taken != 0 && inner <= body.size(); };
  if (body.empty() || !skip(read_varlong(body.subspan(inner), timestamp)) ||
      !skip(read_varint(body.subspan(inner), offset)) || !skip(read_varint(body.subspan(inner), key)))
    return {};
  if (key > 0) inner += static_cast<std::size_t>(key);
  if (inner > body.size() || !skip(read_varint(body.subspan(inner), value))) return {};
  if (value < 0) value = 0;
  if (static_cast<std::size_t>(value) > body.size() - inner) return {};
  return {body.subspan(inner, static_cast<std::size_t>(value)), at + body.size()};
}

}  // namespace moldau::bench
