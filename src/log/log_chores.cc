// What the manager does now and then, all of it on background threads: checkpoints, flushes, retention,
// removals.
#include <algorithm>
#include <functional>

#include "base/fault.h"
#include "log/cleaner.h"
#include "log/log_manager_state.h"

namespace moldau::log {
namespace {

constexpr std::string_view kLogger = "kafka.log.LogManager";
constexpr std::int64_t kRemovalCheckMs = 1000;
// A topic's flush.ms may change at any time; all logs are asked again so often.
constexpr std::uint64_t kFlushChecksPerFullLook = 10;

std::uint64_t key_of(const void* what) { return std::hash<const void*>{}(what); }

}  // namespace

std::int64_t LogManager::State::interval_ms(Chore chore) const {
  switch (chore) {
    case kFlush:
      return options.flush_check_ms;
    case kRecoveryPoints:
      return options.recovery_checkpoint_ms;
    case kLogStarts:
      return options.start_offset_checkpoint_ms;
    case kRetention:
      return options.retention_check_ms;
    case kExpiry:
      return options.producer_expiry_check_ms;
    case kRemoval:
    case kChores:
      break;
  }
  return kRemovalCheckMs;
}

void LogManager::tick() {
  State& s = *state_;
  const env::Instant now = s.world.clock.now();
  for (int i = 0; i < State::kChores; ++i) {
    const auto chore = static_cast<State::Chore>(i);
    const bool due = s.shared.with([&](State::Shared& shared) {
      if (shared.busy[i] || now < shared.due[i]) return false;
      return shared.busy[i] = true;
    });
    if (!due) continue;
    const bool queued = s.world.background.submit(key_of(&s), [&s, chore] {
      s.run_chore(chore);
      const env::Instant then = s.world.clock.now() + std::chrono::milliseconds(s.interval_ms(chore));
      s.shared.with([&](State::Shared& shared) {
        shared.due[chore] = then;
        shared.busy[chore] = false;
      });
    });
    if (!queued)
      s.shared.with([&](State::Shared& shared) { shared.busy[i] = false; });  // the next tick tries again
  }
  s.cleaner->tick(now);
}

env::Instant LogManager::next_tick() const {
  const env::Instant chores = state_->shared.with([](State::Shared& shared) {
    env::Instant next = shared.due[0];
    for (int i = 1; i < State::kChores; ++i)
      if (!shared.busy[i]) next = std::min(next, shared.due[i]);
    return next;
  });
  return std::min(chores, state_->cleaner->next_tick());
}

void LogManager::State::run_chore(Chore chore) {
  // Nothing is there any more, and that is not what the checkpoints shall say.
  if (shared.with([](const Shared& s) { return s.closed; })) return;
  if (chore == kFlush) return flush_by_time();
  if (chore == kExpiry) return expire();
  if (chore == kRemoval) return remove_due();
  for (const auto& directory : directories) {
    if (!directory->online()) continue;
    Status done;
    if (chore == kRecoveryPoints) done = write_recovery_points(*directory, true);
    if (chore == kLogStarts) done = write_log_starts(*directory);
    if (chore == kRetention) retain(*directory);
    if (!done) failed(*directory, done.error());
  }
  if (chore == kRecoveryPoints) files->close_idle();
}

void LogManager::run_retention() {
  for (const auto& directory : state_->directories)
    if (directory->online()) state_->retain(*directory);
}

void LogManager::run_cleaner() { state_->cleaner->run_all(); }

Status LogManager::write_checkpoints() {
  for (const auto& directory : state_->directories) {
    if (!directory->online()) continue;
    TRY(state_->write_recovery_points(*directory, true));
    TRY(state_->write_log_starts(*directory));
  }
  return {};
}

// ---- flushing
// -----------------------------------------------------------------------------------------------------------

// Prepares and completes as the log's only user, syncs in between while others use it.
Status LogManager::State::flush(const Handle& handle, bool include_active) {
  Result<FlushWork> work;
  std::string folder;
  handle->with_log([&](Log& log) {
    work = log.prepare_flush(include_active);
    folder = log.folder();
  });
  if (!work) return std::unexpected(std::move(work).error());
  if (work->empty()) return {};
  const Status synced = work->run(world.fs);
  bool gone = true;
  handle->with_log([&](Log& log) {
    gone = log.folder() != folder;
    if (synced) log.complete_flush(*work, world.clock.wall_ms());
  });
  // A log that was taken out or moved meanwhile has another folder now: nothing is wrong with the disk.
  if (!synced && gone && synced.error().kind == ErrorKind::kNotFound) return {};
  return synced;
}

void LogManager::State::run_flushes(const Handle& handle) {
  auto asked = handle->flushes.with([](Entry::Flushes& f) { return std::exchange(f, {}); });
  const Status done = flush(handle, asked.include_active);
  if (!done && done.error().kind != ErrorKind::kNoSpace) failed(*handle->directory, done.error());
  for (auto& waiting : asked.waiting) waiting(done);
}

void LogManager::flush_in_background(const Handle& handle, bool include_active,
                                     std::move_only_function<void(Status)> done) {
  const bool queue = handle->flushes.with([&](Entry::Flushes& f) {
    f.include_active |= include_active;
    if (done) f.waiting.push_back(std::move(done));
    return !std::exchange(f.queued, true);
  });
  if (!queue) return;  // one flush serves all that were asked for before it begins
  State* s = state_.get();
  if (s->world.background.submit(key_of(handle.get()), [s, handle] { s->run_flushes(handle); })) return;
  auto refused = handle->flushes.with([](Entry::Flushes& f) { return std::exchange(f, {}); });
  for (auto& waiting : refused.waiting)
    waiting(fail(ErrorKind::kBusy, "the queue for background work is full"));
}

void LogManager::State::flush_by_time() {
  const bool all = shared.with([](Shared& s) { return s.flush_checks++ % kFlushChecksPerFullLook == 0; });
  for (const auto& directory : directories) {
    if (!directory->online()) continue;
    for (const Handle& handle : in(*directory)) {
      if (!all && !handle->flushes_by_time.load(std::memory_order_relaxed)) continue;
      bool due = false;
      handle->with_log([&](Log& log) {
        handle->flushes_by_time.store(log.config().flush_ms != kNever, std::memory_order_relaxed);
        due = log.flush_due(world.clock.wall_ms());
      });
      if (!due) continue;
      if (const Status done = flush(handle, true); !done) failed(*directory, done.error());
    }
  }
}

// ---- checkpoints
// --------------------------------------------------------------------------------------------------------

Status LogManager::State::write_recovery_points(LogDirectory& directory, bool flush_large) {
  const std::vector<Handle> handles = in(directory);
  OffsetMap points, written;
  points.reserve(handles.size());
  written.reserve(handles.size());
  std::vector<Handle> large;
  for (const Handle& handle : handles) {
    Status done;
    handle->with_log([&](Log& log) {
      const auto upto = log.write_out();
      if (upto)
        written[handle->name] = *upto;
      else
        done = std::unexpected(upto.error());
      if (options.background_flush_bytes > 0 && log.unflushed_bytes() > options.background_flush_bytes)
        large.push_back(handle);
      log.trim_memory();
      collect_removals(log);
    });
    if (!done && done.error().kind != ErrorKind::kNoSpace) return done;
  }
  if (flush_large) {
    const Status done = flush_together(directory, large);
    if (!done && done.error().kind != ErrorKind::kNoSpace) return done;
  }
  for (const Handle& handle : handles)
    handle->with_log([&](Log& log) { points[handle->name] = log.recovery_point(); });
  TRY(directory.store_recovery_points(std::move(points)));
  return directory.store_written(std::move(written));
}

// Few logs are synced file by file, many with one wait for all. Where that cannot be, or fails (another's
// file may be the reason), each file says for itself whether it is durable. A log without room does not keep
// the others from it. Returns the first error, other than kNoSpace if there is one.
Status LogManager::State::flush_together(LogDirectory& directory, const std::vector<Handle>& handles) {
  Status full;
  std::vector<std::pair<Handle, FlushWork>> works;
  if (handles.size() >= kManyLogs) {
    for (const Handle& handle : handles) {
      Result<FlushWork> work;
      handle->with_log([&](Log& log) { work = log.prepare_flush(true, false); });
      if (work)
        works.emplace_back(handle, std::move(*work));
      else if (work.error().kind != ErrorKind::kNoSpace)
        return std::unexpected(std::move(work).error());
      else if (full)
        full = std::unexpected(std::move(work).error());
    }
    if (world.fs.sync_all(directory.path())) {
      for (const auto& [handle, work] : works)
        handle->with_log([&](Log& log) { log.complete_flush(work, world.clock.wall_ms()); });
      return full;
    }
  }
  for (const Handle& handle : handles) {
    const Status done = flush(handle, true);
    if (!done && done.error().kind != ErrorKind::kNoSpace) return done;
    if (!done && full) full = done;
  }
  return full;
}

// The same with the last flush of each log.
Status LogManager::State::close_logs(LogDirectory& directory) {
  const std::vector<Handle> handles = in(directory);
  const auto touched = std::ranges::count_if(handles, [](const Handle& h) { return !h->log->untouched(); });
  if (static_cast<std::size_t>(touched) >= kManyLogs && !fault_is(Fault::kCloseLosesTail)) {
    std::vector<FlushWork> works;
    for (const Handle& handle : handles) {
      TRY_ASSIGN(work, handle->log->prepare_close(false));
      works.push_back(std::move(work));
    }
    if (world.fs.sync_all(directory.path())) {
      for (std::size_t i = 0; i < handles.size(); ++i)
        handles[i]->log->complete_flush(works[i], world.clock.wall_ms());
      return {};
    }
  }
  for (const Handle& handle : handles) TRY(handle->log->close());
  return {};
}

Status LogManager::State::write_log_starts(LogDirectory& directory) {
  OffsetMap starts;
  for (const Handle& handle : in(directory)) {
    handle->with_log([&](Log& log) {
      if (log.start_offset() > log.first_segment_base()) starts[handle->name] = log.start_offset();
    });
  }
  return directory.store_log_starts(std::move(starts));
}

// ---- retention
// ----------------------------------------------------------------------------------------------------------

void LogManager::State::collect_removals(Log& log) {
  auto removals = log.take_removals();
  if (removals.empty()) return;
  shared.with([&](Shared& s) { s.removals.insert(s.removals.end(), removals.begin(), removals.end()); });
}

void LogManager::State::retain(LogDirectory& directory) {
  for (const Handle& handle : in(directory))
    if (!retain(handle)) return;
}

// Returns false when the disk has failed.
bool LogManager::State::retain(const Handle& handle) {
  // A copy follows the log that it is made of; a log that is being compacted has its turn behind that.
  if (handle->future || handle->cleaning) return true;
  Result<int> deleted = 0;
  handle->with_log([&](Log& log) {
    deleted = log.delete_old_segments(world.clock.wall_ms(), handle->replicated());
    collect_removals(log);
  });
  if (!deleted) {
    failed(*handle->directory, deleted.error());
    return deleted.error().kind == ErrorKind::kNoSpace;
  }
  if (*deleted > 0)
    world.events.write(env::Level::kInfo, kLogger,
                       "Deleted " + std::to_string(*deleted) + " segments of " + handle->name.to_string());
  return true;
}

// Where compaction has come by, retention does not wait for its own time (Kafka:
// LogCleaner.cleanFilthiestLog).
void LogManager::State::retain_compacted() {
  for (const auto& directory : directories) {
    if (!directory->online()) continue;
    for (const Handle& handle : in(*directory)) {
      bool wanted = false;
      handle->with_log([&](Log& log) {
        const LogConfig& config = log.config();
        wanted = config.cleanup_compact &&
                 (config.cleanup_delete || log.start_offset() > log.first_segment_base());
      });
      if (wanted && !retain(handle)) break;
    }
  }
}

bool LogManager::State::is_moving(const TopicPartition& partition) {
  return shared.with([&](Shared& s) { return s.future.contains(partition); });
}

void LogManager::State::expire() {
  for (const auto& directory : directories)
    for (const Handle& handle : in(*directory))
      handle->with_log([&](Log& log) { log.expire_producers(world.clock.wall_ms()); });
}

void LogManager::State::remove_due() {
  const std::int64_t now_ms = world.clock.wall_ms();
  std::vector<Removal> due;
  shared.with([&](Shared& s) {
    for (const Removal& removal : s.removals)
      if (removal.due_ms <= now_ms) due.push_back(removal);
    std::erase_if(s.removals, [&](const Removal& removal) { return removal.due_ms <= now_ms; });
  });
  for (const Removal& removal : due) {
    const Status removed = world.fs.remove_all(removal.path);
    if (!removed) world.events.write(env::Level::kWarn, kLogger, removed.error().message);
  }
}

}  // namespace moldau::log
