// All logs of a broker, in its log directories (log.dirs, JBOD).
//
// A directory holds partition folders and files of its own:
//
//   .lock                              held while a process uses the directory
//   .kafka_cleanshutdown               there between a clean stop and the next start
//   meta.properties                    whose it is (meta_properties.h)
//   recovery-point-offset-checkpoint   below which everything is synced, per partition
//   log-start-offset-checkpoint        where DeleteRecords has moved the start above the first segment's
//   replication-offset-checkpoint      high watermarks; kept by src/replica through
//   checkpoint_high_watermarks() cleaner-offset-checkpoint          below which a log is compacted
//   (cleaner.h) written-offset-checkpoint          ours: how far each log was written when the machine's boot
//   id was this
//                                      one, so a kill without a power loss reads almost nothing at the next
//                                      start
//
// `__cluster_metadata-0` is left to src/quorum. A directory that fails goes offline; the others serve.
//
// Threads: create(), remove(), find(), tick() and the rest may be called from any thread; slow work runs in
// env::Background, one job at a time per directory. A Log itself belongs to its owner: whoever takes one out
// installs an Exclusion, and the manager then touches that log only through it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/uuid.h"
#include "env/clock.h"
#include "env/event_log.h"
#include "env/filesystem.h"
#include "env/loop.h"
#include "env/random.h"
#include "log/log.h"
#include "log/log_config.h"
#include "log/meta_properties.h"
#include "log/partition_name.h"

namespace moldau::log {

// How the manager gets at a log that somebody else uses. run() calls `work` while nobody else touches the log
// and returns when that is done (env::Serial::with): it is called from background threads, never from within
// the log's own exclusion.
class Exclusion {
 public:
  virtual ~Exclusion() = default;
  virtual void run(const std::function<void()>& work) = 0;
};

// What the shell hands in; all outlive the manager.
struct LogWorld {
  env::FileSystem& fs;
  env::Clock& clock;
  env::Random& random;
  env::Background& background;
  env::EventLog& events;
};

// How much compaction may take, for all logs together.
struct CleanerSettings {
  bool enabled = true;                                   // log.cleaner.enable
  std::int32_t threads = 1;                              // log.cleaner.threads: logs cleaned at once
  std::uint64_t dedupe_buffer_bytes = 128u << 20;        // log.cleaner.dedupe.buffer.size
  double load_factor = 0.9;                              // log.cleaner.io.buffer.load.factor
  std::uint64_t io_buffer_bytes = 512u << 10;            // log.cleaner.io.buffer.size
  double max_bytes_per_second = 1.7976931348623157E308;  // log.cleaner.io.max.bytes.per.second
  std::int64_t backoff_ms = 15'000;                      // log.cleaner.backoff.ms
};

struct LogManagerOptions {
  std::vector<std::string> directories;   // log.dirs
  std::optional<std::string> cluster_id;  // expected; taken from the directories, or made, when absent
  std::optional<BrokerId> node_id;        // likewise (1 when nothing says otherwise)
  // The configuration of a topic. Called from any thread.
  std::function<std::shared_ptr<const LogConfig>(const std::string& topic)> config_of;
  // What the metadata say, asked at load(): the id of a topic, zero where there is no such topic; nothing
  // where there are no metadata yet.
  std::function<std::optional<Uuid>(const std::string& topic)> topic_id_of = [](const std::string&) {
    return std::nullopt;
  };
  std::string boot_id;  // of the machine; empty: unknown
  std::uint32_t max_open_files = 2000;
  std::int64_t flush_check_ms = 1000;                // how often flush.ms is looked at
  std::int64_t recovery_checkpoint_ms = 60'000;      // log.flush.offset.checkpoint.interval.ms
  std::int64_t start_offset_checkpoint_ms = 60'000;  // log.flush.start.offset.checkpoint.interval.ms
  std::int64_t retention_check_ms = 300'000;         // log.retention.check.interval.ms
  std::int64_t producer_expiry_check_ms = 600'000;   // producer.id.expiration.check.interval.ms
  // Logs with more than this many bytes behind their recovery point are synced in the background at each
  // recovery checkpoint, so a start after a power loss stays short. 0: never.
  std::uint64_t background_flush_bytes = 16u << 20;
  // As they are now. Called from any thread.
  std::function<CleanerSettings()> cleaner_settings = [] { return CleanerSettings{}; };
};

struct DirectoryStatus {
  std::string path;
  Uuid id;  // directory.id
  bool online = true;
  std::string why_offline;
  bool was_clean = false;  // had `.kafka_cleanshutdown` at this start
};

// What loading found, for the start-up's words.
struct LoadReport {
  std::uint32_t logs = 0;
  std::uint32_t logs_scanned = 0;  // had batches checked
  std::uint64_t bytes_scanned = 0;
  std::uint64_t bytes_dropped = 0;
  std::vector<std::string> lines;  // one per log that lost something or was odd
};

class LogManager {
 public:
  // Creates missing directories, locks them, checks meta.properties against the options (another cluster,
  // another node, a newer version: kInvalid or kUnsupported, naming file, expected, found). No file of a
  // directory is changed yet. A directory that cannot be used is offline; with none left, its error.
  static Result<std::unique_ptr<LogManager>> open(const LogWorld& world, LogManagerOptions options);
  ~LogManager();

  // Completes or writes meta.properties: from here on the directories are ours.
  Status claim();
  // Opens every partition, after a claim() if there was none. Once, before anything below. Runs on this
  // thread.
  Result<LoadReport> load();

