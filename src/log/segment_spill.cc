// What a segment keeps in memory goes to its files: slots that were added, their true size at the end, and
// what is to be synced; and memory that nobody needs is given back.
#include "base/fault.h"
#include "log/segment.h"
#include "log/segment_files.h"

namespace moldau::log {

Status Segment::spill(const Home& home) {
  if (!index_) return {};
  const auto write = [&]<typename Slot>(FileSlot& slot, std::string_view suffix, SparseIndex<Slot>& index,
                                        std::uint32_t& listed) -> Status {
    if (!index.has_pending()) return {};
    TRY_ASSIGN(into, opener(home, slot, suffix, index)());
    index_unsynced_ = true;
    // A file with something behind its slots, as Kafka leaves it, is trimmed when it is sealed.
    const bool exact = (listed == kMissing ? 0 : listed) == index.written() * Slot::kBytes;
    TRY(index.spill(*into));
    if (exact) listed = index.written() * Slot::kBytes;
    return {};
  };
  TRY(write(index_->offsets_file, kIndex, index_->offsets, beside_.index));
  TRY(write(index_->times_file, kTime, index_->times, beside_.time));
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
  if (!index_ && owes_time_) TRY(ensure_index(home));
  if (!index_) return {};
  note_time();
  owes_time_ = false;
  TRY(spill(home));
  TRY(trim(home, index_->offsets_file, kIndex, index_->offsets, beside_.index));
  return trim(home, index_->times_file, kTime, index_->times, beside_.time);
}

std::uint32_t Segment::index_bytes() const {
  if (index_) return static_cast<std::uint32_t>(index_->offsets.count() * OffsetSlot::kBytes);
  return beside_.index == kMissing ? 0 : beside_.index;
}

std::uint32_t Segment::time_bytes() const {
  if (index_) return static_cast<std::uint32_t>(index_->times.count() * TimeSlot::kBytes);
  return beside_.time == kMissing ? 0 : beside_.time;
}

// Whether all of it can be had from files again, with a small read each.
bool Segment::quick_to_load(const Index& index) const {
  constexpr std::uint32_t kSmall = 64 << 10;
  const std::uint32_t offsets = index.offsets.written() * OffsetSlot::kBytes,
                      times = index.times.written() * TimeSlot::kBytes;
  return !has_pending() && beside_.index == offsets && beside_.time == times && offsets + times <= kSmall;
}

void Segment::trim_memory(const LogContext& context) {
  if (file_.file.expired()) file_ = {};  // what is left of a closed file, too, takes room
  if (!index_ || std::exchange(index_->touched, false) || !quick_to_load(*index_)) return;
  context.files->drop(index_->offsets_file);
  context.files->drop(index_->times_file);
  const auto& last = index_->times.last();
  owes_time_ = max_timestamp_ > (last ? last->timestamp : record::kNoTimestamp);
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

}  // namespace moldau::log
