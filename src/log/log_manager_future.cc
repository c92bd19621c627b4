// Logs on their way to another log directory: making the copy's folder, putting it in the place of the
// current one, and, at a start, what a crash in the middle of that has left (future_log.h).
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "log/future_log.h"
#include "log/log_manager_state.h"

namespace moldau::log {
namespace {

constexpr std::size_t kMostPreferred = 100'000;

// Where the log starts, if that is not said by its first segment.
std::optional<Offset> start_to_keep(const Log& log) {
  return log.start_offset() > log.first_segment_base() ? std::optional(log.start_offset()) : std::nullopt;
}

std::string snapshot_path(const std::string& folder, Offset at) {
  std::string digits = std::to_string(at.value);
  return folder + "/" + std::string(20 - digits.size(), '0') + digits + ".snapshot";
}

}  // namespace

LogDirectory* LogManager::State::directory_at(const std::string& path) const {
  for (const auto& directory : directories)
    if (directory->path() == path) return directory.get();
  return nullptr;
}

void LogManager::prefer(const TopicPartition& partition, const std::string& directory) {
  state_->shared.with([&](State::Shared& s) {
    if (s.preferred.size() < kMostPreferred || s.preferred.contains(partition))
      s.preferred[partition] = directory;
  });
}

LogDirectory* LogManager::State::preferred_directory(const TopicPartition& partition) {
  const auto path = shared.with([&](Shared& s) -> std::optional<std::string> {
    const auto found = s.preferred.extract(partition);
    return found.empty() ? std::nullopt : std::optional(std::move(found.mapped()));
  });
  LogDirectory* const directory = path ? directory_at(*path) : nullptr;
  return directory != nullptr && directory->online() ? directory : nullptr;
}

std::vector<LogManager::Handle> LogManager::futures() const {
  return state_->shared.with([](State::Shared& s) {
    std::vector<Handle> handles;
    for (const auto& item : s.future) handles.push_back(item.second);
    return handles;
  });
}

std::optional<LogManager::Facts> LogManager::facts(const Handle& handle) {
  std::optional<Facts> found;
  handle->with_log([&](Log& log) { found = Facts{log.end_offset(), log.size_bytes()}; });
  return found;
}

Result<LogManager::Handle> LogManager::create_future(const Handle& current, const std::string& path,
                                                     const Uuid& topic_id, Offset base) {
  State& s = *state_;
  const TopicPartition& partition = current->name;
  LogDirectory* const directory = s.directory_at(path);
  if (directory == nullptr || !directory->online() || directory == current->directory)
    return fail(ErrorKind::kInvalid, partition.to_string() + " cannot move to " + path);
  if (find_future(partition) != nullptr) return fail(ErrorKind::kBusy, partition.to_string() + " is moving");
  TRY(directory->lower(partition, std::nullopt, std::nullopt));
  if (const auto cleaned = current->directory->cleaned_to(partition))
    TRY(directory->settle_cleaned(partition, *cleaned));
  env::FileSystem& fs = s.world.fs;
  const std::string folder = path + "/" + folder_name(partition, FolderKind::kFuture, s.world.random.uuid());
  const auto make = [&]() -> Result<std::unique_ptr<Log>> {
    TRY(fs.create_directories(folder));
    std::string from;
    current->with_log([&](Log& log) { from = log.folder(); });
    if (const auto known = fs.read_file(snapshot_path(from, base))) {
      TRY_ASSIGN(out, fs.open(snapshot_path(folder, base), env::OpenMode::kTruncate));
      TRY(out->write_at(0, ByteView(*known)));
    }
    return Log::create({&fs, s.files.get()}, folder, s.options.config_of(partition.topic), topic_id,
                       s.world.clock.wall_ms(), base);
  };
  auto made = make();
  if (!made) {
    (void)fs.remove_all(folder);
    s.failed(*directory, made.error());
    return std::unexpected(std::move(made).error());
  }
  const Handle entry = s.make_entry(partition, *directory, std::move(*made), true);
  const bool fresh =
      s.shared.with([&](State::Shared& shared) { return shared.future.emplace(partition, entry).second; });
  if (!fresh) return fail(ErrorKind::kBusy, partition.to_string() + " began to move twice at once");
  return entry;
}

Status LogManager::remove_future(const TopicPartition& partition, FolderKind kind) {
  State& s = *state_;
  const Handle handle = s.shared.with([&](State::Shared& shared) -> Handle {
    const auto found = shared.future.extract(partition);
    return found.empty() ? nullptr : found.mapped();
  });
  if (handle == nullptr) return fail(ErrorKind::kNotFound, partition.to_string() + " is not moving");
  const Status gone = s.discard(handle, kind);
  if (!gone) s.failed(*handle->directory, gone.error());
  return gone;
}

// Durably: a power loss must not bring back a move that was given up.
Status LogManager::State::discard(const Handle& handle, FolderKind kind) {
  LogDirectory& directory = *handle->directory;
  const std::string to = directory.path() + "/" + folder_name(handle->name, kind, world.random.uuid());
  handle->with_log([&](Log&) { handle->gone.store(true, std::memory_order_release); });
  handle->gone.store(true, std::memory_order_release);  // its guard may let nobody in any more
  TRY(world.fs.rename(handle->log->folder(), to));
  handle->log->moved_to(to);
  TRY(world.fs.sync_directory(directory.path()));
  if (kind == FolderKind::kDelete)
    shared.with([&](Shared& s) { s.removals.push_back({to, world.clock.wall_ms()}); });
  return {};
}

Status LogManager::allow_holes(const Handle& future, const Handle& current) {
  LogDirectory& directory = *future->directory;
  if (directory.cleaned(future->name)) return {};
  return directory.settle_cleaned(future->name,
                                  current->directory->cleaned_to(future->name).value_or(Offset{0}));
}

std::int64_t LogManager::now_ms() const { return state_->world.clock.wall_ms(); }
env::Instant LogManager::now() const { return state_->world.clock.now(); }

Status LogManager::flush(const Handle& handle) { return state_->flush(handle, true); }

Status LogManager::settle_future(const Handle& future) {
  Offset recovery_point{0};
  std::optional<Offset> start;
  future->with_log([&](Log& log) {
    recovery_point = log.recovery_point();
    start = start_to_keep(log);
  });
  return future->directory->settle(future->name, recovery_point, start);
}

LogManager::Promotion LogManager::promote(const Handle& current, const Handle& future) {
  State& s = *state_;
  Log& log = *future->log;
  CHECK(log.end_offset() == current->log->end_offset());
  CHECK(log.start_offset() == current->log->start_offset());
  const auto prepare = [&]() -> Status {
    TRY(log.take_over(*current->log));
    TRY_ASSIGN(work, log.prepare_flush());
    TRY(work.run(s.world.fs));
    log.complete_flush(work, s.world.clock.wall_ms());
    if (future->directory->log_start(future->name) != start_to_keep(log))
      TRY(future->directory->settle(future->name, log.recovery_point(), start_to_keep(log)));
    const std::string place =
        future->directory->path() + "/" + folder_name(current->name, FolderKind::kCurrent);
    if (s.world.fs.exists(place)) return fail(ErrorKind::kBusy, place + ": expected no such folder");
    TRY_ASSIGN(generation, load_move_generation(s.world.fs, current->log->folder()));
    return store_move_generation(s.world.fs, log.folder(), generation + 1);
  };
  if (Status prepared = prepare(); !prepared) return {.future_trouble = prepared.error()};
  return s.put_in_place(current, future);
}

LogManager::Promotion LogManager::State::put_in_place(const Handle& current, const Handle& future) {
  const TopicPartition& partition = current->name;
  LogDirectory &from = *current->directory, &to = *future->directory;
  const std::string folder = to.path() + "/" + folder_name(partition, FolderKind::kCurrent);
  const auto rename = [&]() -> Status {
    TRY(world.fs.rename(future->log->folder(), folder));
    return world.fs.sync_directory(to.path());
  };
  if (const Status renamed = rename(); !renamed) {
    // Nobody knows what the disk will show at the next start.
    Promotion failed{.future_trouble = Error{ErrorKind::kIo, renamed.error().message}};
    if (const Status fenced = fence(*current->log); !fenced)
      failed.current_trouble = Error{ErrorKind::kIo, fenced.error().message};
    return failed;
  }
  Promotion done{.done = true};
  future->log->moved_to(folder);
  future->future = false;
  future->high_watermark.store(current->high_watermark.load(std::memory_order_relaxed),
                               std::memory_order_relaxed);
  current->gone.store(true, std::memory_order_release);
  shared.with([&](Shared& s) {
    s.future.erase(partition);
    s.current[partition] = future;
  });
  const std::string old =
      from.path() + "/" + folder_name(partition, FolderKind::kDelete, world.random.uuid());
  const auto retire = [&]() -> Status {
    TRY(world.fs.rename(current->log->folder(), old));
    current->log->moved_to(old);
    return world.fs.sync_directory(from.path());
  };
  if (const Status retired = retire(); !retired) {
    done.current_trouble = Error{ErrorKind::kIo, retired.error().message};
    return done;
  }
  const std::int64_t due_ms = world.clock.wall_ms() + future->log->config().file_delete_delay_ms;
  shared.with([&](Shared& s) { s.removals.push_back({old, due_ms}); });
  if (std::ranges::all_of(directories, [](const auto& d) { return d->online(); }))
    (void)world.fs.remove(folder + "/" + kMoveGenerationName);
  return done;
}

// The current log goes on, though there may be another folder with its partition's name: it is made the later
// one of the two before anything is written to it.
Status LogManager::State::fence(const Log& current) {
  TRY_ASSIGN(generation, load_move_generation(world.fs, current.folder()));
  return store_move_generation(world.fs, current.folder(), generation + 2);
}

// ---- at a start
// ---------------------------------------------------------------------------------------------------------

// Two folders of one partition. Of two copies being made the longer one goes on; of two current logs the one
// of the later generation counts. `known` is in its table, `found` not yet.
Status LogManager::State::settle_twins(const Handle& known, const Handle& found, bool future,
                                       LoadReport& report) {
  const TopicPartition& partition = found->name;
  bool keep_found = found->log->end_offset() > known->log->end_offset();
  if (!future) {
    TRY_ASSIGN(known_generation, load_move_generation(world.fs, known->log->folder()));
    TRY_ASSIGN(found_generation, load_move_generation(world.fs, found->log->folder()));
    TRY_ASSIGN(known_id, known->log->topic_id());
    TRY_ASSIGN(found_id, found->log->topic_id());
    // The id of a log that was never synced may be lost.
    const bool same_topic = known_id == found_id || known_id.is_zero() || found_id.is_zero();
    if (const auto now = options.topic_id_of(partition.topic); now && !same_topic)
      return settle_strangers(known, found, *now, report);
    if (known_generation == found_generation || !same_topic)
      return fail(ErrorKind::kInvalid, partition.to_string() + ": expected in one log directory, found in " +
                                           known->directory->path() + " and in " + found->directory->path() +
                                           "; remove the folder in the directory that has failed");
    keep_found = found_generation > known_generation;
  }
  const Handle& kept = keep_found ? found : known;
  const Handle& left = keep_found ? known : found;
  report.lines.push_back(left->log->folder() + ": left over from a move, " + kept->log->folder() +
                         " is the later one; removed");
  if (keep_found) shared.with([&](Shared& s) { (future ? s.future : s.current)[partition] = found; });
  const Status gone = discard(left, FolderKind::kDelete);
  if (gone || left == found) return gone;
  offline(*left->directory, gone.error().message);
  return {};
}

// The folders of two topics that bore one name: the topic was deleted and made again while a directory was
// away. Only that of the topic there is now stays; with none of them, the caller of load() judges the one
// that is left. (Kafka: LogManager.isStrayKraftReplica)
Status LogManager::State::settle_strangers(const Handle& known, const Handle& found, const Uuid& now,
                                           LoadReport& report) {
  TRY_ASSIGN(known_id, known->log->topic_id());
  TRY_ASSIGN(found_id, found->log->topic_id());
  const bool keep_found = found_id == now;
  const Handle& left = keep_found ? known : found;
  report.lines.push_back(left->log->folder() + ": of the topic with the id " +
                         (keep_found ? known_id : found_id).to_string() + ", " + left->name.topic +
                         (now.is_zero() ? " is deleted" : " has the id " + now.to_string() + " now") +
                         "; set aside as -stray");
  if (keep_found) shared.with([&](Shared& s) { s.current[found->name] = found; });
  const Status gone = discard(left, FolderKind::kStray);
  if (gone || left == found) return gone;
  offline(*left->directory, gone.error().message);
  return {};
}

// All directories were looked into, so no other folder of these partitions is left.
void LogManager::State::forget_moves() {
  if (!std::ranges::all_of(directories, [](const auto& d) { return d->online(); })) return;
  const auto [handles, odd] = shared.with([](Shared& s) {
    std::pair<std::vector<Handle>, std::vector<Handle>> found;
    for (const auto& [name, handle] : s.current) {
      if (handle->log->has_move_generation()) found.first.push_back(handle);
      const auto copy = s.future.find(name);
      if (copy == s.future.end() || copy->second->directory != handle->directory) continue;
      found.second.push_back(copy->second);
      s.future.erase(copy);  // on its way to where it is
    }
    return found;
  });
  for (const Handle& handle : handles)
    (void)world.fs.remove(handle->log->folder() + "/" + kMoveGenerationName);
  for (const Handle& handle : odd)
    if (const Status gone = discard(handle, FolderKind::kDelete); !gone)
      failed(*handle->directory, gone.error());
}

}  // namespace moldau::log
