// Reading and looking up. A read knows where to start from the newest batches' starts (Tail) or finds it
// through the index and one small read; it ends at a batch start that the tail or the index knows, so no
// header in between is looked at. Only where neither helps are headers walked.
#include <algorithm>

#include "base/fault.h"
#include "log/log_state.h"
#include "log/scanner.h"

namespace moldau::log {

std::optional<Tail::Start> Tail::last_start(std::uint32_t above, std::uint32_t limit) const {
  std::optional<Start> best;
  for (const Mark& mark : marks_) {
    if (mark.offset == kNoOffset || mark.position <= above || mark.position > limit) continue;
    if (!best || mark.position > best->position) best = Start{mark.position, mark.offset};
  }
  return best;
}

namespace {

// One read in one segment.
class Reader {
 public:
  Reader(LogState& state, std::size_t index, env::Haste* haste)
      : state_(state),
        haste_(haste),
        segment_(state.segments[index]),
        last_(index + 1 == state.segments.size()),
        segment_end_(last_ ? state.end : state.segments[index + 1].base()) {}

  // Where the first batch that reaches `offset` begins; nothing if the segment ends before.
  Result<std::optional<std::uint32_t>> find(Offset offset) {
    if (last_) {
      if (offset >= state_.end) return std::nullopt;
      if (const auto known = state_.tail.position_of(offset)) return *known;
    }
    TRY_ASSIGN(located, segment_.locate(state_.home(haste_), offset, &broken_));
    if (!located) return std::nullopt;
    first_size_ = static_cast<std::uint32_t>(located->header.size);
    return located->position;
  }

  // What find() met instead of a batch, and where; empty if all is well.
  const std::string& broken() const { return broken_; }

  // Fills `out` with what lies between `position` and `upper`.
  Status slice(std::uint32_t position, std::uint64_t max_bytes, Offset upper, bool min_one, ReadInfo& out) {
    std::uint32_t limit = segment_.size();
    Offset bound = segment_end_;
    if (upper < segment_end_) {
      const std::uint32_t first_size = first_size_;
      TRY_ASSIGN(upper_position, find(upper));
      first_size_ = first_size;
      if (upper_position) limit = *upper_position;
      bound = upper;
    }
    if (limit <= position) return {};
    if (limit - position > max_bytes) TRY(shorten(position, max_bytes, min_one, limit, bound, out));
    if (limit == position) return {};
    TRY_ASSIGN(file, segment_.file(state_.home()));
    out.slice = {.file = file, .position = position, .length = limit - position};
    out.end_bound = bound;
    return {};
  }

 private:
  // Moves `limit` and `bound` to the last batch start that max_bytes reach.
  Status shorten(std::uint32_t position, std::uint64_t max_bytes, bool min_one, std::uint32_t& limit,
                 Offset& bound, ReadInfo& out) {
    const auto reach = static_cast<std::uint32_t>(position + max_bytes);
    if (last_) {
      if (const auto start = state_.tail.last_start(position, reach)) {
        limit = start->position, bound = start->offset;
        return {};
      }
    }
    TRY_ASSIGN(boundary, segment_.boundary(state_.home(haste_), reach));
    if (boundary && boundary->position > position) {
      limit = boundary->position, bound = boundary->last_offset;
      return {};
    }
    return walk(position, reach, min_one, limit, bound, out);
  }

  Status walk(std::uint32_t position, std::uint32_t reach, bool min_one, std::uint32_t& limit, Offset& bound,
              ReadInfo& out) {
    if (!min_one && first_size_ > 0 && first_size_ > reach - position) {
      out.first_batch_cut = true;
      limit = position;
      return {};
    }
    TRY_ASSIGN(file, segment_.file(state_.home()));
    HeaderScanner scanner(*file, position, limit, haste_);
    std::uint32_t good = position;
    for (;;) {
      TRY_ASSIGN(header, scanner.next());
      if (!header) break;
      const auto behind = static_cast<std::uint32_t>(scanner.next_position());
      if (behind > reach && !(min_one && good == position)) break;
      good = behind;
      bound = header->next_offset();
      if (behind > reach) break;
    }
    out.first_batch_cut = good == position;
    limit = good;
    return {};
  }

