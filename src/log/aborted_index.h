// A segment's .txnindex: the aborted transactions whose markers lie in it, in order of their markers, so that
// read_committed readers know what to skip. Most segments have none and no file. One entry is 34 bytes:
//   int16 version = 0, int64 producer id, int64 first offset, int64 last offset (of the marker),
//   int64 last stable offset when the marker was written
// Plain values; owned by their segment. (Kafka: TransactionIndex, AbortedTxn.)
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"

namespace moldau::log {

inline constexpr std::size_t kAbortedEntryBytes = 34;

struct AbortedEntry {
  ProducerId producer;
  Offset first_offset, last_offset, last_stable_offset;
  bool operator==(const AbortedEntry&) const = default;
};

Bytes format_aborted(const AbortedEntry& entry);
// Whole entries only; a cut one at the end is left out. kCorrupt (naming `path`) for another version or
// entries out of order.
Result<std::vector<AbortedEntry>> parse_aborted(ByteView bytes, const std::string& path);

}  // namespace moldau::log
