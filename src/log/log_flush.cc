// Durability. Everything up to the recovery point is on stable storage; the rest is in the system's hands.
#include <algorithm>

#include "base/fault.h"
#include "log/checkpoint.h"
#include "log/log_state.h"

namespace moldau::log {

// The first sync then waits for all of them in one go, and the others find little left to do.
void FlushWork::begin() const {
  for (const auto& file : files) file->begin_sync();
}

Status FlushWork::run(env::FileSystem& fs) const {
  begin();
  for (const auto& file : files) TRY(file->sync());
  if (!parent.empty()) TRY(fs.sync_directory(parent));
  if (!folder.empty()) TRY(fs.sync_directory(folder));
  return {};
}

// By the log's owner alone: two writers would tread on each other's temporary. Torn by a power loss it is
// noticed and rebuilt from the log; the next flush syncs it.
Status LogState::write_epochs() {
  if (!epochs_unwritten) return {};
  const std::string temporary = path(kEpochsName) + ".tmp";
  {
    TRY_ASSIGN(out, context.fs->open(temporary, env::OpenMode::kTruncate));
    TRY(out->write_at(0, as_bytes(format_epochs(epochs.entries()))));
  }
  TRY(context.fs->rename(temporary, path(kEpochsName)));
  epochs_unwritten = false;
  return {};
}

bool Log::flush_due(std::int64_t now_ms) const {
  const LogState& s = *state_;
  if (s.end <= s.recovery_point) return false;
  return s.end - s.recovery_point >= s.config->flush_messages ||
         now_ms - s.last_flush_ms >= s.config->flush_ms;
}

Result<FlushWork> Log::prepare_flush(bool include_active, bool one_by_one) {
  LogState& s = *state_;
  FlushWork work{.from = s.recovery_point, .up_to = s.recovery_point, .one_by_one = one_by_one};
  work.truncations = s.truncations;
  work.new_names = s.new_names;
  work.epochs_version = s.epochs_version;
  work.active_base = s.active().base();
  if (include_active) work.bytes = s.unflushed_bytes;
  if (!s.loaded && s.new_names == s.synced_names) return work;  // untouched since a clean start
  const Offset target = include_active ? s.end : s.active().base();
  TRY(s.write_epochs());
  if (s.epochs_unsynced || s.new_names != s.synced_names) work.folder = s.folder;
  for (const auto& [unsynced, name] :
       {std::pair(s.epochs_unsynced, kEpochsName), std::pair(s.metadata_unsynced, kPartitionMetadataName)}) {
    if (!unsynced || !one_by_one) continue;
    TRY_ASSIGN(file, s.context.fs->open(s.path(name), env::OpenMode::kReadWrite));
    work.files.push_back(file);
  }
  if (s.parent_unsynced) work.parent = s.folder.substr(0, s.folder.rfind('/'));
  if (s.unsynced_cut && *s.unsynced_cut < target) work.cut = s.unsynced_cut;
  if (target <= s.recovery_point && !work.cut) return work;
  work.up_to = std::max(target, s.recovery_point);
  // A cut that is not durable must be, before the recovery point goes above it; so must the index of what
  // lies below the recovery point, for recovery believes it.
  if (include_active) TRY(s.active().spill(s.home()));
  if (!one_by_one) return work;
  std::size_t first = s.segment_of(std::min(s.recovery_point, work.cut.value_or(s.recovery_point)));
  while (first > 0 && s.segments[first - 1].index_unsynced()) --first;
  for (std::size_t i = first; i < s.segments.size(); ++i) {
    Segment& segment = s.segments[i];
    if (segment.base() >= target) break;
    TRY_ASSIGN(file, segment.file(s.home()));
    work.files.push_back(file);
    TRY_ASSIGN(indexes, segment.index_files_to_sync(s.home()));
    work.files.insert(work.files.end(), indexes.begin(), indexes.end());
  }
  return work;
}

void Log::complete_flush(const FlushWork& done, std::int64_t now_ms) {
  LogState& s = *state_;
  s.last_flush_ms = now_ms;
  s.unflushed_bytes -= std::min(s.unflushed_bytes, done.bytes);
  s.synced_names = std::max(s.synced_names, done.new_names);
  if (!done.parent.empty()) s.parent_unsynced = false;
  if (!done.folder.empty()) s.metadata_unsynced = false;
  if (done.epochs_version == s.epochs_version) s.epochs_unsynced = false;
  if (done.truncations != s.truncations) return;
  if (done.cut && s.unsynced_cut == done.cut) s.unsynced_cut.reset();
  s.recovery_point = std::max(s.recovery_point, std::min(done.up_to, s.end));
  if (done.one_by_one) return;
  for (Segment& segment : s.segments)
    if (segment.base() < done.active_base) segment.index_synced();  // the others' may have grown meanwhile
}

Result<Offset> Log::write_out() {
  LogState& s = *state_;
  if (!s.loaded) return s.end;
  for (Segment& segment : s.segments)
    if (segment.has_pending())
      TRY(&segment == &s.active() ? segment.spill(s.home()) : segment.seal(s.home()));
  if (s.snapshot_end != s.end && s.end > s.active().base()) {
    TRY(s.write_snapshot(s.end));
    s.remove_snapshots(s.active().base() + 1, s.end);
  }
  TRY(s.write_epochs());
  return s.end;
}

Result<FlushWork> Log::prepare_close(bool one_by_one) {
  LogState& s = *state_;
  // An epoch that was only said, for records to come, need not be kept: loading forgets those at the end.
  const Home home = s.home();
  if (s.tail_dirty || s.config->preallocate) {
    TRY_ASSIGN(file, s.active().file(home));
    TRY(file->truncate(s.active().size()));
    s.unsynced_cut = std::min(s.unsynced_cut.value_or(s.active().base()), s.active().base());
  }
  for (Segment& segment : s.segments) TRY(segment.seal(home));
  const bool fresh_snapshot = s.loaded && s.snapshot_end != s.end && s.end > s.segments.front().base();
  if (fresh_snapshot) TRY(s.write_snapshot(s.end));
  TRY_ASSIGN(work, prepare_flush(true, one_by_one));
  if (!one_by_one) return std::move(work);
  for (Segment& segment : s.segments) {
    TRY_ASSIGN(indexes, segment.index_files_to_sync(home));
    work.files.insert(work.files.end(), indexes.begin(), indexes.end());
  }
  if (s.loaded && s.snapshot_end == s.end) {  // the next start believes it, and reads no batch
    auto snapshot = s.context.fs->open(home.path(s.end, kSnapshotSuffix), env::OpenMode::kReadWrite);
    if (snapshot) work.files.push_back(std::move(*snapshot));
  }
  return std::move(work);
}

Status Log::close() {
  TRY_ASSIGN(work, prepare_close());
  if (!fault_is(Fault::kCloseLosesTail)) TRY(work.run(*state_->context.fs));
  complete_flush(work, state_->last_now_ms);
  return {};
}

}  // namespace moldau::log
