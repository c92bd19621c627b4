// One round of compaction of one log: reads the dirty part into a table of keys, then copies what stays,
// group of segments by group, into new ones. (Kafka: Cleaner.doClean)
//
//   map ──dirty part read, or table full──▶ copy ──group done──▶ swap ──last group──▶ done
//                                            ▲                    │
//                                            └─────swapped()──────┘
//
// In steps of bounded length, without the log: it reads files that do not change and writes *.cleaned files
// that nobody else knows. Putting them in place is for the log (Log::replace_segments), which says no when it
// has been cut meanwhile. Memory: the table, two buffers, the largest batch. One thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "log/clean_types.h"
#include "log/key_table.h"
#include "log/scanner.h"

namespace moldau::log {

struct CleanLimits {
  std::uint64_t table_bytes = 128u << 20;   // log.cleaner.dedupe.buffer.size, a thread's part
  double load_factor = 0.9;                 // log.cleaner.io.buffer.load.factor
  std::uint64_t buffer_bytes = 512u << 10;  // log.cleaner.io.buffer.size, a thread's part
};

class CleanRun {
 public:
  CleanRun(const LogContext& context, CleanSource source, const CleanLimits& limits, std::uint64_t seed,
           std::int64_t now_ms);

  enum class Step : std::uint8_t { kMore, kSwap, kDone };
  // Reads about `bytes` bytes. kSwap: take replacement(), put it in place, then swapped(). Errors: kCorrupt
  // names file and place; kNoSpace; kNotFound when the log has gone away; the disk's.
  Result<Step> step(std::uint64_t bytes);
  Replacement& replacement() { return *replacement_; }
  void swapped();
  // Removes what is written and not in place.
  void abandon();

  const CleanSource& source() const { return source_; }
  Offset clean_end() const { return latest_ + 1; }  // once mapped: where the next round begins
  std::uint64_t take_traffic() { return std::exchange(traffic_, 0); }  // bytes read and written since

  struct Totals {
    std::uint64_t bytes_read = 0, bytes_written = 0, records_read = 0, records_kept = 0;
  };
  const Totals& totals() const { return totals_; }

 private:
  struct Copy {  // of the group that is being written
    Segment segment;
    std::shared_ptr<env::File> file;
    Bytes out;
  };
  Status map_some(std::uint64_t bytes);
  Result<bool> map_batch(const record::BatchView& batch);
  void group_segments();
  Status copy_some(std::uint64_t bytes);
  Status copy_batch(const record::BatchView& batch, std::int64_t modified_ms);
  Status begin_group();
  Status write_out();
  Status end_group();
  Result<bool> open_segment(const CleanSegment& segment, std::uint64_t from);
  std::unexpected<Error> broken(const CleanSegment& segment, const std::string& why) const;
  Home home(std::string_view suffix) const;

  const LogContext context_;
  const CleanSource source_;
  const CleanLimits limits_;
  const std::int64_t now_ms_;
  KeyTable keys_;
  std::size_t most_keys_;
  Offset latest_ = kNoOffset;  // the last offset that keys_ knows of
  bool mapped_ = false;
  std::optional<CleanTransactions> map_transactions_;
  record::Decompressor decompressor_;

  std::size_t at_ = 0;  // of the segment being read
  std::shared_ptr<env::File> reading_;
  std::optional<BatchScanner> scanner_;

  std::vector<std::size_t> groups_;  // where each begins, and behind the last one
  std::size_t group_ = 0;
  std::int64_t old_tombstone_horizon_ms_ = 0;
  std::optional<CleanRound> round_;
  std::optional<CleanFilter> filter_;
  std::optional<Copy> copy_;
  std::optional<Replacement> replacement_;
  std::uint64_t traffic_ = 0;
  Totals totals_;
};

}  // namespace moldau::log
