// Who compacts: picks the dirtiest log that may be cleaned, runs rounds over it (clean_run.h), keeps
// cleaner-offset-checkpoint. (Kafka: LogCleaner, LogCleanerManager.)
//
//   worker: resting ──due──▶ picking ──a log is dirty enough──▶ cleaning ──done──▶ picking
//              ▲                │ none                             │ throttled
//              └────────────────┴──────────────────────────────────┘ (and goes on with the same log)
//
// Always holds: at most one worker cleans a log; nothing of a log is replaced before its directory's
// checkpoint has a line for it, so that recovery does not take the holes for a loss; the line is raised only
// when all of a round is durable. A log that cannot be read is set aside until the next start, the others go
// on.
//
// Threads: a worker is a job in env::Background that works for a moment and queues itself again, so that
// other work gets its turn. A log is touched only through its Exclusion, and for moments: the reading and
// writing is outside.
#pragma once

#include <memory>
#include <vector>

#include "log/clean_run.h"
#include "log/log_manager_state.h"

namespace moldau::log {

class Cleaner {
 public:
  explicit Cleaner(LogManager::State& state);

  // Queues the workers that are due. Any thread.
  void tick(env::Instant now);
  env::Instant next_tick() const;
  // Cleans on this thread until nothing is left that may be cleaned. Nobody else may be at it.
  void run_all();
  // Gives up what is half done; jobs that are still queued do nothing. REQUIRES: none is running.
  void stop();

 private:
  struct Worker {
    std::size_t number = 0;
    bool busy = false;  // queued or running; guarded by shared_
    env::Instant due{};
    LogManager::Handle handle;  // of the log being cleaned; the running job's alone
    std::unique_ptr<CleanRun> run;
    bool stumbled = false;   // its last step
    bool turn_over = false;  // others come first now
  };
  struct Shared {
    std::vector<std::unique_ptr<Worker>> workers;
    bool stopped = false;
    env::Instant paid_until{};  // the throttle: traffic so far is paid for then
  };
  enum class Next : std::uint8_t { kAgain, kBackOff, kThrottled };

  void work(Worker& worker);
  Next some_work(Worker& worker);
  bool pick(Worker& worker, const CleanerSettings& settings);
  bool begin(Worker& worker, const Cleanable& range, const CleanerSettings& settings);
  Status settle_start(const LogManager::Handle& handle);
  bool advance(Worker& worker);
  Status swap(Worker& worker);
  Status finish(Worker& worker);
  void stumble(Worker& worker, Error error);
  void give_up(Worker& worker);
  bool still_there(const Worker& worker) const;
  bool pay(std::uint64_t bytes, double bytes_per_second);

  LogManager::State& state_;
  const std::uint64_t seed_;
  mutable env::Serial<Shared> shared_;
};

}  // namespace moldau::log
