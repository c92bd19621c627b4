#include "log/log_loader.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/check.h"
#include "base/fault.h"
#include "log/checkpoint.h"
#include "log/scanner.h"

namespace moldau::log {
namespace {

constexpr Offset kForever{std::numeric_limits<std::int64_t>::max()};
constexpr std::string_view kDeleted = ".deleted", kCleaned = ".cleaned", kSwap = ".swap";

// The number in front of the first dot; nothing if there is none.
std::optional<Offset> offset_of(std::string_view name) {
  const std::string_view digits = name.substr(0, name.find('.'));
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || value < 0) return std::nullopt;
  return Offset{value};
}

std::string_view suffix_of(std::string_view name) {
  const std::size_t dot = name.find('.');
  return dot == std::string_view::npos ? std::string_view{} : name.substr(dot);
}

// Whether nothing lies from `position` on that could ever be read as a batch: what a preallocated file has at
// its end, and most logs of a machine that went down may have one.
Result<bool> only_zeros(const env::File& file, std::uint64_t position) {
  constexpr std::size_t kBlock = 64u << 10;
  Bytes bytes(kBlock);
  TRY_ASSIGN(got, file.read_at(position, bytes));
  const bool zeros = std::all_of(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(got),
                                 [](std::uint8_t byte) { return byte == 0; });
  return zeros && (got < kBlock || file.is_hole(position + kBlock));
}

bool belongs_to_segment(std::string_view name) {
  const std::string_view suffix = suffix_of(name);
  return offset_of(name) && (suffix == ".log" || suffix == ".index" || suffix == ".timeindex" ||
                             suffix == ".txnindex" || suffix == ".snapshot");
}

}  // namespace

Status LogLoader::load() {
  TRY(list());
  TRY(settle_swaps());
  TRY(collect_segments());
  state_.clean = options_.clean_shutdown;
  state_.opened_ms = state_.last_now_ms = state_.last_flush_ms = options_.now_ms;
  state_.recovery_point = options_.recovery_point;
  if (state_.segments.empty()) TRY(state_.begin_anew(options_.log_start, options_.now_ms));
  set_start();
  if (options_.clean_shutdown) {
    TRY(trust());
  } else {
    state_.new_names = 1;  // the names that a killed process made may not be durable yet
    state_.parent_unsynced = true;
    state_.metadata_unsynced =
        std::ranges::find(entries_, kPartitionMetadataName, &env::DirEntry::name) != entries_.end();
    // Nor may the cuts and indexes that it made, in the segment of the recovery point and the one before.
    const std::size_t point = state_.segment_of(state_.recovery_point);
    const std::size_t doubtful = point > 0 ? point - 1 : 0;
    state_.unsynced_cut = state_.segments[doubtful].base();
    for (std::size_t i = doubtful; i < state_.segments.size(); ++i) state_.segments[i].doubt_index();
    TRY(state_.load_epochs());
    TRY(recover(std::max(options_.recover_from, options_.recovery_point)));
    state_.loaded = true;
  }
  return start_above_end();
}

Status LogLoader::list() {
  TRY_ASSIGN(entries, state_.context.fs->list(state_.folder));
  entries_ = std::move(entries);
  std::erase_if(entries_, [](const env::DirEntry& e) { return e.is_directory; });
  state_.has_move_generation =
      std::ranges::find(entries_, kMoveGenerationName, &env::DirEntry::name) != entries_.end();
  return {};
}

