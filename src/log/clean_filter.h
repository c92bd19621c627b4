// What compaction leaves of one batch. (Kafka: Cleaner.cleanInto's RecordFilter, MemoryRecords.filterTo.)
//
//   every record superseded ──▶ nothing, or an empty batch where the producer's last sequence or the end of
//   the
//                               round would be lost with it
//   some                    ──▶ written anew, same codec, same offsets; magic 2 keeps its offset range
//   none                    ──▶ as it is, byte for byte
//
// A record of a key goes when a later one is known; one without key goes; a tombstone goes at its delete
// horizon, which the batch gets (KIP-534) the first time that it is met; a batch of an aborted transaction
// goes; a transaction marker gets its horizon when nothing of its transaction is left. Magic 0 and 1 have no
// room for a horizon: their tombstones go by the time of their segment. One thread.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "log/clean_transactions.h"
#include "log/key_table.h"
#include "record/compression.h"
#include "record/records.h"

namespace moldau::log {

// What a producer must not lose: the batch with its last sequence, or, without any data left, a marker of its
// epoch.
struct LastRecord {
  Offset last_data = kNoOffset;
  ProducerEpoch epoch = kNoProducerEpoch;
};
using LastRecords = std::unordered_map<ProducerId, LastRecord>;

struct CleanRound {
  const KeyTable& keys;
  Offset latest;  // `keys` knows all records up to here
  Offset end;     // of the round: its last batch stays, be it empty
  std::int64_t now_ms = 0;
  std::int64_t delete_retention_ms = 0;
  const LastRecords& producers;
};

class CleanFilter {
 public:
  CleanFilter(const CleanRound& round, std::vector<AbortedEntry> aborted)
      : round_(round), transactions_(std::move(aborted)) {}

  struct Outcome {
    std::uint32_t read = 0, kept = 0;  // records
    std::optional<AbortedEntry>
        aborted;  // goes into the index of aborted transactions beside what is written
  };
  // Appends what stays to `out`: at most one batch (magic 0 and 1: one message or wrapper). kCorrupt: the
  // batch cannot be read.
  Result<Outcome> filter(const record::BatchView& batch, bool keep_old_tombstones, Bytes& out);

 private:
  struct Verdict {
    bool discard = false;          // all records
    bool keep_empty = false;       // the batch, then
    bool orphaned_marker = false;  // it gets its horizon
    std::optional<AbortedEntry> aborted;
  };
  Result<Verdict> judge(const record::BatchView& batch);
  bool last_of_producer(const record::BatchHeader& header) const;
  bool stays(const record::BatchHeader& header, const record::Record& record, bool keep_old_tombstones) const;
  void rewrite(const record::BatchHeader& header, std::optional<std::int64_t> horizon, Bytes& out);

  const CleanRound& round_;
  CleanTransactions transactions_;
  record::Decompressor decompressor_;
  record::Compressor compressor_;
  std::vector<record::Record> kept_;
};

}  // namespace moldau::log
