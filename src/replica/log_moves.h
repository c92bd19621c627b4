// The moves of partitions between log directories that are under way: begun by AlterReplicaLogDirs, gone on
// with after a start, ended with the partition. Any thread; begin, resume and end from one at a time (the one
// that follows the metadata).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "replica/log_mover.h"
#include "wire/errors.h"

namespace moldau::replica {

class LogMoves {
 public:
  explicit LogMoves(LogMover::World world) : world_(std::move(world)) {}

  // AlterReplicaLogDirs for a partition that is here (`partition`), or not (nullptr): it is made in that
  // directory then, once it is. Another directory than that of a move under way ends that move; the present
  // one ends it and is all. LOG_DIR_NOT_FOUND; KAFKA_STORAGE_ERROR also while any directory is offline;
  // REPLICA_NOT_AVAILABLE: not here. (Kafka: ReplicaManager.alterReplicaLogDirs)
  wire::ErrorCode alter(const log::TopicPartition& name, const std::shared_ptr<SharedPartition>& partition,
                        const std::string& directory);
  // Goes on with a copy that an earlier run has begun; with one of another topic of that name it is done.
  void resume(const log::TopicPartition& name, const std::shared_ptr<SharedPartition>& partition,
              const Uuid& topic_id);
  // There is no log to go on with: the copy is kept for a person.
  void set_aside(const log::TopicPartition& name);
  // The partition goes away, and its copy.
  void end(const log::TopicPartition& name);
  // Copies of partitions that are not here, once all directories were looked into.
  void end_orphans(const std::function<bool(const log::TopicPartition&)>& is_here);

  void tick();
  // replica.alter.log.dirs.io.max.bytes.per.second, of all moves together.
  void limit(std::int64_t bytes_per_second) {
    world_.throttle->set_rate(bytes_per_second, world_.logs.now());
  }
  // All of them stop where they are. The next start goes on with them.
  void stop();

 private:
  using Movers = std::map<log::TopicPartition, std::shared_ptr<LogMover>>;

  std::shared_ptr<LogMover> take(const log::TopicPartition& name);
  void begin(const log::TopicPartition& name, const std::shared_ptr<SharedPartition>& partition,
             const log::LogManager::Handle& current, const log::LogManager::Handle& future, bool resumed);
  bool all_online() const;

  const LogMover::World world_;
  env::Serial<Movers> movers_;
};

}  // namespace moldau::replica
