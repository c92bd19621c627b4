#include "log/cleaner.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "log/clean_types.h"

namespace moldau::log {
namespace {

constexpr std::string_view kLogger = "kafka.log.LogCleaner";
constexpr std::uint64_t kStepBytes = 256u << 10;  // between looks at the throttle and the log
constexpr int kStepsPerTurn = 16;                 // then other background work has its turn
constexpr double kLongestDebt = 3600;             // seconds
constexpr double kLeastLoad = 0.001;
constexpr env::Duration kCredit = std::chrono::seconds(1);  // as often as tick() comes

}  // namespace

Cleaner::Cleaner(LogManager::State& state) : state_(state), seed_(state.world.random.next()) {}

void Cleaner::tick(env::Instant now) {
  const CleanerSettings settings = state_.options.cleaner_settings();
  const std::size_t wanted = settings.enabled ? static_cast<std::size_t>(std::max(settings.threads, 0)) : 0;
  std::vector<Worker*> due;
  shared_.with([&](Shared& shared) {
    if (shared.stopped) return;
    while (shared.workers.size() < wanted) {
      shared.workers.push_back(std::make_unique<Worker>());
      shared.workers.back()->number = shared.workers.size() - 1;
      shared.workers.back()->due = now + std::chrono::milliseconds(settings.backoff_ms);
    }
    // Workers that are too many finish what they have begun.
    for (const auto& worker : shared.workers) {
      if (worker->busy || worker->due > now || (worker->number >= wanted && worker->run == nullptr)) continue;
      worker->busy = true;
      due.push_back(worker.get());
    }
  });
  for (Worker* worker : due) {
    if (state_.world.background.submit(std::hash<const void*>{}(worker), [this, worker] { work(*worker); }))
      continue;
    shared_.with([&](Shared&) { worker->busy = false; });  // the next tick tries again
  }
}

env::Instant Cleaner::next_tick() const {
  return shared_.with([](const Shared& shared) {
    env::Instant next{env::Duration::max()};
    for (const auto& worker : shared.workers)
      if (!worker->busy) next = std::min(next, worker->due);
    return next;
  });
}

void Cleaner::run_all() {
  Worker worker;
  while (some_work(worker) != Next::kBackOff) {
  }
}

void Cleaner::stop() {
  shared_.with([&](Shared& shared) {
    shared.stopped = true;
    for (const auto& worker : shared.workers) give_up(*worker);
  });
}

void Cleaner::work(Worker& worker) {
  if (shared_.with([](const Shared& shared) { return shared.stopped; })) return;
  const Next next = some_work(worker);
  if (next == Next::kAgain &&
      state_.world.background.submit(std::hash<const void*>{}(&worker), [this, &worker] { work(worker); }))
    return;
  const std::int64_t backoff_ms = state_.options.cleaner_settings().backoff_ms;
  const env::Instant now = state_.world.clock.now();
  shared_.with([&](Shared& shared) {
    worker.due = next == Next::kBackOff     ? now + std::chrono::milliseconds(backoff_ms)
                 : next == Next::kThrottled ? shared.paid_until
                                            : now;
    worker.busy = false;
  });
}

Cleaner::Next Cleaner::some_work(Worker& worker) {
  const CleanerSettings settings = state_.options.cleaner_settings();
  if (worker.run == nullptr && !pick(worker, settings)) {
    state_.retain_compacted();
    return Next::kBackOff;
  }
  worker.turn_over = false;
  for (int i = 0; i < kStepsPerTurn && !worker.turn_over; ++i) {
    const bool more = advance(worker);
    const std::uint64_t traffic = worker.run != nullptr ? worker.run->take_traffic() : 0;
    if (!pay(traffic, settings.max_bytes_per_second)) return Next::kThrottled;
    if (!more) return worker.stumbled ? Next::kBackOff : Next::kAgain;
  }
  return Next::kAgain;
}

// Returns false when the credit is used up. (Kafka: Throttler)
bool Cleaner::pay(std::uint64_t bytes, double bytes_per_second) {
  const env::Instant now = state_.world.clock.now();
  if (std::isnan(bytes_per_second)) return true;
  const double seconds = bytes_per_second > 0
                             ? std::min(static_cast<double>(bytes) / bytes_per_second, kLongestDebt)
                             : kLongestDebt;
  return shared_.with([&](Shared& shared) {
    shared.paid_until =
        std::max(shared.paid_until, now) + std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
    return shared.paid_until <= now + kCredit;
  });
}

// ---- picking
// -----------------------------------------------------------------------------------------------------------------

bool Cleaner::pick(Worker& worker, const CleanerSettings& settings) {
  const std::int64_t now_ms = state_.world.clock.wall_ms();
  std::optional<Cleanable> dirtiest;
  LogManager::Handle best;
  for (const auto& directory : state_.directories) {
    if (!directory->online()) continue;
    for (const LogManager::Handle& handle : state_.in(*directory)) {
      if (handle->future || handle->uncleanable || handle->cleaning) continue;
      Result<std::optional<Cleanable>> range;
      handle->with_log([&](Log& log) {
        range = log.cleanable(directory->cleaned_to(handle->name), now_ms, handle->replicated());
      });
      if (!range) {
        worker.handle = handle;
        stumble(worker, range.error());
      } else if (*range && (!dirtiest || (*range)->ratio() > dirtiest->ratio()) &&
                 !state_.is_moving(handle->name)) {
        dirtiest = **range;
        best = handle;
      }
    }
  }
  worker.handle = best;
  return dirtiest && begin(worker, *dirtiest, settings);
}

bool Cleaner::begin(Worker& worker, const Cleanable& range, const CleanerSettings& settings) {
  const LogManager::Handle handle = worker.handle;
  LogDirectory& directory = *handle->directory;
  if (handle->cleaning.exchange(true)) return false;
  const auto prepare = [&]() -> Status {
    if (range.reset || !directory.cleaned(handle->name))
      TRY(directory.settle_cleaned(handle->name, range.first_dirty));
    // What supersedes a record must be on disk before that goes.
    TRY(state_.flush(handle, false));
    TRY(settle_start(handle));
    Result<CleanSource> source = fail(ErrorKind::kNotFound, handle->name.to_string() + " is gone");
    handle->with_log([&](Log& log) { source = log.clean_source(range); });
    if (!source) return std::unexpected(std::move(source).error());
    const auto threads = static_cast<std::uint64_t>(std::max(settings.threads, 1));
    const CleanLimits limits{
        .table_bytes = settings.dedupe_buffer_bytes / threads,
        .load_factor = settings.load_factor > kLeastLoad ? std::min(settings.load_factor, 1.0) : kLeastLoad,
        .buffer_bytes = settings.io_buffer_bytes / threads / 2};
    worker.run = std::make_unique<CleanRun>(LogContext{&state_.world.fs, state_.files.get()},
                                            std::move(*source), limits, seed_, state_.world.clock.wall_ms());
    return {};
  };
  if (Status prepared = prepare(); !prepared) {
    handle->cleaning = false;
    stumble(worker, prepared.error());
    return false;
  }
  return true;
}

// Below the start nothing is looked at, and tombstones go all the same: it must not go back.
Status Cleaner::settle_start(const LogManager::Handle& handle) {
  LogDirectory& directory = *handle->directory;
  const Offset stored = directory.log_start(handle->name).value_or(Offset{0});
  bool moved = false;
  handle->with_log(
      [&](Log& log) { moved = log.start_offset() > std::max(stored, log.first_segment_base()); });
  return moved ? state_.write_log_starts(directory) : Status{};
}

// ---- cleaning
// ----------------------------------------------------------------------------------------------------------------

// Returns false when the round is over, one way or the other.
bool Cleaner::advance(Worker& worker) {
  worker.stumbled = false;
  const auto go = [&]() -> Result<bool> {
    TRY_ASSIGN(step, worker.run->step(kStepBytes));
    if (step == CleanRun::Step::kMore) return true;
    if (step == CleanRun::Step::kSwap) {
      worker.turn_over = true;  // it has waited for a disk
      TRY(swap(worker));
      return true;
    }
    TRY(finish(worker));
    return false;
  };
  const auto more = go();
  if (more) return *more;
  stumble(worker, more.error());
  return false;
}

// kBusy: the log has changed, or is about to move; the round was for nothing.
Status Cleaner::swap(Worker& worker) {
  const LogManager::Handle& handle = worker.handle;
  Result<bool> replaced = false;
  std::string folder;
  handle->with_log([&](Log& log) {
    // A copy that is being made of it must not miss a tombstone.
    if (state_.is_moving(handle->name)) return;
    replaced =
        log.replace_segments(worker.run->source(), worker.run->replacement(), state_.world.clock.wall_ms());
    folder = log.folder();
    state_.collect_removals(log);
  });
  // Nobody knows which of the names are there.
  if (!replaced) return fail(ErrorKind::kIo, replaced.error().message);
  if (!*replaced) return fail(ErrorKind::kBusy, handle->name.to_string() + ": changed while it was cleaned");
  worker.run->swapped();
  const Status synced = state_.world.fs.sync_directory(folder);
  return synced || still_there(worker) ? synced : fail(ErrorKind::kBusy, synced.error().message);
}

Status Cleaner::finish(Worker& worker) {
  const LogManager::Handle handle = worker.handle;
  LogDirectory& directory = *handle->directory;
  const CleanRun& run = *worker.run;
  const Cleanable& range = run.source().range;
  if (still_there(worker)) {
    TRY(directory.settle_cleaned(handle->name, run.clean_end()));
    // Cut in between: what comes to lie there is dirty.
    if (!still_there(worker)) TRY(directory.settle_cleaned(handle->name, range.first_dirty));
  }
  const CleanRun::Totals& totals = run.totals();
  state_.world.events.write(
      env::Level::kInfo, kLogger,
      "Cleaned " + handle->name.to_string() + ": dirty from offset " +
          std::to_string(range.first_dirty.value) + " to " + std::to_string(run.clean_end().value) + ", " +
          std::to_string(totals.bytes_read) + " to " + std::to_string(totals.bytes_written) + " bytes, " +
          std::to_string(totals.records_read) + " to " + std::to_string(totals.records_kept) + " records");
  worker.run.reset();
  worker.handle->cleaning = false;
  worker.handle.reset();
  return {};
}

// Whether the log is still that which the round was begun for.
bool Cleaner::still_there(const Worker& worker) const {
  bool same = false;
  worker.handle->with_log([&](Log& log) {
    same = worker.run == nullptr || (log.truncations() == worker.run->source().truncations &&
                                     log.folder() == worker.run->source().folder);
  });
  return same;
}

// ---- trouble
// -----------------------------------------------------------------------------------------------------------------

void Cleaner::stumble(Worker& worker, Error error) {
  worker.stumbled = true;
  const LogManager::Handle handle = worker.handle;
  const bool current = still_there(worker);
  give_up(worker);
  if (!current || error.kind == ErrorKind::kBusy) return;
  switch (error.kind) {
    case ErrorKind::kCorrupt:
    case ErrorKind::kInvalid:
    case ErrorKind::kUnsupported:
      handle->uncleanable = true;
      state_.world.events.write(
          env::Level::kWarn, kLogger,
          "Cannot clean " + handle->name.to_string() +
              ", which is set aside as uncleanable until the next start: " + error.message);
      return;
    default:
      state_.failed(*handle->directory, error);
  }
}

void Cleaner::give_up(Worker& worker) {
  if (worker.run != nullptr) {
    worker.run->abandon();
    worker.handle->cleaning = false;
  }
  worker.run.reset();
  worker.handle.reset();
}

}  // namespace moldau::log
