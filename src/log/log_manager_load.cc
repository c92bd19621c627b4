// Opening every partition of the log directories, by several threads.
#include <algorithm>
#include <atomic>
#include <limits>
#include <map>
#include <utility>

#include "log/log_manager_state.h"

namespace moldau::log {
namespace {

constexpr std::string_view kMetadataTopic = "__cluster_metadata";
constexpr std::size_t kHelpers = 3, kFoldersPerHelper = 16;
constexpr std::string_view kRemoteCache = "remote-log-index-cache";  // of tiered storage; not a partition

}  // namespace

Result<LoadReport> LogManager::load() {
  TRY(claim());
  LoadReport report;
  for (const auto& directory : state_->directories) {
    if (!directory->online()) continue;
    if (Status loaded = state_->load_directory(*directory, report); !loaded) {
      if (!is_disk_trouble(loaded.error()) && loaded.error().kind != ErrorKind::kCorrupt)
        return std::unexpected(std::move(loaded).error());
      state_->offline(*directory, loaded.error().message);
    }
  }
  state_->forget_moves();
  const env::Instant now = state_->world.clock.now();
  state_->shared.with([&](State::Shared& shared) {
    for (int chore = 0; chore < State::kChores; ++chore)
      shared.due[chore] =
          now + std::chrono::milliseconds(state_->interval_ms(static_cast<State::Chore>(chore)));
  });
  return report;
}

// Those who load the folders of one directory: the caller, and as many background threads as happen to be
// free. Each takes the next folder until none is left; the caller waits for those under way.
struct LogManager::State::Crew {
  LogDirectory& directory;
  std::vector<std::string> folders;
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> done{0};
  std::atomic<std::size_t> failed{
      std::numeric_limits<std::size_t>::max()};  // the first of those that could not
  struct Outcome {
    LoadReport report;
    std::vector<FlushWork> cuts;
    Status first_error;  // that of `failed`
  };
  env::Serial<Outcome> outcome;
};

Status LogManager::State::load_directory(LogDirectory& directory, LoadReport& report) {
  TRY(directory.load(options.boot_id, report.lines));
  TRY_ASSIGN(entries, world.fs.list(directory.path()));
  auto crew = std::make_shared<Crew>(directory);
  for (const env::DirEntry& entry : entries)
    if (entry.is_directory && entry.name != kRemoteCache) crew->folders.push_back(entry.name);
  // A helper that comes late finds nothing left, and must not look further: the manager may be gone by then.
  const std::size_t helpers = crew->folders.size() < kFoldersPerHelper ? 0 : kHelpers;
  for (std::size_t i = 0; i < helpers; ++i) {
    world.background.submit(reinterpret_cast<std::uintptr_t>(crew.get()) + i, [this, crew] {
      if (crew->next.load() < crew->folders.size()) load_folders(*crew);
    });
  }
  load_folders(*crew);
  for (std::size_t done; (done = crew->done.load()) < crew->folders.size();) crew->done.wait(done);
  return crew->outcome.with([&](Crew::Outcome& outcome) -> Status {
    report.logs += outcome.report.logs;
    report.logs_scanned += outcome.report.logs_scanned;
    report.bytes_scanned += outcome.report.bytes_scanned;
    report.bytes_dropped += outcome.report.bytes_dropped;
    std::ranges::sort(outcome.report.lines);  // who loaded what is chance
    report.lines.insert(report.lines.end(), outcome.report.lines.begin(), outcome.report.lines.end());
    TRY(outcome.first_error);
    return sync_cuts(directory, outcome.cuts);
  });
}

// Torn tails are rare, but a machine that went down may have left one in each of thousands of logs.
Status LogManager::State::sync_cuts(const LogDirectory& directory, const std::vector<FlushWork>& cuts) {
  if (cuts.size() >= kManyLogs && world.fs.sync_all(directory.path())) return {};
  for (const FlushWork& cut : cuts) cut.begin();
  for (const FlushWork& cut : cuts) TRY(cut.run(world.fs));
  return {};
}

void LogManager::State::load_folders(Crew& crew) {
  // Nobody changes settings meanwhile, and a topic's folders follow each other: it is resolved once for them.
  std::string topic;
  std::shared_ptr<const LogConfig> config;
  const auto config_of = [&](const std::string& name) {
    if (config == nullptr || name != topic) config = options.config_of(topic = name);
    return config;
  };
  for (std::size_t i; (i = crew.next.fetch_add(1)) < crew.folders.size();) {
    LoadReport report;
    FlushWork cuts;
    Status loaded;
    if (i < crew.failed.load())
      loaded = load_folder(crew.directory, crew.folders[i], config_of, report, cuts);
    crew.outcome.with([&](Crew::Outcome& outcome) {
      outcome.report.logs += report.logs;
      outcome.report.logs_scanned += report.logs_scanned;
      outcome.report.bytes_scanned += report.bytes_scanned;
      outcome.report.bytes_dropped += report.bytes_dropped;
      outcome.report.lines.insert(outcome.report.lines.end(), report.lines.begin(), report.lines.end());
      if (!cuts.empty()) outcome.cuts.push_back(std::move(cuts));
      if (loaded || i > crew.failed.load()) return;
      crew.failed.store(i);
      outcome.first_error = std::move(loaded);
    });
    crew.done.fetch_add(1);
    crew.done.notify_one();
  }
}

Status LogManager::State::load_folder(LogDirectory& directory, const std::string& folder,
                                      const ConfigOf& config_of, LoadReport& report, FlushWork& cuts) {
  const std::string path = directory.path() + "/" + folder;
  const auto name = parse_folder_name(folder);
  if (!name) {
    report.lines.push_back(path + ": not the folder of a partition; left alone");
    return {};
  }
  if (name->partition.topic == kMetadataTopic) return {};
  if (name->kind == FolderKind::kDelete) {
    shared.with([&](Shared& s) { s.removals.push_back({path, 0}); });
    return {};
  }
  if (name->kind == FolderKind::kStray) {
    report.lines.push_back(path + ": set aside earlier, belongs to no known topic; left alone");
    return {};
  }
  const TopicPartition& partition = name->partition;
  const auto point = directory.recovery_point(partition);
  OpenOptions open{.clean_shutdown = directory.was_clean(),
                   .recovery_point = point.value_or(Offset{0}),
                   .recovery_point_known = point.has_value(),
                   .checkpoints_whole = directory.checkpoints_whole(),
                   .compacted = directory.cleaned(partition),
                   .log_start = directory.log_start(partition).value_or(Offset{0}),
                   .now_ms = world.clock.wall_ms(),
                   .leave_cuts = true};
  open.recover_from = std::max(open.recovery_point, directory.written(partition).value_or(Offset{0}));
  TRY_ASSIGN(log, Log::open({&world.fs, files.get()}, path, config_of(partition.topic), open));
  cuts = log->take_cuts();
  (void)log->topic_id();  // everybody asks next, one log after the other; who asks then is told what is wrong

  if (log->recovery().bytes_dropped > 0) TRY(directory.lower_cleaned(partition, log->end_offset()));
  judge(*log, path, report);
  const Handle entry = make_entry(partition, directory, std::move(log), name->kind == FolderKind::kFuture);
  const Handle other = shared.with([&](Shared& s) -> Handle {
    auto& map = name->kind == FolderKind::kFuture ? s.future : s.current;
    const auto [place, fresh] = map.emplace(partition, entry);
    return fresh ? nullptr : place->second;
  });
  if (other == nullptr) return {};
  return settle_twins(other, entry, entry->future, report);
}

void LogManager::store_topic_ids(const TopicIds& ids) {
  std::map<LogDirectory*, TopicIds> by_directory;
  for (const auto& item : ids) by_directory[item.first->directory].push_back(item);
  for (const auto& [directory, here] : by_directory)
    if (const Status stored = state_->store_topic_ids(*directory, here); !stored)
      state_->failed(*directory, stored.error());
}

Status LogManager::State::store_topic_ids(LogDirectory& directory, const TopicIds& ids) {
  const auto store = [&](bool durable) -> Status {
    for (const auto& [handle, id] : ids) {
      Status stored;
      handle->with_log([&](Log& log) { stored = log.set_topic_id(id, durable); });
      TRY(stored);
    }
    return {};
  };
  if (ids.size() < kManyLogs) return store(true);
  TRY(store(false));
  return world.fs.sync_all(directory.path()) ? Status{} : store(true);
}

void LogManager::State::judge(Log& log, const std::string& folder, LoadReport& report) {
  const RecoveryReport& recovery = log.recovery();
  ++report.logs;
  report.logs_scanned += recovery.scanned;
  report.bytes_scanned += recovery.bytes_scanned;
  report.bytes_dropped += recovery.bytes_dropped;
  if (!recovery.why.empty())
    report.lines.push_back(folder + ": dropped " + std::to_string(recovery.bytes_dropped) + " bytes and " +
                           std::to_string(recovery.segments_dropped) + " whole segments; ends at offset " +
                           std::to_string(recovery.end_offset.value) + " now: " + recovery.why);
  const std::vector<std::string> notes = log.take_notes();
  report.lines.insert(report.lines.end(), notes.begin(), notes.end());
}

}  // namespace moldau::log
