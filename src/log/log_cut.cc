// Taking away: at the end (truncation), at the start (retention, DeleteRecords), all of it.
#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/fault.h"
#include "log/log_state.h"

namespace moldau::log {
namespace {

constexpr Offset kForever{std::numeric_limits<std::int64_t>::max()};

}  // namespace

// From the end backwards when the last one goes, so that a crash in between leaves a log without a hole.
Status LogState::retire_segments(std::size_t first, std::size_t last, std::int64_t due_ms) {
  const bool backwards = last == segments.size();
  if (first < last)
    ++new_names;  // so that no power loss brings them back once the recovery point has moved on
  while (first < last) {
    const std::size_t at = backwards ? last - 1 : first;
    TRY_ASSIGN(paths, segments[at].retire(home()));
    for (std::string& path : paths) removals.push_back({std::move(path), due_ms});
    size_bytes -= segments[at].size();
    segments.erase(segments.begin() + static_cast<std::ptrdiff_t>(at));
    --last;
  }
  return {};
}

Status LogState::begin_anew(Offset base, std::int64_t now_ms) {
  CHECK(segments.empty());
  TRY(context.fs->open(home().path(base, ".log"), env::OpenMode::kTruncate));
  ++new_names;
  segments.push_back(Segment::fresh(base, now_ms));
  size_bytes = 0;
  end = base;
  tail.clear();
  tail_dirty = false;
  return {};
}

void LogState::move_start(Offset offset) {
  start = offset;
  if (epochs.truncate_from_start(offset)) epochs_changed();
  producers.start_moved_to(offset);
}

Status Log::truncate_to(Offset offset) {
  LogState& s = *state_;
  CHECK(offset.value >= 0);
  TRY(s.ensure_loaded());
  if (offset >= s.end) {
    // A leader that never wrote may have left an epoch behind the end.
    if (s.epochs.truncate_from_end(s.end)) s.epochs_changed();
    return {};
  }
  if (offset < s.segments.front().base()) return truncate_fully_and_start_at(offset);
  ++s.truncations;
  const std::size_t index = s.segment_of(offset);
  // Durable before anything is appended: what is cut away is whole, and a power loss that brought it back in
  // place of what follows would leave records of an epoch that the others have given up.
  FlushWork cut;
  if (index + 1 < s.segments.size()) cut.folder = s.folder;
  TRY(s.retire_segments(index + 1, s.segments.size(), s.last_now_ms + s.config->file_delete_delay_ms));
  Segment& last = s.active();
  s.size_bytes -= last.size();
  s.tail.clear();
  s.unsynced_cut = last.base();
  TRY_ASSIGN(end, last.truncate(s.home(), offset));
  TRY_ASSIGN(file, last.file(s.home()));
  cut.files.push_back(file);
  TRY(cut.run(*s.context.fs));
  s.size_bytes += last.size();
  s.end = end;
  s.recovery_point = std::min(s.recovery_point, s.end);
  s.start = std::min(s.start, s.end);
  if (s.epochs.truncate_from_end(s.end)) s.epochs_changed();
  s.remove_snapshots(s.end + 1, kForever);
  return s.rebuild_producers(s.end);
}

Status Log::truncate_fully_and_start_at(Offset offset, std::optional<Offset> start) {
  LogState& s = *state_;
  TRY(s.ensure_loaded());
  ++s.truncations;
  TRY(s.retire_segments(0, s.segments.size(), s.last_now_ms + s.config->file_delete_delay_ms));
  s.unsynced_cut.reset();
  TRY(s.begin_anew(offset, s.last_now_ms));
  s.start = start.value_or(offset);
  s.recovery_point = offset;
  if (s.epochs.clear()) s.epochs_changed();
  s.producers.clear();
  s.snapshot_end = kNoOffset;
  s.remove_snapshots(Offset{0}, kForever);
  return {};
}

Result<wire::ErrorCode> Log::advance_start_offset(Offset offset, Offset high_watermark) {
  TRY(state_->ensure_loaded());
  if (offset > std::min(high_watermark, state_->end)) return wire::ErrorCode::kOffsetOutOfRange;
  if (offset > state_->start) state_->move_start(offset);
  return wire::ErrorCode::kNone;
}

namespace {

// One walk of retention over a log.
class Retention {
 public:
  Retention(LogState& state, std::int64_t now_ms, Offset high_watermark)
      : s_(state), now_ms_(now_ms), high_watermark_(std::min(high_watermark, state.end)) {}

  // Takes out the segments from the front for which `expired(segment, upper)` holds; `upper` is where it
  // ends.
  template <typename Expired>
  Result<int> take(Expired expired) {
    std::size_t count = 0;
    for (; count < s_.segments.size(); ++count) {
      const bool last = count + 1 == s_.segments.size();
      Segment& segment = s_.segments[count];
      if (last && segment.size() == 0) break;
      const Offset upper = last ? s_.end : s_.segments[count + 1].base();
      if (upper > high_watermark_) break;  // the start may never pass the high watermark
      TRY_ASSIGN(gone, expired(segment, upper));
      if (!gone) break;
    }
    if (count == 0) return 0;
    if (fault_is(Fault::kDeleteTooMuch) && count + 1 < s_.segments.size()) ++count;
    if (count == s_.segments.size()) TRY(s_.roll(s_.end, now_ms_));
    const Offset first = s_.segments[count].base();
    if (first > s_.start) s_.move_start(first);
    TRY(s_.retire_segments(0, count, now_ms_ + s_.config->file_delete_delay_ms));
    s_.remove_snapshots(Offset{0}, first);
    return static_cast<int>(count);
  }

  Result<int> below_start() {
    return take([&](Segment& segment, Offset upper) -> Result<bool> {
      return upper <= s_.start && &segment != &s_.segments.back();
    });
  }
  Result<int> by_size() {
    const std::int64_t limit = s_.config->retention_bytes;
    if (limit < 0) return 0;
    std::int64_t excess = static_cast<std::int64_t>(s_.size_bytes) - limit;
    return take([&](Segment& segment, Offset) -> Result<bool> {
      excess -= segment.size();
      return excess >= 0;
    });
  }
  Result<int> by_time() {
    const std::int64_t limit = s_.config->retention_ms;
    if (limit < 0) return 0;
    return take([&](Segment& segment, Offset) -> Result<bool> {
      TRY_ASSIGN(largest, segment.largest_timestamp(s_.home()));
      return now_ms_ - largest > limit;
    });
  }

 private:
  LogState& s_;
  const std::int64_t now_ms_;
  const Offset high_watermark_;
};

}  // namespace

Result<int> Log::delete_old_segments(std::int64_t now_ms, Offset high_watermark) {
  TRY(state_->ensure_loaded());
  state_->last_now_ms = now_ms;
  Retention retention(*state_, now_ms, high_watermark);
  TRY_ASSIGN(by_start, retention.below_start());
  if (!state_->config->cleanup_delete) return by_start;
  TRY_ASSIGN(by_size, retention.by_size());
  TRY_ASSIGN(by_time, retention.by_time());
  return by_start + by_size + by_time;
}

}  // namespace moldau::log
