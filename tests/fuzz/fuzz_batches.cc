// Record batches as a client sends them. The first byte chooses the rules of the topic. What is accepted is
// one whole, sound batch of magic 2 that can be read to its end, converted for old fetchers, and accepted
// again.
#include "base/check.h"
#include "record/convert.h"
#include "record/records.h"
#include "record/validate.h"

using namespace moldau;

namespace {

void read_to_the_end(MutableBytes bytes, record::Workbench& bench) {
  record::BatchIterator batches(bytes);
  const auto batch = batches.next();
  CHECK(batch && batches.left_over() == 0, "an accepted batch is whole");
  CHECK(batch->header().magic == 2 && batch->crc_ok(), "an accepted batch is sound");
  record::RecordIterator records(*batch, bench.decompressor);
  std::int32_t count = 0;
  while (records.next()) ++count;
  CHECK(records.fault().ok(), records.fault().message);
  CHECK(count == batch->header().record_count, "as many records as the header says");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  static record::Workbench bench{.decompressor = record::Decompressor(1 << 20), .compressor = {}};
  constexpr std::int16_t kVersions[] = {0, 2, 3, 6, 7, 9, 13, 13};
  record::ProduceRules rules{.produce_version = kVersions[data[0] & 7],
                             .compacted = (data[0] & 8) != 0,
                             .now_ms = 1'700'000'000'000};
  if (data[0] & 16) rules.compression.emplace(static_cast<record::Codec>((data[0] >> 5) % 5));
  if (data[0] & 128) rules.timestamp_type = record::TimestampType::kLogAppendTime;
  Bytes input(data + 1, data + size);
  auto accepted = record::validate_produce(input, rules, bench);
  if (!accepted || accepted->empty()) return 0;
  read_to_the_end(accepted->bytes(), bench);
  for (const std::int8_t magic : {std::int8_t{0}, std::int8_t{1}}) {
    Bytes out;
    record::down_convert(accepted->bytes(), magic, Offset{0}, 1 << 20, bench.decompressor, bench.compressor,
                         out);
  }
  return 0;
}
