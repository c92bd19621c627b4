// What a Log is made of. For src/log's own files; everybody else sees log.h.
//
//   log.cc         opening, facts           log_append.cc   append, roll
//   log_loader.cc  what lies in a folder    log_read.cc     read, look-ups
//   log_cut.cc     truncation, retention    log_flush.cc    flush, checkpoint, close
//   log_clean.cc   compaction
//
// Always holds: segments is never empty, sorted by base; the last one is active. `end` is behind the last
// batch of the active segment, or its base.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "log/epoch_cache.h"
#include "log/log.h"
#include "log/producer_state.h"
#include "log/segment.h"

namespace moldau::log {

// The starts of the newest batches, so that readers at the end need no index.
class Tail {
 public:
  void add(Offset offset, std::uint32_t position) {
    marks_.resize(kSize);
    newest_ = (newest_ + 1) % kSize;
    marks_[newest_] = {offset, position};
  }
  void clear() { marks_ = std::vector<Mark>(); }  // gives the memory back
  // Where the batch that begins exactly with `offset` starts.
  std::optional<std::uint32_t> position_of(Offset offset) const {
    for (const Mark& mark : marks_)
      if (mark.offset == offset) return mark.position;
    return std::nullopt;
  }
  // The last known batch start in (above, limit], with its offset.
  struct Start {
    std::uint32_t position = 0;
    Offset offset;
  };
  std::optional<Start> last_start(std::uint32_t above, std::uint32_t limit) const;

 private:
  static constexpr std::size_t kSize = 8;
  struct Mark {
    Offset offset = kNoOffset;
    std::uint32_t position = 0;
  };
  std::vector<Mark> marks_;  // kSize of them, or none
  std::size_t newest_ = 0;
};

class LogState {
 public:
  LogState(const LogContext& c, std::string f, std::shared_ptr<const LogConfig> cfg)
      : context(c), folder(std::move(f)), config(std::move(cfg)) {}

  Home home(env::Haste* haste = nullptr) {
    return {context, folder, config->index_interval_bytes, report.get(), haste};
  }
  Segment& active() { return segments.back(); }
  std::size_t segment_of(Offset offset) const;  // the last one whose base is not above; 0 if none
  void note_once(const std::string& line);
  RecoveryReport& notes();  // made when needed
  FlushWork& cuts_to_sync();
  std::string path(std::string_view name) const { return folder + "/" + std::string(name); }

  // Reads what a clean start has left for later: the true end, epochs, producers.
  Status ensure_loaded();
  Status load_epochs();
  Status load_end();
  // Makes `producers` what they were at `up_to`: the newest snapshot not above it, then the batches behind
  // it.
  Status rebuild_producers(Offset up_to);
  Status replay_producers(Offset from, Offset up_to);
  // A batch's effect on producers. `batch` yields its bytes when they are needed (markers). Finished
  // transactions are given to `finished` before they are completed.
  template <typename Bytes, typename Finished>
  Status apply_to_producers(const record::BatchHeader& header, Bytes bytes, Finished finished);

  Status write_snapshot(Offset at);
  void remove_snapshots(Offset from, Offset to);  // those in [from, to)
  void epochs_changed() { epochs_unsynced = epochs_unwritten = true, ++epochs_version; }
  Status write_epochs();  // if they have changed; no sync
  Status roll(Offset base, std::int64_t now_ms);
  // Takes segments [first, last) out; their files wait for removal at `due_ms`.
  Status retire_segments(std::size_t first, std::size_t last, std::int64_t due_ms);
  Status begin_anew(Offset base, std::int64_t now_ms);  // one empty segment; the old ones are out already
  void move_start(Offset offset);

  const LogContext context;
  std::string folder;
  std::shared_ptr<const LogConfig> config;

  std::vector<Segment> segments;
  Offset start{0};  // log start offset
  Offset end{0};    // log end offset
  Offset recovery_point{0};
  std::uint64_t size_bytes = 0;
  std::uint64_t unflushed_bytes = 0;
  Tail tail;
  Offset trimmed_end = kNoOffset;  // the log's end when memory was last given back
  std::int64_t opened_ms = 0;

  // Side by side: there is one LogState for each partition.
  bool tail_dirty = false;           // a failed write may have left bytes behind active().size()
  bool loaded = false;               // nothing is left for ensure_loaded()
  bool clean = false;                // opened after a clean shutdown, and not loaded yet
  bool epochs_unsynced = false;      // leader-epoch-checkpoint is not durably what `epochs` is
  bool epochs_unwritten = false;     // … nor in the system's hands
  bool metadata_unsynced = false;    // partition.metadata is new
  bool parent_unsynced = false;      // the folder's own name may not be durable
  bool has_move_generation = false;  // the file was there when the log was opened

  EpochCache epochs;
  std::uint64_t epochs_version = 0;
  ProducerState producers;
  std::vector<Offset> snapshots;    // of producers, on disk, sorted
  Offset snapshot_end = kNoOffset;  // producers have not changed since the snapshot at this end

  std::int64_t last_flush_ms = 0;
  std::uint64_t new_names = 0;  // counts files made; the folder was synced when it was synced_names
  std::uint64_t synced_names = 0;
  std::optional<Offset> unsynced_cut;  // base of a segment whose file was truncated and not synced since
  std::unique_ptr<FlushWork> cuts;     // of recovery, not durable yet
  std::uint64_t truncations = 0;       // a flush prepared before one says nothing about the log after it
  std::int64_t last_now_ms = 0;
  // Said before the log was loaded: an epoch that begins where the log ends.
  std::optional<LeaderEpoch> epoch_to_assign;
  std::optional<Uuid> topic_id;
  std::vector<Removal> removals;
  std::unique_ptr<RecoveryReport> report;
  std::size_t notes_taken = 0;  // of its notes
};

inline constexpr const char* kSnapshotSuffix = ".snapshot";

// The effect of one batch on producers; see LogState.
template <typename BatchBytes, typename Finished>
Status LogState::apply_to_producers(const record::BatchHeader& header, BatchBytes bytes, Finished finished) {
  if (!header.has_producer_id()) return {};
  if (!header.control()) {
    producers.apply_data(header);
    return {};
  }
  TRY_ASSIGN(whole, bytes());
  const auto marker = read_marker(whole, header);
  if (!marker) return {};  // emptied by compaction, or of a type that ends nothing
  if (const auto done = producers.apply_marker(header, marker->marker, marker->timestamp)) {
    TRY(finished(*done, producers.stable_after(*done)));
    producers.complete(*done);
  }
  return {};
}

}  // namespace moldau::log