  const std::string& cluster_id() const;
  BrokerId node_id() const;
  std::vector<DirectoryStatus> directories() const;

  // A log and what the manager knows about it. Valid while the pointer is held; after remove() or a
  // directory's failure the log is `gone` and must not be used any more.
  struct Entry;
  using Handle = std::shared_ptr<Entry>;

  Handle find(const TopicPartition& partition) const;  // nullptr if there is none
  Handle find_future(const TopicPartition& partition) const;
  std::vector<Handle> all() const;  // current ones, in order of their names

  static Log& log(const Handle& handle);
  static const TopicPartition& partition(const Handle& handle);
  static const std::string& directory(const Handle& handle);  // path of the log directory
  static bool gone(const Handle& handle);
  // From now on the manager asks `exclusion` before it touches the log; nullptr: nobody else uses it.
  static void set_exclusion(const Handle& handle, std::shared_ptr<Exclusion> exclusion);
  // What retention may not pass; the owner keeps it up to date (any thread). Until then: the log's end.
  static void set_high_watermark(const Handle& handle, Offset high_watermark);

  // Makes a log, in `directory` or the online directory with the fewest. kBusy if it exists.
  Result<Handle> create(const TopicPartition& partition, const Uuid& topic_id,
                        const std::optional<Uuid>& directory = std::nullopt);
  // Takes the log out and renames its folder; its files are removed after file.delete.delay.ms. kNotFound.
  Status remove(const TopicPartition& partition);
  // Writes partition.metadata of logs that have none. Waits for the disk a few times, however many they are.
  // A directory that cannot take them goes offline, or is full and stays without.
  using TopicIds = std::vector<std::pair<Handle, Uuid>>;
  void store_topic_ids(const TopicIds& ids);
  // Sets a folder of no known topic aside as `-stray`.
  Status set_aside(const TopicPartition& partition);

  // --- moving to another log directory (log_manager_future.cc; the copying is src/replica's) ---------------

  std::vector<Handle> futures() const;
  struct Facts {
    Offset end;
    std::uint64_t size_bytes = 0;
  };
  static std::optional<Facts> facts(const Handle& handle);  // nothing if it is gone
  // A copy to be filled, in `directory`, which works; its first record will be at or above `base`. Producers
  // that the current log knew at `base` are known to it. kBusy if there is one already.
  Result<Handle> create_future(const Handle& current, const std::string& directory, const Uuid& topic_id,
                               Offset base);
  // Gives the copy up: its folder is renamed, and removed soon (kDelete) or kept for a person (kStray).
  // kNotFound.
  Status remove_future(const TopicPartition& partition, FolderKind kind = FolderKind::kDelete);
  // The copy has holes between its offsets, as the log it is made of: recovery must not take them for a loss.
  Status allow_holes(const Handle& future, const Handle& current);
  std::int64_t now_ms() const;  // wall clock, for appends
  env::Instant now() const;     // for those who wait
  // Syncs the log on this thread.
  Status flush(const Handle& handle);
  // Brings the copy's checkpoints to the disk, so that promote() has little left to do.
  Status settle_future(const Handle& future);
  // The copy takes the place of the current log, which is `gone` then, and removed after
  // file.delete.delay.ms. REQUIRES: the caller is the owner of both logs, which hold the same records. What
  // has gone wrong with a directory is for the caller to tell, to disk_failed(), once he has let go of the
  // logs; without `done`, and with trouble of its own, the current log must not be used any more.
  struct Promotion {
    bool done = false;
    std::optional<Error> future_trouble{}, current_trouble{};
  };
  Promotion promote(const Handle& current, const Handle& future);
  // Where the next create() puts this partition, whatever it is told (Kafka's preferredLogDirs).
  void prefer(const TopicPartition& partition, const std::string& directory);

  // Log::truncate_to and friends with the recovery points written behind them. Runs under no exclusion: call
  // it as the log's owner.
  Status truncate(const Handle& handle, Offset offset);
  Status truncate_fully(const Handle& handle, Offset offset, std::optional<Offset> start = std::nullopt);

  // Syncs what is due (Log::prepare_flush) in the background and calls `done` there. Owners call it after an
  // append that says flush_due or rolled.
  void flush_in_background(const Handle& handle, bool include_active,
                           std::move_only_function<void(Status)> done = {});

  // The disk of this log answered with `error`: anything but kNoSpace takes the directory offline.
  void disk_failed(const Handle& handle, const Error& error);
  // Called once for each directory that goes offline, from the thread that found out.
  void on_offline(std::function<void(const DirectoryStatus&, std::vector<TopicPartition> lost)> listener);

  // Starts what is due: flushes, checkpoints, retention, expiry, removals. Cheap; call it every second or so.
  void tick();
  env::Instant next_tick() const;
  // The same work at once, on this thread (tests, tools).
  void run_retention();
  void run_cleaner();
  Status write_checkpoints();

  // replication-offset-checkpoint of all directories: read at load, written as told.
  std::optional<Offset> checkpointed_high_watermark(const TopicPartition& partition) const;
  Status checkpoint_high_watermarks(const std::function<std::optional<Offset>(const TopicPartition&)>& of);

  // Flushes and closes everything, writes the checkpoints and the clean-shutdown marker (with `broker_epoch`,
  // or -1), unlocks. REQUIRES: the owners have let go of their logs.
  Status close(std::int64_t broker_epoch = -1);

 private:
  friend class Cleaner;
  struct State;
  explicit LogManager(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace moldau::log