  LogState& state_;
  env::Haste* const haste_;
  Segment& segment_;
  const bool last_;
  const Offset segment_end_;
  std::uint32_t first_size_ = 0;  // of the batch found, 0: not known
  std::string broken_;
};

}  // namespace

Result<ReadInfo> Log::read(Offset from, std::uint64_t max_bytes, Offset upper_bound, bool min_one,
                           env::Haste* haste) {
  TRY(state_->ensure_loaded());
  ReadInfo out;
  out.log_start_offset = state_->start;
  out.end_bound = from;
  if (from < state_->start || from > state_->end) {
    out.error = wire::ErrorCode::kOffsetOutOfRange;
    return out;
  }
  const Offset upper = std::min(upper_bound, state_->end);
  if (from >= upper) return out;
  max_bytes = std::min<std::uint64_t>(max_bytes, 1u << 31);
  const std::size_t first = state_->segment_of(fault_is(Fault::kEdgeOffByOne) ? from + 1 : from);
  for (std::size_t i = first; i < state_->segments.size(); ++i) {
    if (state_->segments[i].base() >= upper) break;
    Reader reader(*state_, i, haste);
    TRY_ASSIGN(position, reader.find(from));
    if (!reader.broken().empty()) {
      state_->note_once(reader.broken());
      out.error = wire::ErrorCode::kCorruptMessage;
      return out;
    }
    if (!position) continue;  // compaction has taken the rest of this segment
    TRY(reader.slice(*position, max_bytes, upper, min_one, out));
    return out;
  }
  return out;
}

// Kafka looks from the segment of `from` on and stops where an entry's last stable offset shows that no later
// transaction can reach back below `upper`.
Result<std::vector<AbortedTransaction>> Log::aborted_transactions(Offset from, Offset upper,
                                                                  env::Haste* haste) {
  TRY(state_->ensure_loaded());
  std::vector<AbortedTransaction> result;
  for (std::size_t i = state_->segment_of(from); i < state_->segments.size(); ++i) {
    TRY_ASSIGN(entries, state_->segments[i].aborted(state_->home(haste)));
    for (const AbortedEntry& entry : *entries) {
      if (entry.last_offset >= from && entry.first_offset < upper)
        result.push_back({entry.producer, entry.first_offset});
      if (entry.last_stable_offset >= upper) return result;
    }
  }
  return result;
}

Result<std::optional<TimestampOffset>> Log::lookup(std::int64_t timestamp, env::Haste* haste) {
  LogState& s = *state_;
  TRY(s.ensure_loaded());
  const auto latest = s.epochs.latest();
  switch (timestamp) {
    case kLatestTimestamp:
      return TimestampOffset{-1, s.end, latest ? latest->epoch : kNoLeaderEpoch};
    case kEarliestTimestamp:
    case kEarliestLocalTimestamp: {
      const auto first = s.epochs.earliest();
      return TimestampOffset{-1, s.start, first && first->start <= s.start ? first->epoch : kNoLeaderEpoch};
    }
    case kLatestTieredTimestamp:  // nothing is tiered
    case kEarliestPendingUpload:
      return TimestampOffset{-1, kNoOffset, kNoLeaderEpoch};
    default:
      break;
  }
  const Home home = s.home(haste);
  // Where one segment's largest timestamp is not in memory, the next ones' will not be either: all are asked
  // for at once.
  std::optional<Error> cold;
  const auto may_wait = [&](const Error& error) {
    if (error.kind != ErrorKind::kWouldBlock || haste->full()) return false;
    cold = error;
    return true;
  };
  if (timestamp == kMaxTimestamp) {
    std::size_t best = 0;
    std::int64_t largest = -1;
    for (std::size_t i = 0; i < s.segments.size(); ++i) {
      const auto slot = s.segments[i].max_timestamp(home);
      if (!slot && !may_wait(slot.error())) return std::unexpected(slot.error());
      if (slot && slot->timestamp > largest) largest = slot->timestamp, best = i;
    }
    if (cold) return std::unexpected(*std::move(cold));
    return s.segments[best].find_max_timestamp(home);
  }
  for (Segment& segment : s.segments) {
    const auto largest = segment.largest_timestamp(home);
    if (!largest && !may_wait(largest.error())) return std::unexpected(largest.error());
    if (cold || *largest < timestamp) continue;
    TRY_ASSIGN(found, segment.find_timestamp(home, timestamp, s.start));
    if (found) return found;  // else its late records all lie below the start
  }
  if (cold) return std::unexpected(*std::move(cold));
  return std::nullopt;
}

Result<std::vector<Offset>> Log::offsets_before(std::int64_t timestamp, std::size_t max_count,
                                                std::int64_t now_ms) {
  LogState& s = *state_;
  TRY(s.ensure_loaded());
  struct Mark {
    Offset offset;
    std::int64_t written_ms;
  };
  std::vector<Mark> marks;
  for (const Segment& segment : s.segments)
    marks.push_back({std::max(segment.base(), s.start), segment.modified_ms()});
  if (s.active().size() > 0) marks.push_back({s.end, now_ms});

  std::size_t count = marks.size();
  if (timestamp == kEarliestTimestamp)
    count = 1;
  else if (timestamp != kLatestTimestamp)
    while (count > 0 && marks[count - 1].written_ms > timestamp) --count;
  std::vector<Offset> offsets;
  while (count > 0 && offsets.size() < max_count) offsets.push_back(marks[--count].offset);
  return offsets;
}

}  // namespace moldau::log