// Compaction and splitting replace segments like this: write *.cleaned, rename them to *.swap, rename the old
// ones to
// *.deleted, rename *.swap to their names. Killed in between, a log is finished with its .swap files, unless
// .cleaned ones show that not all of them were there yet.
Status LogLoader::settle_swaps() {
  env::FileSystem& fs = *state_.context.fs;
  std::optional<Offset> first_cleaned;
  std::vector<std::string> swaps;
  bool changed = false;
  const auto remove = [&](const std::string& name) -> Status {
    changed = true;
    return fs.remove(state_.path(name));
  };
  for (const env::DirEntry& entry : entries_) {
    if (entry.name.ends_with(kDeleted) && !entry.name.ends_with(".checkpoint.deleted"))
      TRY(remove(entry.name));
    if (entry.name.ends_with(kCleaned)) {
      if (const auto base = offset_of(entry.name); base && (!first_cleaned || *base < *first_cleaned))
        first_cleaned = base;
    }
    if (entry.name.ends_with(kSwap) && offset_of(entry.name)) swaps.push_back(entry.name);
  }
  for (const env::DirEntry& entry : entries_)
    if (entry.name.ends_with(kCleaned)) TRY(remove(entry.name));
  if (first_cleaned) {
    for (const std::string& name : swaps)
      if (*offset_of(name) >= *first_cleaned) TRY(remove(name));
    std::erase_if(swaps, [&](const std::string& name) { return *offset_of(name) >= *first_cleaned; });
  }

  // The offsets that the new segments cover: old files there are superseded.
  Offset low{std::numeric_limits<std::int64_t>::max()}, high{-1};
  for (const std::string& name : swaps) {
    if (suffix_of(name) != ".log.swap") continue;
    low = std::min(low, *offset_of(name));
    TRY_ASSIGN(file, fs.open(state_.path(name), env::OpenMode::kRead));
    TRY_ASSIGN(size, file->size());
    HeaderScanner scanner(*file, 0, size);
    for (;;) {
      TRY_ASSIGN(header, scanner.next());
      if (!header) break;
      high = std::max(high, header->next_offset());
    }
  }
  for (const env::DirEntry& entry : entries_) {
    if (!belongs_to_segment(entry.name)) continue;
    const Offset base = *offset_of(entry.name);
    if (base >= low && base < high) TRY(remove(entry.name));
  }
  for (const std::string& name : swaps) {
    changed = true;
    TRY(fs.rename(state_.path(name), state_.path(name.substr(0, name.size() - kSwap.size()))));
  }
  if (!swaps.empty()) state_.notes().notes.push_back(state_.folder + ": finished an interrupted compaction");
  return changed ? list() : Status{};
}

Status LogLoader::collect_segments() {
  std::map<Offset, Segment::Beside> beside;
  const auto clip = [](std::uint64_t size) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(size, Segment::kMissing - 1));
  };
  for (const env::DirEntry& entry : entries_) {
    const auto base = offset_of(entry.name);
    if (!base) continue;
    const std::string_view suffix = suffix_of(entry.name);
    if (suffix == ".index") beside[*base].index = clip(entry.size);
    if (suffix == ".timeindex") beside[*base].time = clip(entry.size);
    if (suffix == ".txnindex") beside[*base].aborted = clip(entry.size);
    if (suffix == ".snapshot") state_.snapshots.push_back(*base);
  }
  for (const env::DirEntry& entry : entries_) {
    const auto base = offset_of(entry.name);
    if (!base || suffix_of(entry.name) != ".log") continue;
    if (entry.size > std::numeric_limits<std::int32_t>::max())
      return fail(ErrorKind::kCorrupt, state_.path(entry.name) +
                                           ": expected at most 2147483647 bytes, found " +
                                           std::to_string(entry.size));
    state_.segments.emplace_back(*base, static_cast<std::uint32_t>(entry.size), beside[*base],
                                 entry.modified_ms);
    state_.size_bytes += entry.size;
    beside.erase(*base);
  }
  for (const auto& [base, files] : beside) {  // of no segment
    for (const std::string_view suffix : {".index", ".timeindex", ".txnindex"}) {
      const std::string path = state_.home().path(base, suffix);
      if (state_.context.fs->exists(path)) TRY(state_.context.fs->remove(path));
    }
  }
  std::ranges::sort(state_.snapshots);
  return {};
}

void LogLoader::set_start() { state_.start = std::max(options_.log_start, state_.segments.front().base()); }

// After a clean stop the recovery point is the end of the log; ensure_loaded() looks again before the log is
// used.
Status LogLoader::trust() {
  const Segment& last = state_.active();
  const Offset point = options_.recovery_point;
  if (options_.recovery_point_known && point >= last.base() && (last.size() == 0) == (point == last.base())) {
    state_.end = state_.recovery_point = point;
    return {};
  }
  return state_.ensure_loaded();
}

