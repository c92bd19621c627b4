#include "replica/replica_manager.h"

#include <algorithm>
#include <utility>

namespace moldau::replica {
namespace {

constexpr std::string_view kLogger = "kafka.server.ReplicaManager";

// The log of one partition, for the partition; and the partition, for the log manager.
class Keeper final : public LogKeeper, public std::enable_shared_from_this<Keeper> {
 public:
  Keeper(const ReplicaManager::World& world, log::LogManager::Handle handle)
      : logs_(world.logs), background_(world.background), events_(world.events), handle_(std::move(handle)) {}

  void serve(const PartitionRef& partition) { partition_ = partition; }

  void flush_soon(bool include_active) override {
    logs_.flush_in_background(handle_, include_active, [self = shared_from_this()](Status done) {
      if (const PartitionRef partition = self->partition_.lock(); partition && done) {
        partition->with([](Partition& p) { p.advance_high_watermark(); });
      }
    });
  }
  void high_watermark_moved(Offset high_watermark) override {
    log::LogManager::set_high_watermark(handle_, high_watermark);
  }
  void disk_failed(const Error& error) override {
    // Not here: the manager will want this very partition. A full queue: the next failure asks again.
    background_.submit(std::hash<std::string>{}(log::LogManager::directory(handle_)),
                       [self = shared_from_this(), error] { self->logs_.disk_failed(self->handle_, error); });
  }

  void noticed(std::string line) override {
    events_.write(env::Level::kWarn, "kafka.log.UnifiedLog", std::move(line));
  }

 private:
  log::LogManager& logs_;
  env::Background& background_;
  env::EventLog& events_;
  log::LogManager::Handle handle_;
  std::weak_ptr<SharedPartition> partition_;
};

class ByPartition final : public log::Exclusion {
 public:
  explicit ByPartition(std::weak_ptr<SharedPartition> partition) : partition_(std::move(partition)) {}
  void run(const std::function<void()>& work) override {
    if (const PartitionRef partition = partition_.lock()) {
      partition->with([&](Partition&) { work(); });
    } else {
      work();
    }
  }

