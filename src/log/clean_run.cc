#include "log/clean_run.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "log/segment_files.h"
#include "record/records.h"

namespace moldau::log {
namespace {

// As many bytes as `limits` allow; fewer where the dirty part cannot hold that many keys.
std::size_t table_bytes(const CleanSource& source, const CleanLimits& limits) {
  const auto offsets =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, source.range.end - source.range.first_dirty));
  const double slots = static_cast<double>(offsets + 1) / limits.load_factor + 2;
  const double bytes = slots * KeyTable::kSlotBytes;
  return bytes < static_cast<double>(limits.table_bytes) ? static_cast<std::size_t>(bytes)
                                                         : limits.table_bytes;
}

std::vector<AbortedEntry> ended_from(const std::vector<AbortedEntry>& entries, Offset from) {
  std::vector<AbortedEntry> found;
  for (const AbortedEntry& entry : entries)
    if (entry.last_offset >= from) found.push_back(entry);
  return found;
}

}  // namespace

CleanRun::CleanRun(const LogContext& context, CleanSource source, const CleanLimits& limits,
                   std::uint64_t seed, std::int64_t now_ms)
    : context_(context),
      source_(std::move(source)),
      limits_(limits),
      now_ms_(now_ms),
      keys_(table_bytes(source_, limits), seed),
      most_keys_(std::clamp<std::size_t>(
          static_cast<std::size_t>(static_cast<double>(keys_.slots()) * limits.load_factor), 1,
          std::max<std::size_t>(1, keys_.slots() - 1))),
      map_transactions_(ended_from(source_.aborted, source_.range.first_dirty)) {
  while (at_ + 1 < source_.segments.size() && source_.segments[at_ + 1].base <= source_.range.first_dirty)
    ++at_;
}

Home CleanRun::home(std::string_view suffix) const {
  return {context_, source_.folder, source_.config->index_interval_bytes, nullptr, nullptr, suffix};
}

std::unexpected<Error> CleanRun::broken(const CleanSegment& segment, const std::string& why) const {
  return fail(ErrorKind::kCorrupt, home("").path(segment.base, kLog) + ": at byte " +
                                       std::to_string(scanner_->position()) + ": " + why);
}

Result<CleanRun::Step> CleanRun::step(std::uint64_t bytes) {
  CHECK(!replacement_);
  if (!mapped_) {
    TRY(map_some(bytes));
    if (mapped_) group_segments();
    return Step::kMore;
  }
  if (group_ + 1 >= groups_.size()) return Step::kDone;
  if (!copy_) TRY(begin_group());
  TRY(copy_some(bytes));
  return replacement_ ? Step::kSwap : Step::kMore;
}

// Returns false if there is nothing to read in it.
Result<bool> CleanRun::open_segment(const CleanSegment& segment, std::uint64_t from) {
  if (segment.size <= from) return false;
  TRY_ASSIGN(file, context_.fs->open(home("").path(segment.base, kLog), env::OpenMode::kRead));
  reading_ = std::move(file);
  scanner_.emplace(*reading_, from, segment.size);
  return true;
}

// ---- the table of keys
// ------------------------------------------------------------------------------------------------------

Status CleanRun::map_some(std::uint64_t bytes) {
  for (std::uint64_t done = 0; done < bytes;) {
    if (at_ == source_.segments.size()) {
      mapped_ = true;
      return {};
    }
    const CleanSegment& segment = source_.segments[at_];
    if (!scanner_) {
      const bool first = segment.base <= source_.range.first_dirty;
      TRY(open_segment(segment, first ? source_.dirty_position : 0));
    }
    std::optional<record::BatchView> batch;
    if (scanner_) {
      TRY_ASSIGN(next, scanner_->next());
      batch = next;
      if (!batch && !scanner_->broken().empty()) return broken(segment, scanner_->broken());
    }
    if (!batch) {  // nothing more in it; what was there may have gone earlier
      ++at_;
      latest_ = (at_ < source_.segments.size() ? source_.segments[at_].base : source_.range.end) - 1;
      scanner_.reset();
      continue;
    }
    const auto size = static_cast<std::uint64_t>(batch->header().size);
    done += size, traffic_ += size;
    const auto full = map_batch(*batch);
    if (!full) return broken(segment, full.error().message);
    if (*full) {
      mapped_ = true;
      return {};
    }
  }
  return {};
}

