// What a log remembers of each producer: its epoch, its last five batches (to answer repeats and find gaps),
// its open transaction. (Kafka: ProducerStateManager, ProducerStateEntry, ProducerAppendInfo; KIP-98,
// KIP-890.)
//
//            check_data                 apply_data                       apply_marker
//   unknown ────────────▶ idempotent ─────────────────▶ in transaction ────────────────▶ idempotent
//                                     (transactional)    stays until its marker comes
//
// A transaction holds the last stable offset back from its first batch on until its marker is below the high
// watermark. Snapshot file (`<offset>.snapshot`: everything below offset is in it):
//   int16 version = 1, uint32 CRC-32C of the rest, int32 count, then for each producer: int64 id, int16
//   epoch, int32 last sequence, int64 last offset, int32 last offset delta, int64 timestamp, int32
//   coordinator epoch, int64 first offset of the open transaction or -1
// Owned by its Log.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "log/log_types.h"
#include "record/batch.h"
#include "record/control.h"

namespace moldau::log {

struct ProducerBatch {
  Offset last_offset;
  std::int64_t timestamp = -1;
  std::int32_t last_sequence = -1;
  std::int32_t offset_delta = 0;

  Offset first_offset() const { return last_offset - offset_delta; }
  std::int32_t first_sequence() const;
};

struct ProducerEntry {
  static constexpr std::size_t kKept = 5;

  std::int64_t last_timestamp = -1;
  Offset transaction_start = kNoOffset;
  std::int32_t coordinator_epoch = -1;
  ProducerEpoch epoch = kNoProducerEpoch;
  std::uint8_t count = 0;  // of batches, the newest at newest
  std::uint8_t newest = 0;
  std::array<ProducerBatch, kKept> batches;

  const ProducerBatch* last() const { return count == 0 ? nullptr : &batches[newest]; }
  std::int32_t last_sequence() const {
    return count == 0 ? record::kNoSequence : batches[newest].last_sequence;
  }
  const ProducerBatch* find(std::int32_t first_sequence, std::int32_t last_sequence) const;
  void set_epoch(ProducerEpoch new_epoch);
  void add(const ProducerBatch& batch);
};

struct CompletedTransaction {
  ProducerId producer;
  Offset first_offset, last_offset;  // of its first batch; of its marker
  bool aborted = false;
};

// The transaction marker in a control batch, with its timestamp; nothing if it holds none.
struct MarkerRecord {
  record::EndTxnMarker marker;
  std::int64_t timestamp = -1;
};
std::optional<MarkerRecord> read_marker(ByteView batch, const record::BatchHeader& header);

// A verdict, or kNone.
struct ProducerVerdict {
  wire::ErrorCode error = wire::ErrorCode::kNone;
  std::string message;
  const ProducerBatch* duplicate = nullptr;  // the batch is there already
};

class ProducerState {
 public:
  void copy_from(const ProducerState& other);

  // Whether a data batch of a producer may be appended at `offset`. Sequences only where `check_sequence`.
  ProducerVerdict check_data(const record::BatchHeader& header, Offset offset, bool check_sequence,
                             bool transaction_verified) const;
  ProducerVerdict check_marker(const record::BatchHeader& header, const record::EndTxnMarker& marker,
                               Offset offset) const;

  // The batch is in the log. `header` has its final offsets.
  void apply_data(const record::BatchHeader& header);
  // nullopt if no transaction was open. The result's last stable offset is stable_after(); then complete()
  // it.
  std::optional<CompletedTransaction> apply_marker(const record::BatchHeader& header,
                                                   const record::EndTxnMarker& marker,
                                                   std::int64_t timestamp);
  Offset stable_after(const CompletedTransaction& done) const;
  void complete(const CompletedTransaction& done);

  // The first offset that a read_committed reader may not see yet, given the high watermark; nullopt: none.
  std::optional<Offset> first_unstable(Offset high_watermark);
  // Forgets completed transactions below `start`.
  void start_moved_to(Offset start);

  void expire(std::int64_t now_ms, std::int64_t after_ms);
  void clear();
  bool empty() const { return known().producers.empty(); }
  const ProducerEntry* find(ProducerId producer) const;
  std::vector<ProducerStatus> status() const;  // by producer id
  // Calls visit(ProducerId, const ProducerEntry&) for all, in no order.
  template <typename Visit>
  void each(Visit visit) const {
    for (const auto& [producer, entry] : known().producers) visit(producer, entry);
  }

  Bytes snapshot() const;
  // Loads a snapshot into an empty state; producers idle for `expire_after_ms` are left out. kCorrupt names
  // `path`.
  Status load(ByteView snapshot, const std::string& path, std::int64_t now_ms, std::int64_t expire_after_ms);

 private:
  struct Finished {
    ProducerId producer;
    Offset last_offset;
  };

  struct Known {
    std::unordered_map<ProducerId, ProducerEntry> producers;
    std::map<Offset, ProducerId> open;        // transactions by their first offset
    std::map<Offset, Finished> unreplicated;  // completed, marker not known to be below the high watermark
  };
  const Known& known() const;
  Known& made();  // known(), made if there is none yet

  std::unique_ptr<Known> known_;  // none in most logs: they never had a producer with an id
};

}  // namespace moldau::log
