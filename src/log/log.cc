#include "log/log.h"

#include <algorithm>

#include "base/check.h"
#include "base/fault.h"
#include "log/checkpoint.h"
#include "log/log_loader.h"
#include "log/log_state.h"
#include "log/scanner.h"

namespace moldau::log {

constexpr std::size_t kMostNotes = 100;            // of one log
constexpr std::uint64_t kLargestFile = 64u << 20;  // of those beside the segments

// ---- opening
// --------------------------------------------------------------------------------------------------------

Log::Log(std::unique_ptr<LogState> state) : state_(std::move(state)) {}
Log::~Log() {
  for (Segment& segment : state_->segments) segment.drop_files(state_->context);
}

Result<std::unique_ptr<Log>> Log::create(const LogContext& context, const std::string& folder,
                                         std::shared_ptr<const LogConfig> config, const Uuid& topic_id,
                                         std::int64_t now_ms, Offset start) {
  TRY(context.fs->create_directories(folder));
  // The id first: no record may ever be durable in a folder whose topic is unknown. The first flush syncs it.
  if (!topic_id.is_zero()) {
    TRY_ASSIGN(metadata, context.fs->open(folder + "/" + kPartitionMetadataName, env::OpenMode::kTruncate));
    TRY(metadata->write_at(0, as_bytes(format_partition_metadata(topic_id))));
  }
  const OpenOptions options{.clean_shutdown = true,
                            .recovery_point = start,
                            .recovery_point_known = true,
                            .recover_from = start,
                            .log_start = start,
                            .now_ms = now_ms};
  TRY_ASSIGN(log, open(context, folder, std::move(config), options));
  log->state_->parent_unsynced = true;
  log->state_->metadata_unsynced = !topic_id.is_zero();
  return std::move(log);
}

Result<std::unique_ptr<Log>> Log::open(const LogContext& context, const std::string& folder,
                                       std::shared_ptr<const LogConfig> config, const OpenOptions& options) {
  auto state = std::make_unique<LogState>(context, folder, std::move(config));
  TRY(LogLoader(*state, options).load());
  std::unique_ptr<Log> log(new Log(std::move(state)));
  if (!options.leave_cuts) TRY(log->take_cuts().run(*context.fs));
  // Where flush.messages is 1 nothing is told before it is on disk: what a kill left in the page cache may
  // have been acknowledged, and readers must not wait for the next append to see it again.
  if (!options.clean_shutdown && log->config().flush_messages == 1) {
    TRY_ASSIGN(work, log->prepare_flush());
    TRY(work.run(*context.fs));
    log->complete_flush(work, options.now_ms);
  }
  return log;
}

FlushWork& LogState::cuts_to_sync() {
  if (!cuts) cuts = std::make_unique<FlushWork>();
  return *cuts;
}

FlushWork Log::take_cuts() {
  const auto cuts = std::exchange(state_->cuts, nullptr);
  return cuts ? std::move(*cuts) : FlushWork{};
}

RecoveryReport& LogState::notes() {
  if (!report) report = std::make_unique<RecoveryReport>();
  return *report;
}

void LogState::note_once(const std::string& line) {
  std::vector<std::string>& lines = notes().notes;
  if (lines.size() < kMostNotes && std::ranges::find(lines, line) == lines.end()) lines.push_back(line);
}

std::vector<std::string> Log::take_notes() {
  if (!state_->report) return {};
  const std::vector<std::string>& lines = state_->report->notes;
  return {lines.begin() + static_cast<std::ptrdiff_t>(std::exchange(state_->notes_taken, lines.size())),
          lines.end()};
}

Status LogState::ensure_loaded() {
  if (loaded) return {};
  TRY(load_epochs());
  TRY(load_end());
  if (!loaded) TRY(rebuild_producers(end));
  loaded = true;
  clean = false;
  if (epochs.truncate_from_end(end)) epochs_changed();
  if (epochs.truncate_from_start(start)) epochs_changed();
  if (const auto epoch = std::exchange(epoch_to_assign, std::nullopt); epoch && epochs.assign(*epoch, end))
    epochs_changed();
  return {};
}

Status Log::look() { return state_->ensure_loaded(); }

// What a log needs that was closed properly; another one is read to an end, and that may take its time.
// Errors are look()'s to meet.
Status Log::can_look(env::Haste& haste) {
  LogState& s = *state_;
  if (s.loaded) return {};
  const auto blocks = [](const auto& result) {
    return !result && result.error().kind == ErrorKind::kWouldBlock;
  };
  const auto file_blocks = [&](const std::string& path) {
    return blocks(s.context.fs->read_file(path, kLargestFile, &haste));
  };
  bool cold = file_blocks(s.path(kEpochsName));
  if (!s.snapshots.empty()) cold |= file_blocks(s.home().path(s.snapshots.back(), kSnapshotSuffix));
  cold |= blocks(s.active().find_end(s.home(&haste)));
  if (cold) return fail(ErrorKind::kWouldBlock, s.folder + ": not in memory");
  return {};
}

// What was said to be clean is looked at again: checkpoints may be missing or lie.
Status LogState::load_end() {
  TRY_ASSIGN(found, active().find_end(home()));
  if (found.position < active().size()) {
    const OpenOptions options{.recovery_point = active().base(), .now_ms = opened_ms};
    TRY(LogLoader(*this, options).recover(active().base()));
    if (const auto undurable = std::exchange(cuts, nullptr)) TRY(undurable->run(*context.fs));
    notes().notes.push_back(folder + ": expected a log that was closed, found a torn one; dropped " +
                            std::to_string(report->bytes_dropped) + " bytes, ends at offset " +
                            std::to_string(end.value) + " now: " + report->why);
    loaded = true;
    return {};
  }
  if (end != found.next && end != kNoOffset)
    notes().notes.push_back(folder + ": expected to end at offset " + std::to_string(end.value) +
                            " as the recovery-point checkpoint says, found " +
                            std::to_string(found.next.value));
  end = recovery_point = found.next;
  return {};
}

Status LogState::load_epochs() {
  const std::string file = path(kEpochsName);
  const auto content = context.fs->read_file(file);
  if (!content && content.error().kind == ErrorKind::kNotFound) return {};
  if (!content) return std::unexpected(content.error());
  const auto entries = parse_epochs(as_text(*content), file);
  if (entries) {
    for (const EpochEntry& entry : *entries) epochs.assign(entry.epoch, entry.start);
    return {};
  }
  // Every batch knows its epoch: read them all.
  notes().notes.push_back(entries.error().message + "; rebuilt from the log");
  for (Segment& segment : segments) {
    TRY_ASSIGN(log_file, segment.file(home()));
    HeaderScanner scanner(*log_file, 0, segment.size());
    Offset next = segment.base();
    for (;;) {
      TRY_ASSIGN(header, scanner.next());
      // Nothing is checked yet: what goes back is no batch of this log, and recovery will cut it.
      if (!header || header->base_offset < next || header->last_offset < header->base_offset) break;
      next = header->next_offset();
      const auto latest = epochs.latest();
      if (header->partition_leader_epoch.value >= 0 &&
          (!latest || header->partition_leader_epoch > latest->epoch))
        epochs.assign(header->partition_leader_epoch, header->base_offset);
    }
  }
  epochs_changed();
  return {};
}

std::size_t LogState::segment_of(Offset offset) const {
  const auto after = std::ranges::upper_bound(segments, offset, {}, &Segment::base);
  return after == segments.begin() ? 0 : static_cast<std::size_t>(after - segments.begin()) - 1;
}

// ---- producers
// ------------------------------------------------------------------------------------------------------

Status LogState::rebuild_producers(Offset up_to) {
  producers.clear();
  snapshot_end = kNoOffset;
  if (fault_is(Fault::kForgetProducers)) return {};
  Offset from = std::max(start, segments.front().base());
  bool found = false, damaged = false;
  while (!found) {
    const auto above = std::ranges::upper_bound(snapshots, up_to);
    if (above == snapshots.begin()) break;
    const Offset newest = *(above - 1);
    const std::string file = home().path(newest, kSnapshotSuffix);
    auto content = context.fs->read_file(file);
    if (!content && content.error().kind != ErrorKind::kNotFound)
      return std::unexpected(std::move(content).error());
    const Status good = content ? producers.load(*content, file, opened_ms, config->producer_id_expiration_ms)
                                : Status(std::unexpected(content.error()));
    if (good) {
      found = true;
      from = newest;
      snapshot_end = newest;
    } else {
      producers.clear();
      damaged = true;
      notes().notes.push_back(good.error().message + "; an older snapshot is used");
      remove_snapshots(newest, newest + 1);
    }
  }
  // Closed by a version that knew no producers: there are none to find.
  if (!found && !damaged && clean) return {};
  return replay_producers(from, up_to);
}

Status LogState::replay_producers(Offset from, Offset up_to) {
  if (from >= up_to) return {};
  for (std::size_t i = segment_of(from); i < segments.size() && segments[i].base() < up_to; ++i) {
    Segment& segment = segments[i];
    std::uint32_t position = 0;
    if (from > segment.base()) {
      TRY_ASSIGN(located, segment.locate(home(), from));
      if (!located) continue;
      position = located->position;
    }
    TRY_ASSIGN(log_file, segment.file(home()));
    HeaderScanner scanner(*log_file, position, segment.size());
    for (;;) {
      TRY_ASSIGN(header, scanner.next());
      if (!header || header->last_offset >= up_to) break;
      if (header->has_producer_id()) snapshot_end = kNoOffset;
      Bytes batch;
      const auto whole = [&]() -> Result<ByteView> {
        batch.resize(static_cast<std::size_t>(header->size));
        TRY_ASSIGN(got, log_file->read_at(scanner.position(), batch));
        if (got < batch.size()) return fail(ErrorKind::kCorrupt, folder + ": a transaction marker is cut");
        return ByteView(batch);
      };
      TRY(apply_to_producers(*header, whole, [](const auto&, Offset) -> Status { return {}; }));
    }
  }
  return {};
}

Status LogState::write_snapshot(Offset at) {
  const std::string file = home().path(at, kSnapshotSuffix);
  {
    TRY_ASSIGN(out, context.fs->open(file, env::OpenMode::kTruncate));
    TRY(out->write_at(0, producers.snapshot()));
  }
  const auto place = std::ranges::lower_bound(snapshots, at);
  if (place == snapshots.end() || *place != at) snapshots.insert(place, at);
  snapshot_end = at;
  ++new_names;
  return {};
}

// A snapshot that cannot be removed now is removed at a start, as those above the recovery point are. The
// removal counts as a new name: once the recovery point has passed, no power loss may bring it back, for it
// may tell of another past.
void LogState::remove_snapshots(Offset from, Offset to) {
  const auto first = std::ranges::lower_bound(snapshots, from),
             last = std::ranges::lower_bound(snapshots, to);
  if (first == last) return;
  for (auto at = first; at != last; ++at) (void)context.fs->remove(home().path(*at, kSnapshotSuffix));
  snapshots.erase(first, last);
  ++new_names;
}

// ---- facts
// ----------------------------------------------------------------------------------------------------------

Offset Log::start_offset() const { return state_->start; }
Offset Log::local_start_offset() const { return std::max(state_->start, state_->segments.front().base()); }
Offset Log::end_offset() const { return state_->end; }
Offset Log::recovery_point() const {
  return fault_is(Fault::kLyingRecoveryPoint) ? state_->end : state_->recovery_point;
}
bool Log::untouched() const {
  const LogState& s = *state_;
  return !s.loaded && s.new_names == s.synced_names && !s.epochs_unsynced;
}
std::uint64_t Log::unflushed_bytes() const { return state_->unflushed_bytes; }
std::uint64_t Log::size_bytes() const { return state_->size_bytes; }
std::size_t Log::segment_count() const { return state_->segments.size(); }
Offset Log::first_segment_base() const { return state_->segments.front().base(); }
Offset Log::active_segment_base() const { return state_->segments.back().base(); }
const std::string& Log::folder() const { return state_->folder; }
const LogConfig& Log::config() const { return *state_->config; }
void Log::set_config(std::shared_ptr<const LogConfig> config) { state_->config = std::move(config); }
std::vector<Removal> Log::take_removals() { return std::exchange(state_->removals, {}); }

const RecoveryReport& Log::recovery() const {
  static const RecoveryReport kNothing;
  return state_->report ? *state_->report : kNothing;
}

Result<Uuid> Log::topic_id() {
  if (!state_->topic_id) {
    const std::string file = state_->path(kPartitionMetadataName);
    const auto content = state_->context.fs->read_file(file, 4096);
    if (!content && content.error().kind != ErrorKind::kNotFound) return std::unexpected(content.error());
    Uuid id;
    if (content && is_torn_metadata(as_text(*content))) {
      // A power loss before the first flush: nothing durable lies in such a folder.
      TRY(state_->context.fs->remove(file));
      state_->metadata_unsynced = false;
    } else if (content) {
      TRY_ASSIGN(parsed, parse_partition_metadata(as_text(*content), file));
      id = parsed;
    }
    state_->topic_id = id;
  }
  return *state_->topic_id;
}

Status Log::set_topic_id(const Uuid& id, bool durable) {
  const std::string path = state_->path(kPartitionMetadataName), text = format_partition_metadata(id);
  if (durable) {
    TRY(state_->context.fs->replace_file(path, as_bytes(text)));
  } else {
    TRY_ASSIGN(file, state_->context.fs->open(path, env::OpenMode::kTruncate));
    TRY(file->write_at(0, as_bytes(text)));
  }
  state_->topic_id = id;
  return {};
}

void Log::moved_to(const std::string& folder) {
  state_->folder = folder;
  for (Removal& removal : state_->removals)
    removal.path = folder + removal.path.substr(removal.path.rfind('/'));
}

std::uint64_t Log::truncations() const { return state_->truncations; }
bool Log::has_move_generation() const { return state_->has_move_generation; }

Result<LeaderEpoch> Log::latest_epoch() {
  TRY(state_->ensure_loaded());
  const auto latest = state_->epochs.latest();
  return latest ? latest->epoch : kNoLeaderEpoch;
}

Result<LeaderEpoch> Log::epoch_for_offset(Offset offset) {
  TRY(state_->ensure_loaded());
  return state_->epochs.epoch_for(offset);
}

Result<std::vector<EpochEntry>> Log::epochs() {
  TRY(state_->ensure_loaded());
  return std::vector<EpochEntry>(state_->epochs.entries().begin(), state_->epochs.entries().end());
}

Result<EpochEndOffset> Log::end_offset_for_epoch(LeaderEpoch epoch) {
  TRY(state_->ensure_loaded());
  return state_->epochs.end_offset_for(epoch, state_->end);
}

Status Log::assign_epoch(LeaderEpoch epoch, Offset start) {
  LogState& s = *state_;
  if (!s.loaded && start == s.end) {  // a quiet log need not be looked into for that
    if (!s.epoch_to_assign || epoch > *s.epoch_to_assign) s.epoch_to_assign = epoch;
    return {};
  }
  TRY(s.ensure_loaded());
  if (s.epochs.assign(epoch, start)) s.epochs_changed();
  return {};
}

Result<Offset> Log::last_stable_offset(Offset high_watermark) {
  TRY(state_->ensure_loaded());
  const auto unstable = state_->producers.first_unstable(high_watermark);
  if (!unstable || *unstable >= high_watermark) return high_watermark;
  return std::max(*unstable, std::min(state_->start, high_watermark));
}

Result<std::vector<ProducerStatus>> Log::producers() {
  TRY(state_->ensure_loaded());
  return state_->producers.status();
}

Result<bool> Log::has_ongoing_transaction(ProducerId producer) {
  TRY(state_->ensure_loaded());
  const ProducerEntry* entry = state_->producers.find(producer);
  return entry != nullptr && entry->transaction_start != kNoOffset;
}

void Log::expire_producers(std::int64_t now_ms) {
  if (state_->loaded) state_->producers.expire(now_ms, state_->config->producer_id_expiration_ms);
}

void Log::trim_memory() {
  LogState& s = *state_;
  for (Segment& segment : s.segments) segment.trim_memory(s.context);
  if (std::exchange(s.trimmed_end, s.end) == s.end) s.tail.clear();
}

}  // namespace moldau::log