// Returns true when there is no room for another key: what follows is for the next round.
Result<bool> CleanRun::map_batch(const record::BatchView& batch) {
  const record::BatchHeader& header = batch.header();
  record::RecordIterator records(batch, decompressor_);
  if (header.control()) {
    std::optional<record::ControlType> type;
    if (const auto record = records.next())
      type = record::control_type(record->key).value_or(record::ControlType::kUnknown);
    map_transactions_->control(header, type);
  } else if (!map_transactions_->data(header)) {
    while (const auto record = records.next()) {
      if (!record->key || record->offset < source_.range.first_dirty) continue;
      if (keys_.size() >= most_keys_) return true;
      keys_.put(*record->key, record->offset);
      latest_ = record->offset;
    }
  }
  if (!records.fault().ok()) return fail(ErrorKind::kCorrupt, records.fault().message);
  if (header.last_offset >= source_.range.first_dirty) latest_ = header.last_offset;
  return false;
}

// ---- groups
// -----------------------------------------------------------------------------------------------------------------

// Neighbours whose sizes together stay within one segment's, so that segments do not become ever smaller.
// (Kafka: groupSegmentsBySize)
void CleanRun::group_segments() {
  scanner_.reset();
  reading_.reset();
  const LogConfig& config = *source_.config;
  const std::vector<CleanSegment>& all = source_.segments;
  std::size_t count = 0;
  while (count < all.size() && all[count].base < clean_end()) ++count;
  const auto most = static_cast<std::uint64_t>(config.segment_bytes);
  const auto most_index = static_cast<std::uint64_t>(config.segment_index_bytes);
  std::uint64_t bytes = 0, index = 0, times = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const CleanSegment& next = all[i];
    const Offset last = (i + 1 < count ? all[i + 1].base : source_.range.end) - 1;
    const bool fits =
        !groups_.empty() && bytes + next.size <= most && index + next.index_bytes <= most_index &&
        times + next.time_bytes <= most_index &&
        (next.size == 0 || last - all[groups_.back()].base <= std::numeric_limits<std::int32_t>::max());
    if (!fits) {
      groups_.push_back(i);
      bytes = index = times = 0;
    }
    bytes += next.size, index += next.index_bytes, times += next.time_bytes;
  }
  groups_.push_back(count);
  for (const CleanSegment& segment : all)
    if (segment.base < source_.range.first_dirty)
      old_tombstone_horizon_ms_ = segment.modified_ms - config.delete_retention_ms;
  round_.emplace(CleanRound{.keys = keys_,
                            .latest = latest_,
                            .end = source_.range.end,
                            .now_ms = now_ms_,
                            .delete_retention_ms = config.delete_retention_ms,
                            .producers = source_.producers});
  filter_.emplace(*round_, source_.aborted);
}

Status CleanRun::begin_group() {
  at_ = groups_[group_];
  const CleanSegment& first = source_.segments[at_];
  const Home into = home(kCleanedSuffix);
  for (const std::string_view suffix : {kLog, kIndex, kTime, kAborted}) {  // of a try that was given up
    const std::string path = into.path(first.base, suffix);
    if (context_.fs->exists(path)) TRY(context_.fs->remove(path));
  }
  TRY_ASSIGN(file, context_.fs->open(into.path(first.base, kLog), env::OpenMode::kTruncate));
  copy_.emplace(Copy{Segment::fresh(first.base, first.modified_ms), std::move(file), {}});
  return {};
}

// ---- copying
// ----------------------------------------------------------------------------------------------------------------

