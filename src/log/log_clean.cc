// Compaction, as far as it is the log's affair: what may be cleaned, and new segments in place of old ones.
// The cleaning itself is clean_run.h's.
#include <algorithm>

#include "log/clean_types.h"
#include "log/log_state.h"

namespace moldau::log {
namespace {

// (Kafka: LogCleanerManager.cleanableOffsets, calculateCleanableBytes, maxCompactionDelay)
class CleanSurvey {
 public:
  CleanSurvey(LogState& state, std::int64_t now_ms) : s_(state), now_ms_(now_ms) {}

  // With the active segment as the only bound: more than may be cleaned in the end.
  Cleanable at_most(std::optional<Offset> cleaned_to) {
    Cleanable range{.first_dirty = cleaned_to.value_or(s_.start), .end = s_.active().base()};
    if (range.first_dirty < s_.start || range.first_dirty > s_.end)
      range.first_dirty = s_.start, range.reset = true;
    count(range);
    return range;
  }

  // `stable`: the last stable offset.
  Status narrow(Cleanable& range, Offset stable) {
    Offset end = std::min(stable, s_.active().base());
    TRY_ASSIGN(young, first_young(range.first_dirty));
    end = std::max(range.first_dirty, std::min(end, young));
    range.end = s_.segments[s_.segment_of(end)].base();
    count(range);
    TRY_ASSIGN(overdue, overdue_ms(range.first_dirty));
    range.overdue_ms = overdue;
    return {};
  }

  bool may_be_overdue() const { return s_.config->max_compaction_lag_ms < now_ms_; }

 private:
  void count(Cleanable& range) const {
    range.clean_bytes = range.dirty_bytes = 0;
    const Offset from = std::min(range.first_dirty, range.end);
    for (std::size_t i = 0; i < s_.segments.size(); ++i) {
      const Segment& segment = s_.segments[i];
      if (segment.base() < range.first_dirty) range.clean_bytes += segment.size();
      const bool reaches = i + 1 == s_.segments.size() || s_.segments[i + 1].base() > from;
      if (segment.base() < range.end && reaches) range.dirty_bytes += segment.size();
    }
  }

  // The base of the first dirty segment with a record younger than min.compaction.lag.ms.
  Result<Offset> first_young(Offset first_dirty) {
    const std::int64_t lag = s_.config->min_compaction_lag_ms;
    if (lag <= 0) return s_.active().base();
    for (std::size_t i = s_.segment_of(first_dirty); i + 1 < s_.segments.size(); ++i) {
      TRY_ASSIGN(largest, s_.segments[i].largest_timestamp(s_.home()));
      if (largest > now_ms_ - lag) return s_.segments[i].base();
    }
    return s_.active().base();
  }

  Result<std::int64_t> overdue_ms(Offset first_dirty) {
    if (!may_be_overdue()) return 0;
    std::int64_t earliest = kNever;
    for (std::size_t i = s_.segment_of(first_dirty); i + 1 < s_.segments.size(); ++i) {
      TRY_ASSIGN(first, s_.segments[i].rolling_start(s_.home(), record::kNoTimestamp));
      if (first > 0) earliest = std::min(earliest, first);
    }
    const std::int64_t until = now_ms_ - s_.config->max_compaction_lag_ms;
    return earliest < until ? until - earliest : 0;
  }

  LogState& s_;
  const std::int64_t now_ms_;
};

}  // namespace

Result<std::optional<Cleanable>> Log::cleanable(std::optional<Offset> cleaned_to, std::int64_t now_ms,
                                                Offset high_watermark) {
  LogState& s = *state_;
  if (!s.config->cleanup_compact) return std::nullopt;
  CleanSurvey survey(s, now_ms);
  const auto worth = [&](const Cleanable& range, bool overdue) {
    return range.dirty_bytes > 0 && (overdue || range.ratio() > s.config->min_cleanable_dirty_ratio);
  };
  // The end of a log that was not looked into yet may be wrong, its closed segments are what they are.
  if (!worth(survey.at_most(cleaned_to), survey.may_be_overdue())) return std::nullopt;
  TRY_ASSIGN(stable, last_stable_offset(std::min(high_watermark, s.end)));
  Cleanable range = survey.at_most(cleaned_to);
  TRY(survey.narrow(range, stable));
  return worth(range, range.overdue_ms > 0) ? std::optional(range) : std::nullopt;
}

Result<CleanSource> Log::clean_source(const Cleanable& range) {
  LogState& s = *state_;
  TRY(s.ensure_loaded());
  CleanSource source{.folder = s.folder, .config = s.config, .range = range, .truncations = s.truncations};
  for (Segment& segment : s.segments) {
    TRY_ASSIGN(aborted, segment.aborted(s.home()));
    source.aborted.insert(source.aborted.end(), aborted->begin(), aborted->end());
    if (segment.base() >= range.end || &segment == &s.active()) continue;
    source.segments.push_back({.base = segment.base(),
                               .size = segment.size(),
                               .index_bytes = segment.index_bytes(),
                               .time_bytes = segment.time_bytes(),
                               .modified_ms = segment.modified_ms()});
  }
  TRY_ASSIGN(dirty, s.segments[s.segment_of(range.first_dirty)].locate(s.home(), range.first_dirty));
  if (dirty) source.dirty_position = dirty->position;
  s.producers.each([&](ProducerId producer, const ProducerEntry& entry) {
    const ProducerBatch* last = entry.last();
    source.producers[producer] = {.last_data = last != nullptr ? last->last_offset : kNoOffset,
                                  .epoch = entry.epoch};
  });
  return std::move(source);
}

// Whenever the power goes, one of the two is there, whole, when LogLoader::settle_swaps() is done with what
// it finds; Kafka's, too:
//
//   *.cleaned ─▶ *.swap          from here on the new segment counts
//   old ones  ─▶ *.deleted
//   *.swap    ─▶ their names
Result<bool> Log::replace_segments(const CleanSource& source, Replacement& replacement, std::int64_t now_ms) {
  LogState& s = *state_;
  const std::vector<CleanSegment>& old = replacement.old;
  const std::size_t first = s.segment_of(old.front().base);
  if (s.truncations != source.truncations || s.folder != source.folder) return false;
  if (first + old.size() >= s.segments.size()) return false;
  for (std::size_t i = 0; i < old.size(); ++i)
    if (s.segments[first + i].base() != old[i].base || s.segments[first + i].size() != old[i].size)
      return false;

  Segment& made = replacement.segment;
  TRY(made.rename_files(s.home(), kCleanedSuffix, kSwapSuffix));
  TRY(s.retire_segments(first, first + old.size(), now_ms + s.config->file_delete_delay_ms));
  TRY(made.rename_files(s.home(), kSwapSuffix, ""));
  s.size_bytes += made.size();
  s.segments.insert(s.segments.begin() + static_cast<std::ptrdiff_t>(first), std::move(made));
  ++s.new_names;
  for (std::size_t i = 1; i < old.size(); ++i) s.remove_snapshots(old[i].base, old[i].base + 1);
  return true;
}

}  // namespace moldau::log
