#include "log/segment.h"

#include <algorithm>

#include "base/check.h"
#include "base/fault.h"
#include "log/scanner.h"
#include "record/records.h"

namespace moldau::log {

namespace {

constexpr std::string_view kLog = ".log", kIndex = ".index", kTime = ".timeindex", kAborted = ".txnindex";

void tell(const Home& home, std::string text) {
  if (home.report != nullptr) home.report->notes.push_back(std::move(text));
}

}  // namespace

std::string segment_name(Offset base) {
  std::string digits = std::to_string(base.value);
  return std::string(20 - std::min<std::size_t>(20, digits.size()), '0') + digits;
}

std::string Home::path(Offset base, std::string_view suffix) const {
  std::string text = folder;
  text += '/';
  text += segment_name(base);
  text += suffix;
  return text;
}

Segment::Segment(Offset base, std::uint32_t size, const Beside& beside, std::int64_t modified_ms)
    : base_(base), size_(size), modified_ms_(modified_ms), created_ms_(modified_ms), beside_(beside) {}

Segment Segment::fresh(Offset base, std::int64_t now_ms) {
  Segment segment(base, 0, {}, now_ms);
  segment.index_ = std::make_unique<Index>();
  segment.max_timestamp_ = record::kNoTimestamp;
  segment.max_timestamp_offset_ = base;
  return segment;
}

Result<std::shared_ptr<env::File>> Segment::file(const Home& home) {
  if (auto open = home.context.files->peek(file_)) return open;
  return home.context.files->get(file_, home.path(base_, kLog), env::OpenMode::kReadWrite);
}

void Segment::drop_files(const LogContext& context) {
  context.files->drop(file_);
  if (!index_) return;
  context.files->drop(index_->offsets_file);
  context.files->drop(index_->times_file);
}

// ---- index
// ----------------------------------------------------------------------------------------------------------

// A function that opens an index's file; made anew if nothing of it counts.
template <typename Slot>
auto Segment::opener(const Home& home, FileSlot& slot, std::string_view suffix,
                     const SparseIndex<Slot>& index) {
  return [this, &home, &slot, suffix, &index]() -> Result<std::shared_ptr<env::File>> {
    if (auto open = home.context.files->peek(slot)) return open;
    const auto mode = index.written() == 0 ? env::OpenMode::kTruncate : env::OpenMode::kCreate;
    return home.context.files->get(slot, home.path(base_, suffix), mode);
  };
}

bool Segment::in_range(const OffsetSlot& slot) const { return slot.position < size_; }

Result<bool> Segment::load_index(const Home& home) {
  if (beside_.index == kMissing || beside_.time == kMissing) return false;
  auto index = std::make_unique<Index>();
  const auto load = [&](FileSlot& slot, std::string_view suffix, std::uint32_t bytes,
                        auto& into) -> Result<bool> {
    if (bytes == 0) return true;
    TRY_ASSIGN(found, home.context.files->get(slot, home.path(base_, suffix), env::OpenMode::kReadWrite));
    return into.load(*found, bytes);
  };
  TRY_ASSIGN(offsets_good, load(index->offsets_file, kIndex, beside_.index, index->offsets));
  TRY_ASSIGN(times_good, load(index->times_file, kTime, beside_.time, index->times));
  const bool sound =
      offsets_good && times_good && (!index->offsets.last() || in_range(*index->offsets.last()));
  // What Kafka or we have closed ends with the largest timestamp, so a segment with bytes and no time slot
  // has no timestamps at all; one with offset slots but without time slots may as well have lost them: nobody
  // can tell, and for magic 0 it is right.
  if (sound) index_ = std::move(index);
  return sound;
}

Status Segment::ensure_index(const Home& home) {
  if (index_) {
    index_->touched = true;
    return {};
  }
  if (size_ == 0 && beside_.index == kMissing) {
    index_ = std::make_unique<Index>();
  } else {
    auto sound = load_index(home);
    if (!sound && sound.error().kind != ErrorKind::kNotFound)
      return std::unexpected(std::move(sound).error());
    if (!sound || !*sound) return rebuild_index(home);
  }
  if (max_timestamp_ != kUnknown) return {};
  const auto& last = index_->times.last();
  max_timestamp_ = last ? last->timestamp : record::kNoTimestamp;
  max_timestamp_offset_ = last ? base_ + last->relative : base_;
  return {};
}

Status Segment::rebuild_index(const Home& home) {
  const bool was_there = beside_.index != kMissing && beside_.time != kMissing;
  if (was_there && home.report != nullptr) {
    ++home.report->indexes_rebuilt;
    tell(home, home.path(base_, kIndex) + ": rebuilt, its content did not fit the log");
  }
  if (index_) drop_files(home.context);
  index_ = std::make_unique<Index>();
  max_timestamp_ = record::kNoTimestamp;
  max_timestamp_offset_ = base_;
  bytes_since_slot_ = 0;
  if (size_ == 0) return {};
  TRY_ASSIGN(log_file, file(home));
  HeaderScanner scanner(*log_file, 0, size_);
  for (;;) {
    TRY_ASSIGN(header, scanner.next());
    if (!header) break;
    note(*header, static_cast<std::uint32_t>(scanner.position()), home.index_interval_bytes);
  }
  if (!scanner.broken().empty())
    tell(home, home.path(base_, kLog) + ": at byte " + std::to_string(scanner.next_position()) + ": " +
                   std::string(scanner.broken()));
  note_time();
  return {};
}

Status Segment::cut_index(const Home& home, Offset from) {
  TRY(ensure_index(home));
  index_unsynced_ = true;  // a power loss must not bring back what is cut
  const std::int64_t limit = from - base_;
  TRY(index_->offsets.keep_while([&](const OffsetSlot& s) { return s.relative < limit; },
                                 opener(home, index_->offsets_file, kIndex, index_->offsets)));
  TRY(index_->times.keep_while([&](const TimeSlot& s) { return s.relative < limit; },
                               opener(home, index_->times_file, kTime, index_->times)));
  const auto& last = index_->times.last();
  max_timestamp_ = last ? last->timestamp : record::kNoTimestamp;
  max_timestamp_offset_ = last ? base_ + last->relative : base_;
  bytes_since_slot_ = 0;
  return {};
}

// Whether a batch with the slot's offset begins where the slot says.
Result<bool> Segment::leads_to_batch(const Home& home, const OffsetSlot& slot) {
  TRY_ASSIGN(log_file, file(home));
  HeaderScanner scanner(*log_file, slot.position, size_);
  TRY_ASSIGN(header, scanner.next());
  return header && header->base_offset <= base_ + slot.relative && header->base_offset >= base_;
}

Result<Segment::Resumed> Segment::resume(const Home& home, Offset from) {
  TRY(cut_aborted(home, from));
  if (from <= base_ || size_ == 0) {  // from the start: nothing of the old index is needed
    drop_files(home.context);
    index_ = std::make_unique<Index>();
    index_unsynced_ = true;
    max_timestamp_ = record::kNoTimestamp;
    max_timestamp_offset_ = base_;
    first_timestamp_ = kUnknown;
    bytes_since_slot_ = 0;
    return Resumed{0, base_};
  }
  TRY(cut_index(home, from));
  if (index_->offsets.last()) {
    TRY_ASSIGN(leads, leads_to_batch(home, *index_->offsets.last()));
    if (!leads) {
      TRY(rebuild_index(home));
      TRY(cut_index(home, from));
    }
  }
  index_unsynced_ = true;
  const auto& last = index_->offsets.last();
  Resumed resumed{last ? last->position : 0, base_};
  const std::uint32_t counted_from = resumed.position;
  TRY_ASSIGN(log_file, file(home));
  HeaderScanner scanner(*log_file, resumed.position, size_);
  for (;;) {
    TRY_ASSIGN(header, scanner.next());
    // An offset that does not grow is for the recovery to judge: the CRC does not cover it.
    if (!header || header->last_offset >= from || header->base_offset < resumed.next) break;
    resumed = {static_cast<std::uint32_t>(scanner.next_position()), header->next_offset()};
    if (header->max_timestamp > max_timestamp_) {
      max_timestamp_ = header->max_timestamp;
      max_timestamp_offset_ = header->last_offset;
    }
  }
  bytes_since_slot_ = resumed.position - counted_from;
  return resumed;
}

void Segment::note(const record::BatchHeader& header, std::uint32_t position,
                   std::int32_t index_interval_bytes) {
  if (position == 0) first_timestamp_ = header.max_timestamp;
  if (header.max_timestamp > max_timestamp_) {
    max_timestamp_ = header.max_timestamp;
    max_timestamp_offset_ = header.last_offset;
  }
  if (bytes_since_slot_ > static_cast<std::uint32_t>(index_interval_bytes)) {
    const OffsetSlot slot{relative(header.last_offset) - fault_is(Fault::kIndexOffByOne), position};
    const auto& last = index_->offsets.last();
    if (can_hold(header.last_offset) && (!last || slot.follows(*last))) index_->offsets.append(slot);
    note_time();
    bytes_since_slot_ = 0;
  }
  bytes_since_slot_ += static_cast<std::uint32_t>(header.size);
}

// The largest timestamp so far becomes a slot, if it is news.
void Segment::note_time() {
  const auto& last = index_->times.last();
  if (max_timestamp_ <= (last ? last->timestamp : record::kNoTimestamp)) return;
  if (!can_hold(max_timestamp_offset_)) return;
  const TimeSlot slot{max_timestamp_, relative(max_timestamp_offset_)};
  if (!last || slot.follows(*last)) index_->times.append(slot);
}

bool Segment::index_full(std::int32_t max_bytes) const {
  const auto bytes = static_cast<std::uint32_t>(max_bytes);
  // One time slot is kept free for the largest timestamp at the end.
  return index_->offsets.count() >= bytes / OffsetSlot::kBytes ||
         index_->times.count() + 1 >= bytes / TimeSlot::kBytes;
}

Status Segment::spill(const Home& home) {
  if (!index_) return {};
  const auto write = [&](FileSlot& slot, std::string_view suffix, auto& index) -> Status {
    if (!index.has_pending()) return {};
    TRY_ASSIGN(into, opener(home, slot, suffix, index)());
    index_unsynced_ = true;
    return index.spill(*into);
  };
  TRY(write(index_->offsets_file, kIndex, index_->offsets));
  TRY(write(index_->times_file, kTime, index_->times));
  if (aborted_ && aborted_->written < aborted_->entries.size()) {
    Bytes bytes;
    for (std::size_t i = aborted_->written; i < aborted_->entries.size(); ++i) {
      const Bytes one = format_aborted(aborted_->entries[i]);
      bytes.insert(bytes.end(), one.begin(), one.end());
    }
    TRY_ASSIGN(into, home.context.fs->open(home.path(base_, kAborted), env::OpenMode::kCreate));
    TRY(into->write_at(aborted_->written * kAbortedEntryBytes, bytes));
    aborted_->written = aborted_->entries.size();
    beside_.aborted = static_cast<std::uint32_t>(aborted_->written * kAbortedEntryBytes);
  }
  return {};
}

template <typename Slot>
Status Segment::trim(const Home& home, FileSlot& slot, std::string_view suffix, SparseIndex<Slot>& index,
                     std::uint32_t& listed) {
  const std::uint32_t bytes = index.written() * Slot::kBytes;
  if (listed == bytes && !index_unsynced_) return {};
  TRY_ASSIGN(into, opener(home, slot, suffix, index)());
  TRY_ASSIGN(size, into->size());
  if (size != bytes) {
    index_unsynced_ = true;
    TRY(into->truncate(bytes));
  }
  listed = bytes;
  return {};
}

Status Segment::seal(const Home& home) {
  if (!index_) return {};
  note_time();
  TRY(spill(home));
  TRY(trim(home, index_->offsets_file, kIndex, index_->offsets, beside_.index));
  return trim(home, index_->times_file, kTime, index_->times, beside_.time);
}

void Segment::forget_index() {
  if (!index_) return;
  if (index_->touched || index_unsynced_ || index_->offsets.has_pending() || index_->times.has_pending()) {
    index_->touched = false;
    return;
  }
  if (beside_.index != index_->offsets.written() * OffsetSlot::kBytes ||
      beside_.time != index_->times.written() * TimeSlot::kBytes)
    return;  // still growing: what is not sealed stays
  index_.reset();
}

Result<std::vector<std::shared_ptr<env::File>>> Segment::index_files_to_sync(const Home& home) {
  std::vector<std::shared_ptr<env::File>> files;
  if (!index_unsynced_) return files;
  index_unsynced_ = false;
  for (const std::string_view suffix : {kIndex, kTime, kAborted}) {
    const std::string path = home.path(base_, suffix);
    if (suffix == kAborted && beside_.aborted == kMissing) continue;
    auto found = home.context.fs->open(path, env::OpenMode::kReadWrite);
    if (found) {
      files.push_back(std::move(*found));
    } else if (found.error().kind != ErrorKind::kNotFound) {
      return std::unexpected(std::move(found).error());
    }
  }
  return files;
}

// ---- look-ups
// -------------------------------------------------------------------------------------------------------

// The position of a batch that is not behind the one that holds `target`.
Result<std::uint32_t> Segment::scan_start(const Home& home, Offset target) {
  TRY(ensure_index(home));
  TRY_ASSIGN(slot, index_->offsets.floor([&](const OffsetSlot& s) { return base_ + s.relative <= target; },
                                         opener(home, index_->offsets_file, kIndex, index_->offsets)));
  return slot ? slot->position : 0;
}

Result<std::optional<Located>> Segment::scan_for(const Home& home, std::uint32_t from, Offset target,
                                                 bool& plausible) {
  TRY_ASSIGN(log_file, file(home));
  HeaderScanner scanner(*log_file, from, size_);
  plausible = true;
  bool first = true;
  for (;;) {
    TRY_ASSIGN(header, scanner.next());
    if (!header) {
      plausible = scanner.broken().empty();
      return std::nullopt;
    }
    if (first && from > 0 && header->base_offset > target) {
      plausible = false;  // the index has led us behind the target
      return std::nullopt;
    }
    first = false;
    if (header->last_offset >= target)
      return Located{static_cast<std::uint32_t>(scanner.position()), *header};
  }
}

Result<std::optional<Located>> Segment::locate(const Home& home, Offset target) {
  if (size_ == 0) return std::nullopt;
  TRY_ASSIGN(from, scan_start(home, target));
  bool plausible = true;
  TRY_ASSIGN(found, scan_for(home, from, target, plausible));
  if (plausible || from == 0) return found;
  TRY(rebuild_index(home));
  TRY_ASSIGN(again, scan_start(home, target));
  return scan_for(home, again, target, plausible);
}

Result<std::optional<Segment::Boundary>> Segment::boundary(const Home& home, std::uint32_t position) {
  TRY(ensure_index(home));
  TRY_ASSIGN(slot, index_->offsets.floor([&](const OffsetSlot& s) { return s.position <= position; },
                                         opener(home, index_->offsets_file, kIndex, index_->offsets)));
  if (!slot) return std::nullopt;
  return Boundary{slot->position, base_ + slot->relative};
}

Result<Segment::End> Segment::find_end(const Home& home, Offset limit) {
  if (size_ == 0) return End{base_, 0};
  TRY_ASSIGN(from, scan_start(home, limit - 1));
  TRY_ASSIGN(log_file, file(home));
  HeaderScanner scanner(*log_file, from, size_);
  End end{base_, from};
  for (;;) {
    TRY_ASSIGN(header, scanner.next());
    if (!header || header->last_offset >= limit) return end;
    end = {header->next_offset(), static_cast<std::uint32_t>(scanner.next_position())};
  }
}

Result<TimeSlot> Segment::max_timestamp(const Home& home) {
  if (max_timestamp_ == kUnknown && beside_.time != kMissing && beside_.time >= TimeSlot::kBytes) {
    // The last slot is enough, unless the file is longer than its content.
    TRY_ASSIGN(times, home.context.fs->open(home.path(base_, kTime), env::OpenMode::kRead));
    std::uint8_t bytes[TimeSlot::kBytes];
    const std::uint32_t slots = beside_.time / TimeSlot::kBytes;
    TRY_ASSIGN(got, times->read_at(std::uint64_t{slots - 1} * TimeSlot::kBytes, bytes));
    const TimeSlot slot = TimeSlot::load(bytes);
    if (got == sizeof bytes && slot.timestamp > 0) {
      max_timestamp_ = slot.timestamp;
      max_timestamp_offset_ = base_ + slot.relative;
    }
  }
  if (max_timestamp_ == kUnknown) TRY(ensure_index(home));
  return TimeSlot{max_timestamp_, relative(max_timestamp_offset_)};
}

Result<std::int64_t> Segment::largest_timestamp(const Home& home) {
  TRY_ASSIGN(slot, max_timestamp(home));
  return slot.timestamp >= 0 ? slot.timestamp : modified_ms_;
}

Result<std::int64_t> Segment::rolling_start(const Home& home, std::int64_t fallback) {
  if (size_ > 0 && first_timestamp_ == kUnknown) {
    TRY_ASSIGN(header, header_at(home, 0));
    first_timestamp_ = header.max_timestamp;
  }
  return size_ > 0 && first_timestamp_ >= 0 ? first_timestamp_ : fallback;
}

std::int64_t Segment::roll_jitter(std::int64_t jitter_ms, const std::string& folder) const {
  if (jitter_ms <= 0) return 0;
  std::uint64_t hash = 0xcbf29ce484222325 ^ static_cast<std::uint64_t>(base_.value);  // FNV-1a
  for (const char c : folder) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3;
  return static_cast<std::int64_t>(hash % static_cast<std::uint64_t>(jitter_ms));
}

Result<record::BatchHeader> Segment::header_at(const Home& home, std::uint32_t position) {
  TRY_ASSIGN(log_file, file(home));
  HeaderScanner scanner(*log_file, position, size_);
  TRY_ASSIGN(header, scanner.next());
  if (!header)
    return fail(ErrorKind::kCorrupt, home.path(base_, kLog) + ": expected a batch at byte " +
                                         std::to_string(position) + ", found " +
                                         std::string(scanner.broken()));
  return *header;
}

Result<Bytes> Segment::batch_at(const Home& home, const Located& located) {
  TRY_ASSIGN(log_file, file(home));
  Bytes bytes(static_cast<std::size_t>(located.header.size));
  TRY_ASSIGN(got, log_file->read_at(located.position, bytes));
  if (got != bytes.size())
    return fail(ErrorKind::kCorrupt, home.path(base_, kLog) + ": expected " + std::to_string(bytes.size()) +
                                         " bytes at " + std::to_string(located.position) + ", found " +
                                         std::to_string(got));
  return bytes;
}

namespace {

// The first record of `batch` that `wanted` accepts.
template <typename Wanted>
std::optional<TimestampOffset> first_record(ByteView bytes, const record::BatchHeader& header,
                                            Wanted wanted) {
  const record::BatchView batch(bytes, header);
  record::Decompressor decompressor;
  record::RecordIterator records(batch, decompressor);
  while (const auto record = records.next()) {
    if (wanted(*record))
      return TimestampOffset{record->timestamp, record->offset, header.partition_leader_epoch};
  }
  return std::nullopt;
}

}  // namespace

Result<std::optional<TimestampOffset>> Segment::find_timestamp(const Home& home, std::int64_t timestamp,
                                                               Offset start) {
  TRY(ensure_index(home));
  TRY_ASSIGN(slot, index_->times.floor([&](const TimeSlot& s) { return s.timestamp <= timestamp; },
                                       opener(home, index_->times_file, kTime, index_->times)));
  const Offset from = std::max(slot ? base_ + slot->relative : base_, start);
  TRY_ASSIGN(position, scan_start(home, from));
  TRY_ASSIGN(log_file, file(home));
  HeaderScanner scanner(*log_file, position, size_);
  for (;;) {
    TRY_ASSIGN(header, scanner.next());
    if (!header) return std::nullopt;
    if (header->max_timestamp < timestamp || header->last_offset < start) continue;
    TRY_ASSIGN(bytes, batch_at(home, {static_cast<std::uint32_t>(scanner.position()), *header}));
    if (const auto found = first_record(bytes, *header, [&](const record::Record& r) {
          return r.timestamp >= timestamp && r.offset >= start;
        }))
      return found;
  }
}

Result<std::optional<TimestampOffset>> Segment::find_max_timestamp(const Home& home) {
  TRY_ASSIGN(slot, max_timestamp(home));
  if (slot.timestamp < 0) return std::nullopt;
  TRY_ASSIGN(located, locate(home, base_ + slot.relative));
  if (!located) return std::nullopt;
  TRY_ASSIGN(bytes, batch_at(home, *located));
  return first_record(bytes, located->header,
                      [&](const record::Record& r) { return r.timestamp == slot.timestamp; });
}

// ---- aborted transactions
// -------------------------------------------------------------------------------------------

Result<const std::vector<AbortedEntry>*> Segment::aborted(const Home& home) {
  if (!aborted_) {
    static const std::vector<AbortedEntry> kNone;
    if (beside_.aborted == kMissing || beside_.aborted < kAbortedEntryBytes) return &kNone;
    const std::string path = home.path(base_, kAborted);
    TRY_ASSIGN(content, home.context.fs->read_file(path));
    TRY_ASSIGN(entries, parse_aborted(content, path));
    aborted_ = std::make_unique<Aborted>(Aborted{entries, entries.size()});
  }
  return &aborted_->entries;
}

Status Segment::add_aborted(const Home& home, const AbortedEntry& entry) {
  TRY(aborted(home));
  if (!aborted_) aborted_ = std::make_unique<Aborted>();
  aborted_->entries.push_back(entry);
  return spill(home);
}

Status Segment::cut_aborted(const Home& home, Offset from) {
  if (beside_.aborted == kMissing && !aborted_) return {};
  const auto loaded = aborted(home);
  if (!loaded) {
    if (loaded.error().kind != ErrorKind::kCorrupt) return std::unexpected(loaded.error());
    tell(home, loaded.error().message + "; begun anew");
    aborted_ = std::make_unique<Aborted>();
  }
  if (!aborted_) aborted_ = std::make_unique<Aborted>();
  std::erase_if(aborted_->entries, [&](const AbortedEntry& e) { return e.last_offset >= from; });
  aborted_->written = std::min(aborted_->written, aborted_->entries.size());
  const std::uint64_t bytes = aborted_->written * kAbortedEntryBytes;
  if (beside_.aborted != kMissing && beside_.aborted != bytes) {
    TRY_ASSIGN(into, home.context.fs->open(home.path(base_, kAborted), env::OpenMode::kCreate));
    TRY(into->truncate(bytes));
    beside_.aborted = static_cast<std::uint32_t>(bytes);
  }
  return {};
}

// ---- cutting
// --------------------------------------------------------------------------------------------------------

Result<Offset> Segment::truncate(const Home& home, Offset target) {
  TRY_ASSIGN(located, locate(home, target));
  const bool across = located && (located->header.magic >= 2 ? located->header.base_offset < target
                                                             : located->header.compressed());
  if (located) {
    TRY_ASSIGN(log_file, file(home));
    TRY(log_file->truncate(located->position));
    size_ = located->position;
  }
  TRY(cut_index(home, target));
  TRY(cut_aborted(home, target));
  if (size_ == 0) first_timestamp_ = kUnknown;
  // Behind the last slot there may be a larger timestamp still.
  const auto& last = index_->offsets.last();
  TRY_ASSIGN(log_file, file(home));
  HeaderScanner scanner(*log_file, last ? last->position : 0, size_);
  Offset end = base_;
  for (;;) {
    TRY_ASSIGN(header, scanner.next());
    if (!header) return !across ? target : located->header.magic >= 2 ? located->header.base_offset : end;
    end = header->next_offset();
    if (header->max_timestamp > max_timestamp_) {
      max_timestamp_ = header->max_timestamp;
      max_timestamp_offset_ = header->last_offset;
    }
  }
}

Result<std::vector<std::string>> Segment::retire(const Home& home) {
  std::vector<std::string> retired;
  for (const std::string_view suffix : {kLog, kIndex, kTime, kAborted}) {
    const std::string path = home.path(base_, suffix);
    const Status renamed = home.context.fs->rename(path, path + ".deleted");
    if (renamed)
      retired.push_back(path + ".deleted");
    else if (renamed.error().kind != ErrorKind::kNotFound || suffix == kLog)
      return std::unexpected(renamed.error());
  }
  drop_files(home.context);
  return retired;
}

}  // namespace moldau::log