Status CleanRun::copy_some(std::uint64_t bytes) {
  for (std::uint64_t done = 0; done < bytes;) {
    if (at_ == groups_[group_ + 1]) return end_group();
    const CleanSegment& segment = source_.segments[at_];
    if (!scanner_) TRY(open_segment(segment, 0));
    std::optional<record::BatchView> batch;
    if (scanner_) {
      TRY_ASSIGN(next, scanner_->next());
      batch = next;
      if (!batch && !scanner_->broken().empty()) return broken(segment, scanner_->broken());
    }
    if (!batch) {
      ++at_;
      scanner_.reset();
      continue;
    }
    done += static_cast<std::uint64_t>(batch->header().size);
    TRY(copy_batch(*batch, segment.modified_ms));
  }
  return {};
}

Status CleanRun::copy_batch(const record::BatchView& batch, std::int64_t modified_ms) {
  const auto size = static_cast<std::uint64_t>(batch.header().size);
  totals_.bytes_read += size, traffic_ += size;
  Copy& copy = *copy_;
  const std::size_t before = copy.out.size();
  const auto outcome = filter_->filter(batch, modified_ms > old_tombstone_horizon_ms_, copy.out);
  if (!outcome) return broken(source_.segments[at_], outcome.error().message);
  totals_.records_read += outcome->read, totals_.records_kept += outcome->kept;
  if (outcome->aborted) TRY(copy.segment.add_aborted(home(kCleanedSuffix), *outcome->aborted));
  if (copy.out.size() == before) return {};
  const record::BatchHeader header = record::parse_header(ByteView(copy.out).subspan(before)).header;
  const std::uint64_t at = copy.segment.size() + before;
  if (!copy.segment.can_hold(header.last_offset) ||
      at > std::numeric_limits<std::int32_t>::max() - copy.out.size())
    return fail(ErrorKind::kInvalid, home("").path(copy.segment.base(), kLog) +
                                         ": expected a segment of at most 2^31 offsets and bytes");
  copy.segment.note(header, static_cast<std::uint32_t>(at), source_.config->index_interval_bytes);
  return copy.out.size() >= limits_.buffer_bytes ? write_out() : Status{};
}

Status CleanRun::write_out() {
  Copy& copy = *copy_;
  if (copy.out.empty()) return {};
  TRY(copy.file->write_at(copy.segment.size(), copy.out));
  copy.segment.set_size(copy.segment.size() + static_cast<std::uint32_t>(copy.out.size()));
  totals_.bytes_written += copy.out.size(), traffic_ += copy.out.size();
  copy.out.clear();
  if (copy.segment.wants_spill()) TRY(copy.segment.spill(home(kCleanedSuffix)));
  return {};
}

// The files are durable before any of them gets a name that counts, and bear the time of what they replace:
// by it tombstones of old formats and records without timestamps are judged.
Status CleanRun::end_group() {
  TRY(write_out());
  Copy& copy = *copy_;
  const Home into = home(kCleanedSuffix);
  const std::vector<CleanSegment> old(
      source_.segments.begin() + static_cast<std::ptrdiff_t>(groups_[group_]),
      source_.segments.begin() + static_cast<std::ptrdiff_t>(groups_[group_ + 1]));
  TRY(copy.segment.seal(into));
  TRY(context_.fs->set_modified(into.path(copy.segment.base(), kLog), old.back().modified_ms));
  copy.segment.set_modified(old.back().modified_ms);
  TRY_ASSIGN(files, copy.segment.index_files_to_sync(into));
  files.push_back(copy.file);
  for (const auto& file : files) file->begin_sync();
  for (const auto& file : files) TRY(file->sync());
  copy.segment.drop_files(context_);
  replacement_.emplace(Replacement{std::move(copy.segment), old});
  copy_.reset();
  return {};
}

void CleanRun::swapped() {
  replacement_.reset();
  ++group_;
}

void CleanRun::abandon() {
  if (!copy_ && !replacement_) return;
  const Offset base = copy_ ? copy_->segment.base() : replacement_->segment.base();
  for (const std::string_view suffix : {kLog, kIndex, kTime, kAborted})
    (void)context_.fs->remove(home(kCleanedSuffix).path(base, suffix));
}

}  // namespace moldau::log
