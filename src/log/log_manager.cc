#include "log/log_manager.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "log/cleaner.h"
#include "log/log_manager_state.h"

namespace moldau::log {
namespace {

constexpr std::string_view kLogger = "kafka.log.LogManager";

}  // namespace

// ---- opening
// ----------------------------------------------------------------------------------------------------------

LogManager::State::State(const LogWorld& w, LogManagerOptions o)
    : world(w),
      options(std::move(o)),
      files(std::make_shared<FileCache>(w.fs, options.max_open_files)),
      cleaner(std::make_unique<Cleaner>(*this)) {}
LogManager::State::~State() = default;

LogManager::LogManager(std::unique_ptr<State> state) : state_(std::move(state)) {}
LogManager::~LogManager() = default;

Result<std::unique_ptr<LogManager>> LogManager::open(const LogWorld& world, LogManagerOptions options) {
  auto state = std::make_unique<State>(world, std::move(options));
  if (state->options.directories.empty())
    return fail(ErrorKind::kInvalid, "log.dirs: expected at least one directory, found none");
  std::vector<std::string> seen;
  std::vector<std::pair<LogDirectory*, Error>> troubles;
  for (const std::string& path : state->options.directories) {
    if (std::ranges::find(seen, path) != seen.end())
      return fail(ErrorKind::kInvalid, "log.dirs: expected different directories, found " + path + " twice");
    seen.push_back(path);
    auto& directory = state->directories.emplace_back(std::make_unique<LogDirectory>(world.fs, path));
    if (Status opened = directory->open(); !opened) {
      if (!is_disk_trouble(opened.error())) return std::unexpected(std::move(opened).error());
      troubles.emplace_back(directory.get(), std::move(opened).error());
    }
  }
  if (troubles.size() == state->directories.size()) return std::unexpected(troubles.front().second);
  for (const auto& [directory, error] : troubles) state->offline(*directory, error.message);
  TRY(state->choose_identity());
  return std::unique_ptr<LogManager>(new LogManager(std::move(state)));
}

// Whose directories these are: as told, or as the directories say, or new.
Status LogManager::State::choose_identity() {
  std::optional<std::string> cluster = options.cluster_id;
  std::optional<BrokerId> node = options.node_id;
  for (const auto& directory : directories) {
    const auto& meta = directory->meta();
    if (!directory->online() || !meta) continue;
    if (!cluster) cluster = meta->cluster_id;
    if (!node) node = meta->node_id;
  }
  cluster_id = cluster ? *cluster : world.random.uuid().to_string();
  node_id = node.value_or(BrokerId{1});
  std::vector<Uuid> ids;
  for (const auto& directory : directories) {
    if (!directory->online()) continue;
    TRY(directory->claim(cluster_id, node_id, world.random));
    if (std::ranges::find(ids, directory->id()) != ids.end())
      return fail(ErrorKind::kInvalid,
                  directory->path() + "/" + kMetaPropertiesName +
                      ": directory.id: expected one of its own, found that of another directory: " +
                      directory->id().to_string());
    ids.push_back(directory->id());
  }
  return {};
}

Status LogManager::claim() {
  for (const auto& directory : state_->directories) {
    if (!directory->online()) continue;
    const Status claimed = directory->store_claim();
    if (!claimed && !is_disk_trouble(claimed.error())) return claimed;
    if (!claimed) state_->offline(*directory, claimed.error().message);
  }
  return {};
}

// ---- facts
// ------------------------------------------------------------------------------------------------------------

const std::string& LogManager::cluster_id() const { return state_->cluster_id; }
BrokerId LogManager::node_id() const { return state_->node_id; }

DirectoryStatus LogManager::State::status_of(const LogDirectory& directory) const {
  return {.path = directory.path(),
          .id = directory.id(),
          .online = directory.online(),
          .why_offline = directory.why_offline(),
          .was_clean = directory.was_clean()};
}

std::vector<DirectoryStatus> LogManager::directories() const {
  std::vector<DirectoryStatus> all;
  for (const auto& directory : state_->directories) all.push_back(state_->status_of(*directory));
  return all;
}

namespace {

template <typename Map>
LogManager::Handle look_up(const Map& map, const TopicPartition& partition) {
  const auto found = map.find(partition);
  return found == map.end() ? nullptr : found->second;
}

}  // namespace

LogManager::Handle LogManager::find(const TopicPartition& partition) const {
  return state_->shared.with([&](State::Shared& s) { return look_up(s.current, partition); });
}

LogManager::Handle LogManager::find_future(const TopicPartition& partition) const {
  return state_->shared.with([&](State::Shared& s) { return look_up(s.future, partition); });
}

std::vector<LogManager::Handle> LogManager::all() const {
  return state_->shared.with([](State::Shared& s) {
    std::vector<Handle> handles;
    handles.reserve(s.current.size());
    for (const auto& item : s.current) handles.push_back(item.second);
    return handles;
  });
}

std::vector<LogManager::Handle> LogManager::State::in(const LogDirectory& directory) {
  return shared.with([&](Shared& s) {
    std::vector<Handle> handles;
    for (const auto* map : {&s.current, &s.future})
      for (const auto& item : *map)
        if (item.second->directory == &directory) handles.push_back(item.second);
    return handles;
  });
}

Log& LogManager::log(const Handle& handle) { return *handle->log; }
const TopicPartition& LogManager::partition(const Handle& handle) { return handle->name; }
const std::string& LogManager::directory(const Handle& handle) { return handle->directory->path(); }
bool LogManager::gone(const Handle& handle) { return handle->gone.load(std::memory_order_acquire); }

void LogManager::set_exclusion(const Handle& handle, std::shared_ptr<Exclusion> exclusion) {
  handle->exclusion.with([&](auto& kept) { kept.swap(exclusion); });
}

void LogManager::set_high_watermark(const Handle& handle, Offset high_watermark) {
  handle->high_watermark.store(high_watermark.value, std::memory_order_relaxed);
}

// ---- making and removing
// ------------------------------------------------------------------------------------------------

LogDirectory* LogManager::State::find_directory(const Uuid& id) const {
  for (const auto& directory : directories)
    if (directory->online() && directory->id() == id) return directory.get();
  return nullptr;
}

LogDirectory* LogManager::State::emptiest_directory() {
  LogDirectory* best = nullptr;
  std::size_t fewest = 0;
  for (const auto& directory : directories) {
    if (!directory->online()) continue;
    const std::size_t count = directories.size() == 1 ? 0 : in(*directory).size();
    if (best == nullptr || count < fewest) best = directory.get(), fewest = count;
  }
  return best;
}

Result<LogManager::Handle> LogManager::create(const TopicPartition& partition, const Uuid& topic_id,
                                              const std::optional<Uuid>& directory_id) {
  State& s = *state_;
  if (find(partition) != nullptr)
    return fail(ErrorKind::kBusy, partition.to_string() + ": expected no such log yet, found one");
  LogDirectory* directory = s.preferred_directory(partition);
  if (directory == nullptr && directory_id) directory = s.find_directory(*directory_id);
  if (directory == nullptr) directory = s.emptiest_directory();
  if (directory == nullptr)
    return fail(ErrorKind::kIo, partition.to_string() + ": all log directories are offline");
  // An earlier log of this name may have left its recovery point behind.
  TRY(directory->lower(partition, std::nullopt, std::nullopt));
  const std::string folder = directory->path() + "/" + folder_name(partition, FolderKind::kCurrent);
  const bool was_there = s.world.fs.exists(folder);
  auto made = Log::create({&s.world.fs, s.files.get()}, folder, s.options.config_of(partition.topic),
                          topic_id, s.world.clock.wall_ms());
  if (!made) {
    // Half a folder must not stay: the next try may choose another directory, and two are refused at a start.
    if (!was_there) (void)s.world.fs.remove_all(folder);
    s.failed(*directory, made.error());
    return std::unexpected(std::move(made).error());
  }
  const Handle entry = s.make_entry(partition, *directory, std::move(*made), false);
  const bool fresh =
      s.shared.with([&](State::Shared& shared) { return shared.current.emplace(partition, entry).second; });
  if (!fresh) return fail(ErrorKind::kBusy, partition.to_string() + ": made twice at once");
  return entry;
}

LogManager::Handle LogManager::State::make_entry(const TopicPartition& partition, LogDirectory& directory,
                                                 std::unique_ptr<Log> log, bool future) const {
  auto entry = std::make_shared<Entry>();
  entry->name = partition;
  entry->directory = &directory;
  entry->future = future;
  entry->files = files;
  entry->flushes_by_time = log->config().flush_ms != kNever;
  entry->log = std::move(log);
  return entry;
}

Status LogManager::remove(const TopicPartition& partition) {
  return state_->take_out(partition, FolderKind::kDelete);
}
Status LogManager::set_aside(const TopicPartition& partition) {
  return state_->take_out(partition, FolderKind::kStray);
}

Status LogManager::State::take_out(const TopicPartition& partition, FolderKind kind) {
  const Handle handle = shared.with([&](Shared& s) -> Handle {
    const auto found = s.current.extract(partition);
    return found.empty() ? nullptr : found.mapped();
  });
  if (handle == nullptr) return fail(ErrorKind::kNotFound, partition.to_string() + ": no such log here");
  LogDirectory& directory = *handle->directory;
  Status renamed;
  std::int64_t delay_ms = 0;
  const std::string to = directory.path() + "/" + folder_name(partition, kind, world.random.uuid());
  handle->with_log([&](Log& log) {
    renamed = world.fs.rename(log.folder(), to);
    delay_ms = log.config().file_delete_delay_ms;
    if (renamed) log.moved_to(to);
    handle->gone.store(true, std::memory_order_release);
  });
  if (!renamed) {
    failed(directory, renamed.error());
    return renamed;
  }
  if (const Status forgotten = directory.forget_cleaned(partition); !forgotten)
    failed(directory, forgotten.error());
  if (kind == FolderKind::kDelete)
    shared.with([&](Shared& s) { s.removals.push_back({to, world.clock.wall_ms() + delay_ms}); });
  return {};
}

// ---- trouble
// ------------------------------------------------------------------------------------------------------------

void LogManager::disk_failed(const Handle& handle, const Error& error) {
  state_->failed(*handle->directory, error);
}

void LogManager::State::failed(LogDirectory& directory, const Error& error) {
  if (error.kind != ErrorKind::kNoSpace) return offline(directory, error.message);
  // There may be room again. Until then every write fails: a line now and then is enough.
  if (!directory.may_tell_full(world.clock.now())) return;
  world.events.write(
      env::Level::kWarn, kLogger,
      "No room in dir " + directory.path() + ", writes are refused until there is some: " + error.message);
}

void LogManager::State::offline(LogDirectory& directory, const std::string& why) {
  if (!directory.fail(why)) return;
  world.events.write(env::Level::kError, kLogger,
                     "Stopping serving logs in dir " + directory.path() + ": " + why);
  std::vector<TopicPartition> lost;
  for (const Handle& handle : in(directory)) {
    handle->gone.store(true, std::memory_order_release);
    if (!handle->future.load(std::memory_order_relaxed)) lost.push_back(handle->name);
  }
  const auto listeners = shared.with([&](Shared& s) {
    const auto here = [&](const auto& item) { return item.second->directory == &directory; };
    std::erase_if(s.current, here);
    std::erase_if(s.future, here);
    return s.listeners;
  });
  directory.unlock();
  for (const auto& listener : listeners) listener(status_of(directory), lost);
}

void LogManager::on_offline(
    std::function<void(const DirectoryStatus&, std::vector<TopicPartition>)> listener) {
  state_->shared.with([&](State::Shared& s) { s.listeners.push_back(std::move(listener)); });
}

// ---- cutting
// --------------------------------------------------------------------------------------------------------------

// The recovery point on disk comes down before anything new is written above it: else a power loss could
// leave unchecked bytes below it.
Status LogManager::truncate(const Handle& handle, Offset offset) {
  TRY(handle->log->truncate_to(offset));
  TRY(handle->directory->lower_cleaned(handle->name, handle->log->end_offset()));
  return handle->directory->lower(handle->name, handle->log->recovery_point(), handle->log->start_offset());
}

Status LogManager::truncate_fully(const Handle& handle, Offset offset, std::optional<Offset> start) {
  TRY(handle->log->truncate_fully_and_start_at(offset, start));
  TRY(handle->directory->lower_cleaned(handle->name, handle->log->end_offset()));
  return handle->directory->lower(handle->name, handle->log->recovery_point(), handle->log->start_offset());
}

// ---- high watermarks
// ------------------------------------------------------------------------------------------------------

std::optional<Offset> LogManager::checkpointed_high_watermark(const TopicPartition& partition) const {
  const Handle handle = find(partition);
  return handle ? handle->directory->high_watermark(partition) : std::nullopt;
}

Status LogManager::checkpoint_high_watermarks(
    const std::function<std::optional<Offset>(const TopicPartition&)>& of) {
  for (const auto& directory : state_->directories) {
    if (!directory->online()) continue;
    OffsetMap offsets;
    const std::vector<Handle> handles = state_->in(*directory);
    offsets.reserve(handles.size());
    for (const Handle& handle : handles)
      if (const auto offset = of(handle->name)) offsets[handle->name] = *offset;
    if (Status stored = directory->store_high_watermarks(std::move(offsets)); !stored) {
      state_->failed(*directory, stored.error());
      return stored;
    }
  }
  return {};
}

// ---- the end
// --------------------------------------------------------------------------------------------------------------

Status LogManager::close(std::int64_t broker_epoch) {
  State& s = *state_;
  s.cleaner->stop();
  Status first_error;
  for (const auto& directory : s.directories) {
    if (!directory->online()) continue;
    const auto close_all = [&]() -> Status {
      TRY(s.close_logs(*directory));
      TRY(s.write_recovery_points(*directory, false));
      TRY(s.write_log_starts(*directory));
      return directory->mark_clean(broker_epoch);
    };
    if (Status closed = close_all(); !closed) {
      s.world.events.write(env::Level::kError, kLogger,
                           directory->path() + ": not closed cleanly: " + closed.error().message);
      if (first_error) first_error = closed;
    }
    for (const Handle& handle : s.in(*directory)) handle->gone.store(true, std::memory_order_release);
    directory->unlock();
  }
  s.shared.with([](State::Shared& shared) {
    shared.current.clear();
    shared.future.clear();
    shared.closed = true;
  });
  return first_error;
}

}  // namespace moldau::log
