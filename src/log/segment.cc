#include "log/segment.h"

#include <algorithm>

#include "base/check.h"
#include "base/fault.h"
#include "log/scanner.h"
#include "log/segment_files.h"

namespace moldau::log {

namespace {

constexpr std::uint64_t kMostAborted = 64u << 20;  // bytes of a .txnindex

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
  text += extra;
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

bool Segment::in_range(const OffsetSlot& slot) const { return slot.position < size_; }

Result<bool> Segment::load_index(const Home& home) {
  if (beside_.index == kMissing || beside_.time == kMissing) return false;
  auto index = std::make_unique<Index>();
  const auto load = [&](FileSlot& slot, std::string_view suffix, std::uint32_t bytes,
                        auto& into) -> Result<bool> {
    if (bytes == 0) return true;
    TRY_ASSIGN(found, home.context.files->get(slot, home.path(base_, suffix), env::OpenMode::kReadWrite));
    return into.load(*found, bytes, home.haste);
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
  auto old = std::exchange(index_, std::make_unique<Index>());
  const auto old_max = max_timestamp_;
  const auto old_offset = max_timestamp_offset_;
  const auto old_bytes = bytes_since_slot_;
  max_timestamp_ = record::kNoTimestamp;
  max_timestamp_offset_ = base_;
  bytes_since_slot_ = 0;
  if (const Status read = read_headers(home); !read) {
    index_ = std::move(old);
    max_timestamp_ = old_max, max_timestamp_offset_ = old_offset, bytes_since_slot_ = old_bytes;
    return read;
  }
  if (old) {
    home.context.files->drop(old->offsets_file);
    home.context.files->drop(old->times_file);
  }
  if (was_there && home.report != nullptr) {
    ++home.report->indexes_rebuilt;
    tell(home, home.path(base_, kIndex) + ": rebuilt, its content did not fit the log");
  }
  return {};
}

// Puts all batches into the new index.
Status Segment::read_headers(const Home& home) {
  if (size_ == 0) return {};
  TRY_ASSIGN(log_file, file(home));
  HeaderScanner scanner(*log_file, 0, size_, home.haste);
  for (;;) {
    auto header = scanner.next();
    if (!header && home.haste != nullptr) home.haste->expect(size_ - scanner.next_position());
    if (!header) return std::unexpected(std::move(header).error());
    if (!*header) break;
    note(**header, static_cast<std::uint32_t>(scanner.position()), home.index_interval_bytes);
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

// ---- aborted transactions
// -------------------------------------------------------------------------------------------

Result<const std::vector<AbortedEntry>*> Segment::aborted(const Home& home) {
  if (!aborted_) {
    static const std::vector<AbortedEntry> kNone;
    if (beside_.aborted == kMissing || beside_.aborted < kAbortedEntryBytes) return &kNone;
    const std::string path = home.path(base_, kAborted);
    TRY_ASSIGN(content, home.context.fs->read_file(path, kMostAborted, home.haste));
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

Status Segment::rename_files(const Home& home, std::string_view from, std::string_view to) {
  for (const std::string_view suffix : {kLog, kIndex, kTime, kAborted}) {
    if (suffix == kAborted && beside_.aborted == kMissing) continue;
    const std::string path = home.path(base_, suffix);
    TRY(home.context.fs->rename(path + std::string(from), path + std::string(to)));
  }
  return {};
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