Status LogLoader::start_above_end() {
  if (state_.end >= options_.log_start) return {};
  if (options_.clean_shutdown) {  // nothing was lost behind the end: the checkpoint is wrong, not the log
    state_.start = state_.segments.front().base();
    state_.notes().notes.push_back(state_.folder + ": expected a log start offset up to the end, " +
                                   std::to_string(state_.end.value) + ", found " +
                                   std::to_string(options_.log_start.value) + " in the checkpoint; ignored");
    return {};
  }
  state_.notes().notes.push_back(state_.folder + ": expected records from offset " +
                                 std::to_string(options_.log_start.value) + " on, found an end at " +
                                 std::to_string(state_.end.value) + "; begun anew there");
  state_.cuts_to_sync().folder = state_.folder;
  TRY(state_.retire_segments(0, state_.segments.size(), options_.now_ms));
  TRY(state_.begin_anew(options_.log_start, options_.now_ms));
  set_start();
  state_.recovery_point = state_.start;
  state_.epochs.clear();
  state_.epochs_changed();
  state_.producers.clear();
  state_.remove_snapshots(Offset{0}, kForever);
  state_.loaded = true;
  return {};
}

Status LogLoader::recover(Offset from) {
  RecoveryReport& report = state_.notes();
  report.scanned = true;
  const std::size_t first = state_.segment_of(from);
  from = std::max(from, state_.segments[first].base());
  if (first > 0 && from == state_.segments[first].base()) TRY(settle_previous(first - 1, from));
  state_.remove_snapshots(from + 1, kForever);  // may tell of what the power loss has undone
  TRY(state_.rebuild_producers(from));
  bool was_cut = false;
  Offset data_end = from;
  for (std::size_t i = first; i < state_.segments.size(); ++i) {
    const Offset base = state_.segments[i].base();
    // Below the end: of another past, its removal was not durable. Above it: what lies between was not, where
    // nothing else makes holes.
    const bool hole = base > state_.end && dense();
    if (i > first && (base < state_.end || hole)) {
      report.why = state_.home().path(base, ".log") + ": expected to begin at offset " +
                   std::to_string(state_.end.value) + ", where the segment before it ends";
      TRY(drop_segments_from(i));
      break;
    }
    TRY(recover_segment(i, i == first ? from : base, was_cut));
    if (state_.segments[i].size() > 0 || i == first) data_end = state_.end;
    if (was_cut) TRY(drop_segments_from(i + 1));
  }
  TRY(drop_empty_from(data_end));
  report.end_offset = state_.end;
  if (state_.end < options_.recovery_point && report.why.empty())
    report.why = state_.folder + ": expected records up to offset " +
                 std::to_string(options_.recovery_point.value) + " as synced, found an end at " +
                 std::to_string(state_.end.value);
  state_.recovery_point = std::min(state_.recovery_point, state_.end);
  if (state_.epochs.truncate_from_end(state_.end)) state_.epochs_changed();
  if (state_.epochs.truncate_from_start(state_.start)) state_.epochs_changed();
  state_.remove_snapshots(state_.end + 1, kForever);
  if (state_.snapshot_end != state_.end && !state_.producers.empty()) TRY(state_.write_snapshot(state_.end));
  return {};
}

// The segment that ends where recovery begins. A truncation right there may have been undone by a power loss,
// so that the segment reaches into the next one again; and the slot that closes its time index may be lost.
Status LogLoader::settle_previous(std::size_t index, Offset from) {
  Segment& segment = state_.segments[index];
  const Home home = state_.home();
  TRY_ASSIGN(found, segment.find_end(home, from));
  if (found.position < segment.size()) {
    state_.notes().notes.push_back(home.path(segment.base(), ".log") + ": cut at byte " +
                                   std::to_string(found.position) + " again, where the next segment begins");
    TRY(shorten(segment, found.position));
  }
  TRY(segment.resume(home, from));
  return segment.seal(home);
}

// Segments without a byte, behind a hole, are worth no hole: what lay in front of them was never synced.
// Below the recovery point such a segment tells where a compacted log ends.
Status LogLoader::drop_empty_from(Offset data_end) {
  std::size_t first = state_.segments.size();
  while (first > 1 && state_.segments[first - 1].size() == 0 && state_.segments[first - 1].base() > data_end)
    --first;
  if (first == state_.segments.size() || data_end < options_.recovery_point) return {};
  TRY(drop_segments_from(first));
  state_.end = data_end;
  return {};
}

