// Batches for fetchers that do not know magic 2 (Fetch 0 and 1 want magic 0, 2 and 3 magic 1), batch by batch
// and bounded, so that an old consumer costs no more memory than a new one. Pure; one thread. (Kafka up
// to 3.9: RecordsUtil.downConvert, LazyDownConversionRecords.)
//
// What is lost: headers, control batches, batches without records from the offset asked for on, and of
// uncompressed batches the records before the offset asked for (old messages stand alone, and some versions
// of librdkafka count on it). Offsets stay; magic 1 keeps timestamps.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "record/batch.h"
#include "record/records.h"

namespace moldau::record {

struct DownConversion {
  std::size_t consumed = 0;  // bytes of whole batches of the input that are done with
  std::int64_t records = 0;  // records converted
  Fault fault{};             // why the batch at `consumed` could not be converted, if that is what stopped us
};

// Appends to `out` what a reader of `to_magic` (0 or 1) gets of `in`, consecutive batches whose last may be
// cut. Stops before the batch that would grow the output beyond `max_bytes`, yet always converts one that has
// records. Call again with the rest until it is consumed. A zstd batch is a kUnsupportedCodec fault: no old
// reader knows it.
DownConversion down_convert(ByteView in, std::int8_t to_magic, Offset first_offset, std::size_t max_bytes,
                            Decompressor& decompressor, Compressor& compressor, Bytes& out);

// The magic that a Fetch of this version can read.
constexpr std::int8_t magic_of_fetch(std::int16_t version) {
  return version <= 1 ? std::int8_t{0} : version <= 3 ? std::int8_t{1} : std::int8_t{2};
}

}  // namespace moldau::record