 private:
  std::weak_ptr<SharedPartition> partition_;
};

bool has_replica(const metadata::Partition& state, BrokerId broker) {
  return std::ranges::find(state.replicas, broker) != state.replicas.end();
}

// The directory that the metadata names for our replica, if it names a real one.
std::optional<Uuid> directory_of(const metadata::Partition& state, BrokerId self) {
  for (std::size_t i = 0; i < state.replicas.size() && i < state.directories.size(); ++i) {
    if (state.replicas[i] != self) continue;
    const Uuid& id = state.directories[i];
    if (id == metadata::kDirectoryMigrating || id == metadata::kDirectoryUnassigned ||
        id == metadata::kDirectoryLost)
      break;
    return id;
  }
  return std::nullopt;
}

}  // namespace

std::shared_ptr<const log::LogConfig> log_config(const config::TopicConfig& topic,
                                                 std::int64_t producer_id_expiration_ms) {
  auto log = std::make_shared<log::LogConfig>();
  log->segment_bytes = topic.segment_bytes;
  log->segment_ms = topic.segment_ms;
  log->segment_jitter_ms = topic.segment_jitter_ms;
  log->segment_index_bytes = topic.segment_index_bytes;
  log->index_interval_bytes = topic.index_interval_bytes;
  log->max_message_bytes = topic.max_message_bytes;
  log->flush_messages = topic.flush_messages;
  log->flush_ms = topic.flush_ms;
  log->file_delete_delay_ms = topic.file_delete_delay_ms;
  log->preallocate = topic.preallocate;
  log->cleanup_delete = topic.cleanup_delete;
  log->cleanup_compact = topic.cleanup_compact;
  log->min_cleanable_dirty_ratio = topic.min_cleanable_dirty_ratio;
  log->min_compaction_lag_ms = topic.min_compaction_lag_ms;
  log->max_compaction_lag_ms = topic.max_compaction_lag_ms;
  log->delete_retention_ms = topic.delete_retention_ms;
  log->retention_bytes = topic.retention_bytes;
  log->retention_ms = topic.retention_ms;
  log->producer_id_expiration_ms = producer_id_expiration_ms;
  return log;
}

ReplicaManager::ReplicaManager(const World& world, BrokerId self)
    : world_(world),
      self_(self),
      moves_({.logs = world.logs,
              .background = world.background,
              .events = world.events,
              .home_of = [this](const auto& handle,
                                const auto& partition) { return home_of(handle, partition); },
              .moved = world.whereabouts_changed,
              .chunk_bytes = std::max<std::uint64_t>(world.move_chunk_bytes, 1)}) {
  world_.logs.on_offline(
      [this](const log::DirectoryStatus& directory, std::vector<log::TopicPartition> lost) {
        world_.events.write(env::Level::kError, kLogger,
                            "Stopping serving " + std::to_string(lost.size()) + " replicas in dir " +
                                directory.path + ": " + directory.why_offline);
        directory_failed(lost);
        world_.whereabouts_changed();
      });
}

ReplicaManager::~ReplicaManager() = default;

LocalTopicRef ReplicaManager::find(std::string_view topic) const {
  return tables_.with([&](const Tables& t) -> LocalTopicRef {
    const auto found = t.by_name.find(topic);
    return found == t.by_name.end() ? nullptr : found->second;
  });
}

LocalTopicRef ReplicaManager::find(const Uuid& topic_id) const {
  return tables_.with([&](const Tables& t) -> LocalTopicRef {
    const auto found = t.by_id.find(topic_id);
    return found == t.by_id.end() ? nullptr : found->second;
  });
}

PartitionRef ReplicaManager::find(std::string_view topic, std::int32_t partition) const {
  const LocalTopicRef local = find(topic);
  return local ? local->at(partition) : nullptr;
}

std::vector<LocalTopicRef> ReplicaManager::all() const {
  return tables_.with([](const Tables& t) {
    std::vector<LocalTopicRef> topics;
    topics.reserve(t.by_name.size());
    for (const auto& [name, topic] : t.by_name) topics.push_back(topic);
    return topics;
  });
}

std::size_t ReplicaManager::partition_count() const {
  std::size_t sum = 0;
  for (const auto& topic : all())
    sum += static_cast<std::size_t>(
        std::ranges::count_if(topic->partitions, [](const PartitionRef& p) { return p != nullptr; }));
  return sum;
}

void ReplicaManager::put(LocalTopicRef topic) {
  tables_.with([&](Tables& t) {
    t.by_id[topic->id] = topic;
    t.by_name[topic->name] = std::move(topic);
  });
}

void ReplicaManager::take(const LocalTopicRef& topic) {
  tables_.with([&](Tables& t) {
    t.by_id.erase(topic->id);
    if (const auto found = t.by_name.find(topic->name);
        found != t.by_name.end() && found->second->id == topic->id) {
      t.by_name.erase(found);
    }
  });
}

void ReplicaManager::apply(const metadata::ImagePtr& /*image*/, const metadata::Changes& changes) {
  for (const metadata::TopicChange& change : changes.topics) {
    if (change.after == nullptr) {
      remove_topic(*change.before);
    } else {
      change_topic(change);
    }
  }
  if (std::exchange(starting_, false))
    moves_.end_orphans([this](const log::TopicPartition& name) {
      return find(name.topic, name.partition.value) != nullptr;
    });
}

wire::ErrorCode ReplicaManager::alter_log_directory(const log::TopicPartition& name,
                                                    const std::string& directory) {
  return moves_.alter(name, find(name.topic, name.partition.value), directory);
}

// What a partition needs that goes on in the log of `handle`.
LogMover::Home ReplicaManager::home_of(const log::LogManager::Handle& handle,
                                       const PartitionRef& partition) const {
  const auto keeper = std::make_shared<Keeper>(world_, handle);
  keeper->serve(partition);
  return {keeper, std::make_shared<ByPartition>(partition), directory_id(handle)};
}

void ReplicaManager::remove_topic(const metadata::Topic& topic) {
  const LocalTopicRef local = find(topic.id);
  if (local == nullptr) return;
  take(local);
  for (std::size_t i = 0; i < local->partitions.size(); ++i) {
    if (local->partitions[i] == nullptr) continue;
    const log::TopicPartition name{local->name, PartitionIndex{static_cast<std::int32_t>(i)}};
    moves_.end(name);
    local->partitions[i]->with([](Partition& p) { p.go_offline(wire::ErrorCode::kUnknownTopicOrPartition); });
    if (const Status removed = world_.logs.remove(name); !removed) {
      world_.events.write(env::Level::kError, kLogger,
                          "cannot remove " + name.to_string() + ": " + removed.error().message);
    }
  }
}

void ReplicaManager::change_topic(const metadata::TopicChange& change) {
  const metadata::Topic& topic = *change.after;
  const LocalTopicRef before = find(topic.id);
  auto next = before ? std::make_shared<LocalTopic>(*before) : std::make_shared<LocalTopic>();
  next->name = topic.name;
  next->id = topic.id;
  if (next->config == nullptr) next->config = world_.config_of(topic.name);
  bool moved = false;
  for (const PartitionIndex index : change.partitions) {
    const metadata::Partition* state = topic.find(index);
    if (state == nullptr || index.value < 0 || !has_replica(*state, self_)) continue;
    const auto at = static_cast<std::size_t>(index.value);
    if (next->partitions.size() <= at) next->partitions.resize(at + 1);
    if (PartitionRef& partition = next->partitions[at]; partition == nullptr) {
      partition = open_partition(topic, *state);
      moved |= partition != nullptr &&
               partition->with([](Partition& p) { return p.directory(); }) != state->directory(self_);
    } else {
      partition->with([&](Partition& p) {
        if (const Status done = p.take_role(*state); !done) {
          world_.events.write(env::Level::kError, kLogger,
                              p.name().to_string() + ": " + done.error().message);
        }
      });
    }
  }
  put(std::move(next));
  if (moved) world_.whereabouts_changed();
}

std::vector<ReplicaManager::Whereabouts> ReplicaManager::misplaced(const metadata::Image& image) const {
  std::vector<Whereabouts> found;
  for (const LocalTopicRef& local : all()) {
    const metadata::Topic* topic = image.find_topic(local->id);
    if (topic == nullptr) continue;
    for (const metadata::Partition& state : topic->partitions) {
      const PartitionRef partition = local->at(state.index.value);
      if (partition == nullptr || !has_replica(state, self_)) continue;
      const Uuid here = partition->with([](Partition& p) { return p.directory(); });
      if (state.directory(self_) != here) found.push_back({topic->id, state.index, here});
    }
  }
  std::ranges::sort(found, {}, [](const Whereabouts& w) { return std::pair(w.topic_id, w.partition); });
  return found;
}

Uuid ReplicaManager::directory_id(const log::LogManager::Handle& handle) const {
  for (const log::DirectoryStatus& directory : world_.logs.directories())
    if (directory.path == log::LogManager::directory(handle)) return directory.id;
  return metadata::kDirectoryUnassigned;
}

void ReplicaManager::make_missing(const metadata::ImagePtr& image) {
  for (const std::string& name : std::exchange(unmade_, {})) {
    const metadata::Topic* topic = image->find_topic(name);
    const LocalTopicRef local = find(name);
    if (topic == nullptr || local == nullptr) continue;
    metadata::TopicChange change{.before = nullptr, .after = image->topic_ptr(topic->id), .partitions = {}};
    for (const metadata::Partition& partition : topic->partitions)
      if (local->at(partition.index.value) == nullptr) change.partitions.push_back(partition.index);
    change_topic(change);
  }
}

// Whether an older log of this partition may lie in a directory that cannot be read now. To make a new one
// would be to lose it. (Kafka: LogManager.getOrCreateLog, isNew.)
bool ReplicaManager::may_lie_elsewhere(const log::TopicPartition& name) {
  const auto directories = world_.logs.directories();
  if (std::ranges::all_of(directories, &log::DirectoryStatus::online)) return false;
  if (!starting_) return missing_.contains(name);
  missing_.insert(name);
  return true;
}

PartitionRef ReplicaManager::open_partition(const metadata::Topic& topic, const metadata::Partition& state) {
  const log::TopicPartition name{topic.name, state.index};
  log::LogManager::Handle handle = world_.logs.find(name);
  if (handle == nullptr) {
    if (may_lie_elsewhere(name)) {
      world_.events.write(env::Level::kError, kLogger,
                          name.to_string() +
                              " is not in any log directory that works, and may lie in one that does "
                              "not: it stays offline until that one is back");
      return nullptr;
    }
    moves_.set_aside(name);
    auto made = world_.logs.create(name, topic.id, directory_of(state, self_));
    if (!made) {
      world_.events.write(env::Level::kError, kLogger,
                          "cannot make " + name.to_string() + ": " + made.error().message);
      if (made.error().kind == ErrorKind::kNoSpace) unmade_.insert(topic.name);
      return nullptr;
    }
    handle = std::move(*made);
  }
  const auto keeper = std::make_shared<Keeper>(world_, handle);
  auto partition =
      std::make_shared<SharedPartition>(name, topic.id, self_, log::LogManager::log(handle), keeper);
  keeper->serve(partition);
  log::LogManager::set_exclusion(handle, std::make_shared<ByPartition>(partition));
  partition->with([&](Partition& p) {
    p.lies_in(directory_id(handle));
    const auto checkpointed = world_.logs.checkpointed_high_watermark(name);
    if (const Status done = p.take_role(state, checkpointed); !done) {
      world_.events.write(env::Level::kError, kLogger, name.to_string() + ": " + done.error().message);
      p.go_offline(wire::ErrorCode::kKafkaStorageError);
    }
  });
  moves_.resume(name, partition, topic.id);
  return partition;
}

void ReplicaManager::directory_failed(const std::vector<log::TopicPartition>& lost) {
  for (const log::TopicPartition& name : lost) {
    if (const PartitionRef partition = find(name.topic, name.partition.value)) {
      partition->with([](Partition& p) { p.go_offline(wire::ErrorCode::kKafkaStorageError); });
    }
  }
}

void ReplicaManager::reconfigure(std::string_view topic) {
  const LocalTopicRef local = find(topic);
  if (local == nullptr) return;
  auto next = std::make_shared<LocalTopic>(*local);
  next->config = world_.config_of(local->name);
  const auto config = log_config(*next->config, world_.producer_id_expiration_ms);
  for (const PartitionRef& partition : next->partitions) {
    if (partition == nullptr) continue;
    partition->with([&](Partition& p) {
      if (!p.offline()) p.log().set_config(config);
    });
  }
  put(std::move(next));
}

void ReplicaManager::reconfigure_all() {
  for (const LocalTopicRef& topic : all()) reconfigure(topic->name);
}

void ReplicaManager::tick() {
  world_.logs.tick();
  moves_.tick();
}

Status ReplicaManager::checkpoint_high_watermarks() {
  return world_.logs.checkpoint_high_watermarks(
      [this](const log::TopicPartition& name) -> std::optional<Offset> {
        const PartitionRef partition = find(name.topic, name.partition.value);
        if (partition == nullptr) return std::nullopt;
        return partition->with([](Partition& p) { return p.high_watermark(); });
      });
}

void ReplicaManager::stop() {
  moves_.stop();
  for (const LocalTopicRef& topic : all()) {
    take(topic);
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      if (topic->partitions[i] == nullptr) continue;
      topic->partitions[i]->with([](Partition& p) { p.go_offline(wire::ErrorCode::kNotLeaderOrFollower); });
      const log::TopicPartition name{topic->name, PartitionIndex{static_cast<std::int32_t>(i)}};
      if (const auto handle = world_.logs.find(name)) log::LogManager::set_exclusion(handle, nullptr);
    }
  }
}

}  // namespace moldau::replica