// Whether every offset must be there: nothing makes holes but compaction (and logs that are copied from a
// compacted one). The offsets stand outside the batches' checksums, so this is how a lost one is noticed.
bool LogLoader::dense() const {
  return options_.checkpoints_whole && !options_.compacted && !state_.config->cleanup_compact;
}

Status LogLoader::recover_segment(std::size_t index, Offset from, bool& was_cut) {
  Segment& segment = state_.segments[index];
  RecoveryReport& report = state_.notes();
  const Home home = state_.home();
  TRY_ASSIGN(resumed, segment.resume(home, from));
  ++report.segments_scanned;
  state_.end = resumed.next;
  if (segment.size() == 0) return {};

  TRY_ASSIGN(file, segment.file(home));
  BatchScanner scanner(*file, resumed.position, segment.size());
  std::string wrong;
  for (;;) {
    TRY_ASSIGN(batch, scanner.next());
    if (!batch) break;
    const record::BatchHeader& header = batch->header();
    const bool ordered =
        header.last_offset >= state_.end && header.base_offset >= segment.base() &&
        (header.magic < 2 || (header.base_offset >= state_.end && header.last_offset_delta >= 0)) &&
        (header.magic < 2 || header.base_offset == state_.end || !dense());
    if (!ordered || !segment.can_hold(header.last_offset)) {
      wrong = "a batch of offsets " + std::to_string(header.base_offset.value) + " to " +
              std::to_string(header.last_offset.value) + " behind offset " + std::to_string(state_.end.value);
      break;
    }
    segment.note(header, static_cast<std::uint32_t>(scanner.position()), home.index_interval_bytes);
    if (header.magic >= 2 && header.partition_leader_epoch.value >= 0) {
      const auto latest = state_.epochs.latest();
      if ((!latest || header.partition_leader_epoch > latest->epoch) &&
          state_.epochs.assign(header.partition_leader_epoch, header.base_offset))
        state_.epochs_changed();
    }
    TRY(state_.apply_to_producers(
        header, [&]() -> Result<ByteView> { return batch->bytes(); },
        [&](const CompletedTransaction& done, Offset stable) -> Status {
          if (!done.aborted) return {};
          return segment.add_aborted(home, {done.producer, done.first_offset, done.last_offset, stable});
        }));
    state_.snapshot_end = kNoOffset;
    state_.end = header.next_offset();
  }
  const std::uint64_t good = wrong.empty() ? scanner.next_position() : scanner.position();
  report.bytes_scanned += good - std::min<std::uint64_t>(good, resumed.position);
  if (good < segment.size()) {
    was_cut = true;
    TRY(cut(index, good, !wrong.empty() ? wrong : scanner.broken()));
  }
  if (index + 1 < state_.segments.size() && !was_cut) return segment.seal(home);
  return segment.spill(home);
}

Status LogLoader::cut(std::size_t index, std::uint64_t position, const std::string& why) {
  if (fault_is(Fault::kKeepTornTail)) return {};
  Segment& segment = state_.segments[index];
  RecoveryReport& report = state_.notes();
  const Home home = state_.home();
  const std::uint64_t dropped = segment.size() - position;
  report.bytes_dropped += dropped;
  report.why = home.path(segment.base(), ".log") + ": at byte " + std::to_string(position) + ", offset " +
               std::to_string(state_.end.value) + ": " + why;
  return shorten(segment, static_cast<std::uint32_t>(position));
}

Status LogLoader::shorten(Segment& segment, std::uint32_t size) {
  TRY_ASSIGN(file, segment.file(state_.home()));
  TRY_ASSIGN(empty, only_zeros(*file, size));
  TRY(file->truncate(size));
  if (!empty) state_.cuts_to_sync().files.push_back(file);
  state_.size_bytes -= segment.size() - size;
  segment.set_size(size);
  return {};
}

Status LogLoader::drop_segments_from(std::size_t index) {
  if (index >= state_.segments.size()) return {};
  RecoveryReport& report = state_.notes();
  for (std::size_t i = index; i < state_.segments.size(); ++i) {
    ++report.segments_dropped;
    report.bytes_dropped += state_.segments[i].size();
  }
  state_.cuts_to_sync().folder = state_.folder;
  return state_.retire_segments(index, state_.segments.size(),
                                options_.now_ms + state_.config->file_delete_delay_ms);
}

}  // namespace moldau::log
