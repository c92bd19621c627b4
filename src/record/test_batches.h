// What the tests of this folder share: owned copies of records that can be compared, golden lines read into
// them, and a source of varied batches. Tests only.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "record/batch.h"
#include "record/builder.h"
#include "record/compression.h"
#include "record/records.h"

namespace moldau::record::test {

using NullableCopy = std::optional<Bytes>;

struct RecordCopy {
  std::int64_t offset = 0;
  std::int64_t timestamp = kNoTimestamp;
  NullableCopy key;
  NullableCopy value;
  std::vector<std::pair<Bytes, NullableCopy>> headers;
  std::int32_t sequence = kNoSequence;

  bool operator==(const RecordCopy&) const = default;
};
std::ostream& operator<<(std::ostream& out, const RecordCopy& record);
RecordCopy copy(const Record& record);

struct Reading {
  std::vector<BatchHeader> batches;
  std::vector<RecordCopy> records;  // of all batches
  bool ok = true;                   // every batch whole and sound, but for a cut last one
  std::string why;
};
// All batches of `in` with all their records and CRCs checked, as a consumer would.
Reading read_all(ByteView in, std::size_t max_bytes = kMaxDecompressedBytes);

// The members of a golden line's "records".
std::vector<RecordCopy> records_of(const boost::json::object& line);
NullableCopy nullable_hex(const boost::json::value& value);
Codec codec_of(std::string_view name);
TimestampType timestamp_type_of(std::string_view name);

// Reproducible variety: splitmix64.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t roll();
  std::size_t below(std::size_t bound) { return roll() % bound; }
  bool once_in(std::size_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

std::vector<RecordCopy> some_records(Dice& dice, std::int8_t magic);
Bytes build(const BatchSpec& spec, const std::vector<RecordCopy>& records);
// A spec and its batch, as a producer would send it: base offset 0, dense offsets.
Bytes some_batch(Dice& dice, std::int8_t magic, Codec codec);

inline constexpr std::int64_t kNow = 1'700'000'000'000;

}  // namespace moldau::record::test
