#include "replica/log_moves.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace moldau::replica {
namespace {

using wire::ErrorCode;

constexpr std::string_view kLogger = "kafka.server.ReplicaManager";
constexpr std::size_t kLongestName = 255;  // of most file systems

// The future folder of a long name would be cut, and not be known again.
bool is_too_long(const log::TopicPartition& name) {
  return name.to_string().size() + std::string_view(".-future").size() + 32 > kLongestName;
}

}  // namespace

bool LogMoves::all_online() const {
  return std::ranges::all_of(world_.logs.directories(), &log::DirectoryStatus::online);
}

std::shared_ptr<LogMover> LogMoves::take(const log::TopicPartition& name) {
  return movers_.with([&](Movers& movers) -> std::shared_ptr<LogMover> {
    const auto found = movers.extract(name);
    return found.empty() ? nullptr : found.mapped();
  });
}

void LogMoves::begin(const log::TopicPartition& name, const std::shared_ptr<SharedPartition>& partition,
                     const log::LogManager::Handle& current, const log::LogManager::Handle& future,
                     bool resumed) {
  const auto mover = std::make_shared<LogMover>(world_, partition, current, future);
  movers_.with([&](Movers& movers) { movers[name] = mover; });
  mover->start(resumed);
}

void LogMoves::end(const log::TopicPartition& name) {
  if (const auto mover = take(name)) mover->cancel();
  if (world_.logs.find_future(name) == nullptr) return;
  if (const Status removed = world_.logs.remove_future(name); !removed)
    world_.events.write(env::Level::kError, kLogger, removed.error().message);
}

void LogMoves::set_aside(const log::TopicPartition& name) {
  if (world_.logs.find_future(name) == nullptr) return;
  world_.events.write(env::Level::kWarn, kLogger,
                      "found a copy of " + name.to_string() +
                          " that was being made, and nothing it is a copy of: set aside as -stray");
  (void)world_.logs.remove_future(name, log::FolderKind::kStray);
}

void LogMoves::resume(const log::TopicPartition& name, const std::shared_ptr<SharedPartition>& partition,
                      const Uuid& topic_id) {
  const auto future = world_.logs.find_future(name);
  const auto current = world_.logs.find(name);
  if (future == nullptr || current == nullptr) return;
  const auto id = log::LogManager::log(future).topic_id();
  if (id && !id->is_zero() && *id != topic_id) return end(name);
  begin(name, partition, current, future, true);
}

void LogMoves::end_orphans(const std::function<bool(const log::TopicPartition&)>& is_here) {
  if (!all_online()) return;
  for (const auto& future : world_.logs.futures())
    if (!is_here(log::LogManager::partition(future))) end(log::LogManager::partition(future));
}

ErrorCode LogMoves::alter(const log::TopicPartition& name, const std::shared_ptr<SharedPartition>& partition,
                          const std::string& path) {
  if (is_too_long(name)) return ErrorCode::kInvalidTopicException;
  const auto directories = world_.logs.directories();
  const auto wanted = std::ranges::find(directories, path, &log::DirectoryStatus::path);
  if (wanted == directories.end()) return ErrorCode::kLogDirNotFound;
  if (!wanted->online) return ErrorCode::kKafkaStorageError;
  if (partition == nullptr) {
    world_.logs.prefer(name, path);
    return ErrorCode::kReplicaNotAvailable;
  }
  Offset start{0};
  Uuid topic_id;
  const bool offline = partition->with([&](Partition& p) {
    if (p.offline()) return true;
    start = p.log().start_offset();
    topic_id = p.topic_id();
    return false;
  });
  if (offline) return ErrorCode::kKafkaStorageError;
  auto future = world_.logs.find_future(name);
  if (future != nullptr && log::LogManager::directory(future) != path) {
    end(name);
    future = nullptr;
  }
  const auto current = world_.logs.find(name);
  if (current == nullptr) return ErrorCode::kKafkaStorageError;
  if (log::LogManager::directory(current) == path || future != nullptr) return ErrorCode::kNone;
  if (!all_online()) return ErrorCode::kKafkaStorageError;
  const auto made = world_.logs.create_future(current, path, topic_id, start);
  if (!made) {
    world_.events.write(env::Level::kWarn, kLogger,
                        "cannot move " + name.to_string() + ": " + made.error().message);
    return ErrorCode::kKafkaStorageError;
  }
  begin(name, partition, current, *made, false);
  return ErrorCode::kNone;
}

void LogMoves::tick() {
  const auto movers = movers_.with([](Movers& m) {
    std::erase_if(m, [](const auto& item) { return item.second->ended(); });
    return m;
  });
  for (const auto& [name, mover] : movers) mover->tick();
}

void LogMoves::stop() {
  const auto movers = movers_.with([](Movers& m) { return std::exchange(m, {}); });
  for (const auto& [name, mover] : movers) mover->cancel();
}

}  // namespace moldau::replica
