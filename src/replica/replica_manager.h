// All partitions of this broker: follows the metadata (makes, gives roles to, takes away), finds them for
// requests, and carries news between them and the log manager. find() and the rest may be called from any
// thread; apply() from one at a time, in the order of the images. (Kafka: kafka.server.ReplicaManager.)
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/topic_config.h"
#include "env/loop.h"
#include "log/log_manager.h"
#include "metadata/delta.h"
#include "replica/log_moves.h"
#include "replica/partition.h"

namespace moldau::replica {

using PartitionRef = std::shared_ptr<SharedPartition>;

// The partitions of one topic that are here, at their index; nullptr where one is not.
struct LocalTopic {
  std::string name;
  Uuid id;
  std::shared_ptr<const config::TopicConfig> config;
  std::vector<PartitionRef> partitions;

  PartitionRef at(std::int32_t index) const {
    const auto i = static_cast<std::size_t>(index);
    return index >= 0 && i < partitions.size() ? partitions[i] : nullptr;
  }
};
using LocalTopicRef = std::shared_ptr<const LocalTopic>;

// What a topic's configuration says to its logs.
std::shared_ptr<const log::LogConfig> log_config(const config::TopicConfig& topic,
                                                 std::int64_t producer_id_expiration_ms);

class ReplicaManager {
 public:
  using ConfigOf = std::function<std::shared_ptr<const config::TopicConfig>(const std::string& topic)>;
  struct World {
    log::LogManager& logs;
    env::Background& background;
    env::EventLog& events;
    ConfigOf config_of;  // what holds for a topic now; any thread
    // A directory has failed, or a partition lies elsewhere than the metadata say (KIP-858). Any thread; may
    // only take note.
    std::function<void()> whereabouts_changed = [] {};
    std::int64_t producer_id_expiration_ms = 24LL * 3600 * 1000;
    std::uint64_t move_chunk_bytes = 1 << 20;  // copied at once between log directories
  };
  ReplicaManager(const World& world, BrokerId self);
  ~ReplicaManager();

  LocalTopicRef find(std::string_view topic) const;
  LocalTopicRef find(const Uuid& topic_id) const;
  PartitionRef find(std::string_view topic, std::int32_t partition) const;
  std::vector<LocalTopicRef> all() const;
  std::size_t partition_count() const;

  // Makes what is here be what `image` says. Blocks on the disk: call it from background work.
  // Problems with single partitions are logged; such a partition answers KAFKA_STORAGE_ERROR.
  void apply(const metadata::ImagePtr& image, const metadata::Changes& changes);
  // Partitions that a full disk has not let us make: tries again. Called now and then, as apply() is.
  void make_missing(const metadata::ImagePtr& image);
  // Partitions that lie elsewhere than `image` says, or that it gives no directory: where they are.
  struct Whereabouts {
    Uuid topic_id;
    PartitionIndex partition;
    Uuid directory;
  };
  std::vector<Whereabouts> misplaced(const metadata::Image& image) const;
  // AlterReplicaLogDirs (LogMoves::alter). Called as apply() is.
  wire::ErrorCode alter_log_directory(const log::TopicPartition& name, const std::string& directory);
  void limit_moves(std::int64_t bytes_per_second) { moves_.limit(bytes_per_second); }
  // Asks the configuration source again, for one topic or all of them.
  void reconfigure(std::string_view topic);
  void reconfigure_all();

  // Timers: log manager's work and the checkpoints of high watermarks.
  void tick();
  Status checkpoint_high_watermarks();
  // Lets go of all logs; afterwards LogManager::close() may be called.
  void stop();

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  };
  struct Tables {
    std::unordered_map<std::string, LocalTopicRef, TextHash, std::equal_to<>> by_name;
    std::unordered_map<Uuid, LocalTopicRef> by_id;
  };

  void put(LocalTopicRef topic);
  void take(const LocalTopicRef& topic);
  void remove_topic(const metadata::Topic& topic);
  void change_topic(const metadata::TopicChange& change);
  PartitionRef open_partition(const metadata::Topic& topic, const metadata::Partition& state);
  Uuid directory_id(const log::LogManager::Handle& handle) const;
  LogMover::Home home_of(const log::LogManager::Handle& handle, const PartitionRef& partition) const;
  bool may_lie_elsewhere(const log::TopicPartition& name);
  void directory_failed(const std::vector<log::TopicPartition>& lost);

  World world_;
  BrokerId self_;
  mutable env::Serial<Tables> tables_;
  bool starting_ = true;  // until the first image was applied
  LogMoves moves_;
  std::set<std::string> unmade_;           // topics with a partition that there was no room for
  std::set<log::TopicPartition> missing_;  // not found then, while a directory was offline
};

}  // namespace moldau::replica
