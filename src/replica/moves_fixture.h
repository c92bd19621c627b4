// For tests of moves: one partition and its moves between two log directories of a simulated disk.
#pragma once

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "log/manager_fixture.h"
#include "replica/log_moves.h"

namespace moldau::replica::testing {

using log::LogManager;
using log::testing::ManagerFixture;
using simenv::Crash;
using simenv::DiskOp;
using wire::ErrorCode;

inline const log::TopicPartition kName{"t", PartitionIndex{0}};
inline const Uuid kId = *Uuid::parse("Nf8SNjxxS1iaaNI5b1REpA");
inline constexpr BrokerId kSelf{1};

// One partition and its moves, as a broker has them.
struct Machine : ManagerFixture {
  explicit Machine(std::uint64_t seed = 1) : ManagerFixture(seed) {
    options.directories = {"/a", "/b"};
    config->segment_bytes = 700;
    config->retention_ms = -1;
    config->file_delete_delay_ms = 0;
  }
  ~Machine() { stop(); }

  struct Keeper final : LogKeeper {
    Keeper(Machine& m, LogManager::Handle h) : machine(m), handle(std::move(h)) {}
    void flush_soon(bool) override {}
    void high_watermark_moved(Offset offset) override { LogManager::set_high_watermark(handle, offset); }
    void disk_failed(const Error& error) override {
      machine.background.submit(1,
                                [m = machine.manager.get(), h = handle, error] { m->disk_failed(h, error); });
    }
    void noticed(std::string) override {}
    Machine& machine;
    LogManager::Handle handle;
  };
  struct ByPartition final : log::Exclusion {
    explicit ByPartition(const std::shared_ptr<SharedPartition>& p) : partition(p) {}
    void run(const std::function<void()>& work) override {
      if (const auto held = partition.lock())
        held->with([&](Partition&) { work(); });
      else
        work();
    }
    std::weak_ptr<SharedPartition> partition;  // which has the log's handle
  };

  LogMover::Home home_of(const LogManager::Handle& handle, const std::shared_ptr<SharedPartition>& p) {
    return {std::make_shared<Keeper>(*this, handle), std::make_shared<ByPartition>(p), Uuid{}};
  }
  // False if the disk does not let it.
  bool start() {
    if (!open()) return false;
    auto handle = manager->find(kName);
    if (handle == nullptr) {
      for (const auto& directory : manager->directories()) {
        if (directory.path != "/a") continue;
        auto made = manager->create(kName, kId, directory.id);
        if (!made) return false;
        handle = *made;
      }
    }
    partition = std::make_shared<SharedPartition>(kName, kId, kSelf, LogManager::log(handle),
                                                  std::make_shared<Keeper>(*this, handle));
    LogManager::set_exclusion(handle, std::make_shared<ByPartition>(partition));
    manager->on_offline([this](const auto&, const std::vector<log::TopicPartition>& lost) {
      if (!lost.empty()) partition->with([](Partition& p) { p.go_offline(ErrorCode::kKafkaStorageError); });
    });
    metadata::Partition state;
    state.leader = kSelf;
    state.leader_epoch = LeaderEpoch{++epoch};
    state.replicas = state.isr = {kSelf};
    if (!partition->with([&](Partition& p) { return p.take_role(state); })) return false;
    moves = std::make_unique<LogMoves>(
        LogMover::World{.logs = *manager,
                        .background = background,
                        .events = events,
                        .home_of = [this](const auto& h, const auto& p) { return home_of(h, p); },
                        .moved = [this] { ++moved; },
                        .chunk_bytes = 300});
    moves->resume(kName, partition, kId);
    return true;
  }
  void stop() {
    if (moves) moves->stop();
    if (partition) partition->with([](Partition& p) { p.go_offline(ErrorCode::kNotLeaderOrFollower); });
    moves.reset();
    if (manager && manager->find(kName)) LogManager::set_exclusion(manager->find(kName), nullptr);
  }
  void die(Crash kind) {
    stop();
    crash(kind);
    partition.reset();
  }
  bool append(const std::string& tag, ProducerId producer = kNoProducerId, std::int32_t sequence = -1) {
    Bytes batch = log::testing::make_batch({.count = 1,
                                            .timestamp = clock.wall_ms(),
                                            .value_bytes = 80,
                                            .tag = tag,
                                            .producer = producer,
                                            .sequence = sequence});
    return append(std::move(batch)).error == ErrorCode::kNone;
  }
  Appended append(Bytes batch) {
    return partition->with(
        [&](Partition& p) { return p.append(batch, {.now_ms = clock.wall_ms()}, 1, 1, nullptr); });
  }
  ErrorCode move(const std::string& to) { return moves->alter(kName, partition, to); }
  void finish() {
    for (int i = 0; i < 3; ++i) {
      background.run_all();
      moves->tick();
    }
  }
  std::vector<std::string> records() {
    return partition->with([](Partition& p) { return values(p.log()); });
  }
  std::string where() { return LogManager::directory(manager->find(kName)); }
  // Folders of the partition, of whatever kind but -delete.
  std::vector<std::string> folders() {
    std::vector<std::string> found;
    for (const char* directory : {"/a", "/b"})
      for (const auto& entry : *disk.list(directory))
        if (entry.is_directory && entry.name.starts_with("t-0") && !entry.name.ends_with("-delete"))
          found.push_back(std::string(directory) + "/" + entry.name);
    return found;
  }

  std::shared_ptr<SharedPartition> partition;
  std::unique_ptr<LogMoves> moves;
  std::int32_t epoch = 0;
  int moved = 0;
};

inline std::vector<std::string> numbered(int from, int to) {
  std::vector<std::string> tags;
  for (int i = from; i < to; ++i) tags.push_back("v" + std::to_string(i) + "-0");
  return tags;
}

struct Moves : ::testing::Test {
  void fill(int from, int to) {
    for (int i = from; i < to; ++i) ASSERT_TRUE(m.append("v" + std::to_string(i) + "-"));
  }
  void begin(int count = 20) {
    ASSERT_TRUE(m.start());
    fill(0, count);
  }
  Machine m;
};

}  // namespace moldau::replica::testing
