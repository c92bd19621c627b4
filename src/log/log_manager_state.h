// The inside of LogManager, for its three files: log_manager.cc (what callers ask for), log_manager_load.cc
// (what a start does) and log_chores.cc (what is done now and then).
#pragma once

#include <atomic>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "env/serial.h"
#include "log/log_directory.h"
#include "log/log_manager.h"

namespace moldau::log {

class Cleaner;

// What makes a directory unusable for now, as opposed to a mistake that a person must mend.
inline bool is_disk_trouble(const Error& error) {
  return error.kind == ErrorKind::kIo || error.kind == ErrorKind::kNotFound ||
         error.kind == ErrorKind::kNoSpace;
}

inline constexpr std::size_t kManyLogs = 8;  // to sync: one wait for all of them is cheaper

struct LogManager::Entry {
  TopicPartition name;
  LogDirectory* directory = nullptr;
  std::shared_ptr<FileCache> files;  // outlives the log
  std::unique_ptr<Log> log;
  std::atomic<bool> gone{false};
  std::atomic<bool> future{false};               // a copy that is being made
  std::atomic<std::int64_t> high_watermark{-1};  // -1: the log's end
  std::atomic<bool> flushes_by_time{false};      // flush.ms is set, as last seen
  std::atomic<bool> cleaning{false};             // a round of compaction is under way
  std::atomic<bool> uncleanable{false};          // compaction has met something that it cannot read
  env::Serial<std::shared_ptr<Exclusion>> exclusion;

  struct Flushes {  // asked for and not begun
    bool queued = false;
    bool include_active = false;
    std::vector<std::move_only_function<void(Status)>> waiting;
  };
  env::Serial<Flushes> flushes;

  // What retention and compaction may not pass.
  Offset replicated() const {
    const std::int64_t mark = high_watermark.load(std::memory_order_relaxed);
    return Offset{mark >= 0 ? mark : std::numeric_limits<std::int64_t>::max()};
  }

  // Runs work(log) while nobody else touches the log; not at all if the log is gone.
  template <typename Work>
  void with_log(Work work) {
    const auto guard = exclusion.with([](auto& e) { return e; });
    const auto guarded = [&] {
      if (!gone.load(std::memory_order_acquire)) work(*log);
    };
    if (guard)
      guard->run(guarded);
    else
      guarded();
  }
};

struct LogManager::State {
  State(const LogWorld& w, LogManagerOptions o);
  ~State();

  // Chores, in the order in which they run when several are due.
  enum Chore { kFlush, kRecoveryPoints, kLogStarts, kRetention, kExpiry, kRemoval, kChores };

  struct Shared {
    std::map<TopicPartition, Handle> current, future;
    std::map<TopicPartition, std::string> preferred;  // directories of logs to be made
    std::vector<Removal> removals;
    std::vector<std::function<void(const DirectoryStatus&, std::vector<TopicPartition>)>> listeners;
    env::Instant due[kChores]{};
    bool busy[kChores]{};  // queued or running
    std::uint64_t flush_checks = 0;
    bool closed = false;
  };

  using ConfigOf = decltype(LogManagerOptions::config_of);

  Status choose_identity();
  // log_manager_load.cc
  struct Crew;
  Status load_directory(LogDirectory& directory, LoadReport& report);
  void load_folders(Crew& crew);
  Status load_folder(LogDirectory& directory, const std::string& folder, const ConfigOf& config_of,
                     LoadReport& report, FlushWork& cuts);
  Status sync_cuts(const LogDirectory& directory, const std::vector<FlushWork>& cuts);
  void judge(Log& log, const std::string& folder, LoadReport& report);
  Status store_topic_ids(LogDirectory& directory, const TopicIds& ids);

  LogDirectory* find_directory(const Uuid& id) const;
  LogDirectory* emptiest_directory();
  DirectoryStatus status_of(const LogDirectory& directory) const;
  void offline(LogDirectory& directory, const std::string& why);
  Handle make_entry(const TopicPartition& partition, LogDirectory& directory, std::unique_ptr<Log> log,
                    bool future) const;
  Status take_out(const TopicPartition& partition, FolderKind kind);
  std::vector<Handle> in(const LogDirectory& directory);
  void failed(LogDirectory& directory, const Error& error);

  // log_manager_future.cc
  LogDirectory* directory_at(const std::string& path) const;
  LogDirectory* preferred_directory(const TopicPartition& partition);
  Promotion put_in_place(const Handle& current, const Handle& future);
  Status fence(const Log& current);
  Status settle_twins(const Handle& known, const Handle& found, bool future, LoadReport& report);
  Status settle_strangers(const Handle& known, const Handle& found, const Uuid& now, LoadReport& report);
  Status discard(const Handle& handle, FolderKind kind);
  void forget_moves();

  // log_chores.cc
  std::int64_t interval_ms(Chore chore) const;
  void run_chore(Chore chore);
  void flush_by_time();
  Status write_recovery_points(LogDirectory& directory, bool flush_large);
  Status flush_together(LogDirectory& directory, const std::vector<Handle>& handles);
  Status close_logs(LogDirectory& directory);
  Status write_log_starts(LogDirectory& directory);
  void retain(LogDirectory& directory);
  bool retain(const Handle& handle);
  void retain_compacted();
  bool is_moving(const TopicPartition& partition);
  void expire();
  void remove_due();
  void collect_removals(Log& log);
  Status flush(const Handle& handle, bool include_active);
  void run_flushes(const Handle& handle);

  const LogWorld world;
  LogManagerOptions options;
  std::shared_ptr<FileCache> files;
  std::vector<std::unique_ptr<LogDirectory>> directories;
  std::string cluster_id;
  BrokerId node_id{1};
  env::Serial<Shared> shared;
  std::unique_ptr<Cleaner> cleaner;
};

}  // namespace moldau::log
