// One segment: a .log file from `base` on, its index, its aborted transactions. A passive part: it knows
// nothing of its neighbours, of producers or epochs, and appends nothing by itself.
//
//   listed ──ensure_index──▶ indexed ──trim_memory──▶ listed        nothing of a listed segment is in memory
//
// Always holds: size() bytes of the file are whole batches with growing offsets, once recovery is done with
// it. The index is derived from them: missing, cut or implausible, it is rebuilt by reading the headers.
// Owned by its Log. (Kafka: LogSegment.)
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "log/aborted_index.h"
#include "log/file_cache.h"
#include "log/log_config.h"
#include "log/log_types.h"
#include "log/sparse_index.h"
#include "record/batch.h"

namespace moldau::log {

// "00000000000000004711"
std::string segment_name(Offset base);

// Where a segment lives, and how much time who asks has; made on the spot by its Log.
struct Home {
  const LogContext& context;
  const std::string& folder;
  std::int32_t index_interval_bytes;
  RecoveryReport* report;       // takes notes of what was rebuilt; may be nullptr
  env::Haste* haste = nullptr;  // given: look-ups fail with kWouldBlock rather than wait for a disk
  std::string_view extra = {};  // behind all names: ".cleaned" of files that do not count yet

  std::string path(Offset base, std::string_view suffix) const;
};

// A batch found in a segment.
struct Located {
  std::uint32_t position = 0;
  record::BatchHeader header;
};

class Segment {
 public:
  static constexpr std::uint32_t kMissing = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::int64_t kUnknown = std::numeric_limits<std::int64_t>::min();

  // Bytes of the files beside the .log, as listed; kMissing if there is none.
  struct Beside {
    std::uint32_t index = kMissing, time = kMissing, aborted = kMissing;
  };

  // A segment that was found, with the wall clock of its last write.
  Segment(Offset base, std::uint32_t size, const Beside& beside, std::int64_t modified_ms);
  // A new, empty one.
  static Segment fresh(Offset base, std::int64_t now_ms);

  Offset base() const { return base_; }
  std::uint32_t size() const { return size_; }
  void set_size(std::uint32_t size) { size_ = size; }
  bool can_hold(Offset offset) const {  // offsets are stored relative to the base, in 31 bits
    const std::int64_t relative = offset - base_;
    return relative >= 0 && relative <= std::numeric_limits<std::int32_t>::max();
  }

  Result<std::shared_ptr<env::File>> file(const Home& home);
  void drop_files(const LogContext& context);  // closes what the cache holds

  // --- index
  // ---------------------------------------------------------------------------------------------------

  // Loads the index, or rebuilds it from the headers.
  Status ensure_index(const Home& home);
  // From the headers. On an error the index is what it was.
  Status rebuild_index(const Home& home);
  // Forgets what is known of offsets >= `from`, so that recovery can read on from there.
  struct Resumed {
    std::uint32_t position = 0;  // of the first batch to check, or where the headers before it end
    Offset next;                 // behind the batch before that
  };
  Result<Resumed> resume(const Home& home, Offset from);
  // A batch now lies at `position`. REQUIRES: the index is loaded.
  void note(const record::BatchHeader& header, std::uint32_t position, std::int32_t index_interval_bytes);
  // No room for another slot in indexes of `max_bytes` bytes. REQUIRES: the index is loaded.
  bool index_full(std::int32_t max_bytes) const;
  // Writes pending slots. Failing leaves them pending.
  Status spill(const Home& home);
  // Bytes of the index files, as they are or will be.
  std::uint32_t index_bytes() const;
  std::uint32_t time_bytes() const;
  bool has_pending() const {
    return index_ && (index_->offsets.has_pending() || index_->times.has_pending());
  }
  bool wants_spill() const {
    return index_ && (index_->offsets.wants_spill() || index_->times.wants_spill());
  }
  // The segment grows no more (or the log closes): the last time slot, and files of their true size.
  Status seal(const Home& home);
  // Gives back what nobody asked for since the last call: the index, and the places of files that were
  // closed.
  void trim_memory(const LogContext& context);
  bool indexed() const { return index_ != nullptr; }
  bool index_unsynced() const { return index_unsynced_; }
  void index_synced() { index_unsynced_ = false; }
  void doubt_index() { index_unsynced_ = true; }  // a process that was killed may not have synced it
  // Index files that were written since they were last synced.
  Result<std::vector<std::shared_ptr<env::File>>> index_files_to_sync(const Home& home);

  // --- look-ups
  // --------------------------------------------------------------------------------------------------

