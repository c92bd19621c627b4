// One log directory of the manager: its lock, its meta.properties, its checkpoint files. Knows no Log.
//
//   open ──▶ online ──fail──▶ offline            offline is for good: until the next start nothing is written
//   there
//
// The facts (path, id, was_clean) are fixed once opened; checkpoints and state may be used from any thread.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "env/clock.h"
#include "env/filesystem.h"
#include "env/random.h"
#include "env/serial.h"
#include "log/checkpoint.h"
#include "log/meta_properties.h"

namespace moldau::log {

class LogDirectory {
 public:
  LogDirectory(env::FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}

  // Makes and locks it, reads meta.properties. Errors of kind kIo and kNotFound: it is to go offline.
  Status open();
  // Whether it is ours, and its id from now on; writes nothing. kInvalid: it is another cluster's or node's.
  Status claim(const std::string& cluster_id, BrokerId node_id, env::Random& random);
  // Writes meta.properties if anything differs from what is there.
  Status store_claim();

  // Reads and removes the clean-shutdown marker, reads the checkpoints. What is unreadable is told in `lines`
  // and taken as empty.
  Status load(const std::string& boot_id, std::vector<std::string>& lines);

  const std::string& path() const { return path_; }
  const std::optional<MetaProperties>& meta() const { return meta_; }
  Uuid id() const { return id_; }
  bool was_clean() const { return was_clean_; }
  bool checkpoints_whole() const { return checkpoints_whole_; }  // none was missing or unreadable at load()
  bool online() const { return online_.load(std::memory_order_acquire); }
  std::string why_offline() const;
  // Returns false if it was offline already.
  bool fail(std::string why);
  // Whether its being full is worth a line of the log: once a minute.
  bool may_tell_full(env::Instant now);

  // As last read or written.
  std::optional<Offset> recovery_point(const TopicPartition& partition) const;
  std::optional<Offset> log_start(const TopicPartition& partition) const;
  std::optional<Offset> high_watermark(const TopicPartition& partition) const;
  bool cleaned(const TopicPartition& partition) const;                      // compaction has a line for it
  std::optional<Offset> cleaned_to(const TopicPartition& partition) const;  // what that line says
  std::optional<Offset> written(
      const TopicPartition& partition) const;  // nothing if the machine restarted since

  // Each writes its file if anything differs from what is there.
  Status store_recovery_points(OffsetMap points);
  Status store_log_starts(OffsetMap starts);
  Status store_high_watermarks(OffsetMap offsets);
  Status store_written(OffsetMap offsets);
  // On disk, the recovery point shall not be above `end`, nor the start above `start` (a truncation, a name
  // used again).
  Status lower(const TopicPartition& partition, std::optional<Offset> end, std::optional<Offset> start);

  // On disk, now: how far the log is synced and where it starts, and that compaction has been there (its own
  // mark, where the cleaner goes on).
  Status settle(const TopicPartition& partition, Offset recovery_point, std::optional<Offset> start);
  Status settle_cleaned(const TopicPartition& partition, Offset cleaned);
  Status forget_cleaned(const TopicPartition& partition);
  // The log is cut: its mark shall not be above `end`.
  Status lower_cleaned(const TopicPartition& partition, Offset end);

  Status mark_clean(std::int64_t broker_epoch);
  void unlock() { lock_.reset(); }

 private:
  struct Checkpoints {
    OffsetMap recovery_points, log_starts, high_watermarks, cleaned, written;
  };
  std::string file(const char* name) const { return path_ + "/" + name; }
  Status write_written(const OffsetMap& offsets);
  OffsetMap read(const char* name, std::vector<std::string>& lines);
  template <typename Change>
  Status change_cleaned(Change change);
  Status store(OffsetMap Checkpoints::* which, const char* name, OffsetMap&& offsets);
  std::optional<Offset> get(OffsetMap Checkpoints::* which, const TopicPartition& partition) const;

  env::FileSystem& fs_;
  const std::string path_;
  std::unique_ptr<env::FileLock> lock_;
  std::optional<MetaProperties> meta_, claimed_;  // as it is there, as it shall be
  Uuid id_;
  bool was_clean_ = false;
  bool checkpoints_whole_ = true;
  std::string boot_id_;
  std::atomic<bool> online_{true};
  std::atomic<env::Instant> tell_full_from_{env::Instant{}};
  mutable env::Serial<std::string> why_offline_;
  mutable env::Serial<Checkpoints> checkpoints_;
};

}  // namespace moldau::log
