// Look-ups in a segment: by offset, by byte, by timestamp.
#include <algorithm>

#include "log/scanner.h"
#include "log/segment.h"
#include "log/segment_files.h"
#include "record/records.h"

namespace moldau::log {

// The position of a batch that is not behind the one that holds `target`.
Result<std::uint32_t> Segment::scan_start(const Home& home, Offset target) {
  TRY(ensure_index(home));
  TRY_ASSIGN(slot,
             index_->offsets.floor([&](const OffsetSlot& s) { return base_ + s.relative <= target; },
                                   opener(home, index_->offsets_file, kIndex, index_->offsets), home.haste));
  return slot ? slot->position : 0;
}

Result<std::optional<Located>> Segment::scan_for(const Home& home, std::uint32_t from, Offset target,
                                                 std::string& broken) {
  TRY_ASSIGN(log_file, file(home));
  HeaderScanner scanner(*log_file, from, size_, home.haste);
  broken.clear();
  for (bool first = true;; first = false) {
    TRY_ASSIGN(header, scanner.next());
    const auto told = [&](std::string_view what) {
      broken = home.path(base_, kLog) + ": expected a batch at byte " + std::to_string(scanner.position()) +
               ", found " + std::string(what);
      return std::nullopt;
    };
    if (!header && scanner.broken().empty()) return std::nullopt;
    if (!header) return told(scanner.broken());
    if (first && from > 0 && header->base_offset > target)
      return told("one behind the offset that the index told");
    if (header->last_offset >= target)
      return Located{static_cast<std::uint32_t>(scanner.position()), *header};
  }
}

Result<std::optional<Located>> Segment::locate(const Home& home, Offset target, std::string* broken) {
  if (size_ == 0) return std::nullopt;
  std::string why;
  TRY_ASSIGN(from, scan_start(home, target));
  TRY_ASSIGN(found, scan_for(home, from, target, why));
  if (!why.empty() && from > 0) {  // the index may be what is wrong
    TRY(rebuild_index(home));
    TRY_ASSIGN(again, scan_start(home, target));
    TRY_ASSIGN(second, scan_for(home, again, target, why));
    found = std::move(second);
  }
  if (broken != nullptr) *broken = std::move(why);
  return std::move(found);
}

Result<std::optional<Segment::Boundary>> Segment::boundary(const Home& home, std::uint32_t position) {
  TRY(ensure_index(home));
  TRY_ASSIGN(slot,
             index_->offsets.floor([&](const OffsetSlot& s) { return s.position <= position; },
                                   opener(home, index_->offsets_file, kIndex, index_->offsets), home.haste));
  if (!slot) return std::nullopt;
  return Boundary{slot->position, base_ + slot->relative};
}

Result<Segment::End> Segment::find_end(const Home& home, Offset limit) {
  if (size_ == 0) return End{base_, 0};
  TRY_ASSIGN(from, scan_start(home, limit - 1));
  TRY_ASSIGN(log_file, file(home));
  HeaderScanner scanner(*log_file, from, size_, home.haste);
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
    TRY_ASSIGN(got, env::read(*times, std::uint64_t{slots - 1} * TimeSlot::kBytes, bytes, home.haste));
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
  HeaderScanner scanner(*log_file, position, size_, home.haste);
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
  TRY_ASSIGN(got, env::read(*log_file, located.position, bytes, home.haste));
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
                                       opener(home, index_->times_file, kTime, index_->times), home.haste));
  const Offset from = std::max(slot ? base_ + slot->relative : base_, start);
  TRY_ASSIGN(position, scan_start(home, from));
  TRY_ASSIGN(log_file, file(home));
  HeaderScanner scanner(*log_file, position, size_, home.haste);
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

}  // namespace moldau::log