  // The first batch whose last offset is at least `target`; nullopt behind the last one. Nullopt also where
  // bytes that are no batch stand in the way: `broken`, if given, then says where and what.
  Result<std::optional<Located>> locate(const Home& home, Offset target, std::string* broken = nullptr);
  // The last batch start known to the index at or before `position`: where, and the batch's last offset.
  struct Boundary {
    std::uint32_t position = 0;
    Offset last_offset;
  };
  Result<std::optional<Boundary>> boundary(const Home& home, std::uint32_t position);
  // Behind the last whole batch: its offset, base() if there is none; and its byte, below size() if what
  // follows is no batch.
  struct End {
    Offset next;
    std::uint32_t position = 0;
  };
  Result<End> find_end(const Home& home, Offset limit = Offset{std::numeric_limits<std::int64_t>::max()});

  // The largest timestamp of its batches, -1 if they have none; cheap after the first time.
  Result<TimeSlot> max_timestamp(const Home& home);
  // For retention and look-ups: that, or the time of the last write where there are no timestamps.
  Result<std::int64_t> largest_timestamp(const Home& home);
  std::int64_t modified_ms() const { return modified_ms_; }
  void set_modified(std::int64_t now_ms) { modified_ms_ = now_ms; }
  // The first batch's timestamp, from which segment.ms counts; `fallback` (the creation) if it has none.
  Result<std::int64_t> rolling_start(const Home& home, std::int64_t fallback);
  std::int64_t created_ms() const { return created_ms_; }
  // How much earlier than segment.ms this segment is closed, below `jitter_ms`: the same at every start,
  // different for different logs, so they do not all roll at once.
  std::int64_t roll_jitter(std::int64_t jitter_ms, const std::string& folder) const;
  // The first record at or above `start` with a timestamp of at least `timestamp`.
  Result<std::optional<TimestampOffset>> find_timestamp(const Home& home, std::int64_t timestamp,
                                                        Offset start);
  // The first record with the largest timestamp.
  Result<std::optional<TimestampOffset>> find_max_timestamp(const Home& home);

  // --- aborted transactions
  // ------------------------------------------------------------------------------------

  Result<const std::vector<AbortedEntry>*> aborted(const Home& home);
  // Kept in memory and written again later if the disk refuses now.
  Status add_aborted(const Home& home, const AbortedEntry& entry);
  Status cut_aborted(const Home& home, Offset from);

  // --- cutting
  // -------------------------------------------------------------------------------------------------

  // Cuts the file and the index so that `target` and what follows is gone, and returns where the log now
  // ends: `target`, or less if a batch reached across it.
  Result<Offset> truncate(const Home& home, Offset target);
  // The files get their names with `to` behind in place of those with `from`.
  Status rename_files(const Home& home, std::string_view from, std::string_view to);
  // Renames the files to *.deleted and returns their new paths.
  Result<std::vector<std::string>> retire(const Home& home);

 private:
  struct Index {
    SparseIndex<OffsetSlot> offsets;
    SparseIndex<TimeSlot> times;
    FileSlot offsets_file, times_file;
    bool touched = true;
  };
  struct Aborted {
    std::vector<AbortedEntry> entries;
    std::size_t written = 0;
  };

  Status cut_index(const Home& home, Offset from);
  bool in_range(const OffsetSlot& slot) const;
  Result<bool> leads_to_batch(const Home& home, const OffsetSlot& slot);
  std::uint32_t relative(Offset offset) const { return static_cast<std::uint32_t>(offset - base_); }
  void note_time();
  Result<bool> load_index(const Home& home);
  Status read_headers(const Home& home);
  Result<std::uint32_t> scan_start(const Home& home, Offset target);
  Result<std::optional<Located>> scan_for(const Home& home, std::uint32_t from, Offset target,
                                          std::string& broken);
  template <typename Slot>
  auto opener(const Home& home, FileSlot& slot, std::string_view suffix, const SparseIndex<Slot>& index);
  bool quick_to_load(const Index& index) const;
  template <typename Slot>
  Status trim(const Home& home, FileSlot& slot, std::string_view suffix, SparseIndex<Slot>& index,
              std::uint32_t& listed);
  Result<record::BatchHeader> header_at(const Home& home, std::uint32_t position);
  Result<Bytes> batch_at(const Home& home, const Located& located);

  Offset base_;
  std::uint32_t size_ = 0;
  std::uint32_t bytes_since_slot_ = 0;
  bool index_unsynced_ = false;
  bool owes_time_ = false;  // the index was let go before the largest timestamp had become a slot
  std::int64_t max_timestamp_ = kUnknown;
  Offset max_timestamp_offset_;
  std::int64_t first_timestamp_ = kUnknown;
  std::int64_t modified_ms_ = 0;
  std::int64_t created_ms_ = 0;
  Beside beside_;
  FileSlot file_;
  std::unique_ptr<Index> index_;
  std::unique_ptr<Aborted> aborted_;
};

}  // namespace moldau::log
