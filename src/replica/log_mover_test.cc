// Moves between two log directories of a simulated disk: while records come, with the power cut at every
// change of the disk, with a directory that fails at every operation.
#include "replica/log_mover.h"

#include <gtest/gtest.h>

#include "log/manager_fixture.h"
#include "replica/log_moves.h"

namespace moldau::replica {
namespace {

using log::LogManager;
using log::testing::ManagerFixture;
using simenv::Crash;
using simenv::DiskOp;
using wire::ErrorCode;

const log::TopicPartition kName{"t", PartitionIndex{0}};
const Uuid kId = *Uuid::parse("Nf8SNjxxS1iaaNI5b1REpA");
constexpr BrokerId kSelf{1};

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

std::vector<std::string> numbered(int from, int to) {
  std::vector<std::string> tags;
  for (int i = from; i < to; ++i) tags.push_back("v" + std::to_string(i) + "-0");
  return tags;
}

struct Moves : testing::Test {
  void fill(int from, int to) {
    for (int i = from; i < to; ++i) ASSERT_TRUE(m.append("v" + std::to_string(i) + "-"));
  }
  void begin(int count = 20) {
    ASSERT_TRUE(m.start());
    fill(0, count);
  }
  Machine m;
};

TEST_F(Moves, CarryEveryRecordAndFollowNewOnes) {
  begin();
  ASSERT_EQ(m.move("/b"), ErrorCode::kNone);
  ASSERT_NE(m.manager->find_future(kName), nullptr);
  for (int i = 20; i < 26; ++i) {
    ASSERT_TRUE(m.background.run_one());
    fill(i, i + 1);
  }
  EXPECT_EQ(m.where(), "/a");
  m.finish();
  EXPECT_EQ(m.where(), "/b");
  EXPECT_EQ(m.moved, 1);
  EXPECT_EQ(m.records(), numbered(0, 26));
  fill(26, 30);
  EXPECT_EQ(m.records(), numbered(0, 30));
  EXPECT_EQ(m.folders(), (std::vector<std::string>{"/b/t-0"}));
  EXPECT_FALSE(m.disk.exists("/b/t-0/move-generation"));
  EXPECT_EQ(*LogManager::log(m.manager->find(kName)).topic_id(), kId);
  EXPECT_EQ(m.partition->with([](Partition& p) { return p.high_watermark(); }), Offset{30});
  m.clock.advance_ms(5000);
  m.manager->tick();
  m.background.run_all();
  for (const auto& entry : *m.disk.list("/a")) EXPECT_FALSE(entry.name.ends_with("-delete")) << entry.name;
  m.stop();
  ASSERT_TRUE(m.manager->close());
  ASSERT_TRUE(m.start());
  EXPECT_EQ(m.records(), numbered(0, 30));
}

TEST_F(Moves, KeepWhatIsKnownOfProducersWhoseRecordsAreGone) {
  ASSERT_TRUE(m.start());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(m.append("p", ProducerId{7}, i));
  const Bytes last = log::testing::make_batch({.count = 1,
                                               .timestamp = m.clock.wall_ms(),
                                               .value_bytes = 80,
                                               .tag = "p",
                                               .producer = ProducerId{7},
                                               .sequence = 9});
  ASSERT_EQ(m.partition->with([](Partition& p) { return p.delete_records(Offset{10}).error; }),
            ErrorCode::kNone);
  m.manager->run_retention();
  ASSERT_EQ(m.move("/b"), ErrorCode::kNone);
  m.finish();
  ASSERT_EQ(m.where(), "/b");
  for (const Crash kind : {Crash::kProcess, Crash::kPower}) {
    const Appended again = m.append(last);
    EXPECT_TRUE(again.info.duplicate);
    EXPECT_EQ(again.info.first_offset, Offset{9});
    m.die(kind);
    ASSERT_TRUE(m.start());
    EXPECT_EQ(m.partition->with([](Partition& p) { return p.log().start_offset(); }), Offset{10});
  }
}

TEST_F(Moves, FollowTheStartOfTheLog) {
  begin();
  ASSERT_EQ(m.move("/b"), ErrorCode::kNone);
  ASSERT_TRUE(m.background.run_one());
  ASSERT_EQ(m.partition->with([](Partition& p) { return p.delete_records(Offset{13}).error; }),
            ErrorCode::kNone);
  m.manager->run_retention();
  m.finish();
  EXPECT_EQ(m.where(), "/b");
  EXPECT_EQ(m.records(), numbered(13, 20));
  m.die(Crash::kPower);
  ASSERT_TRUE(m.start());
  EXPECT_EQ(m.records(), numbered(13, 20));
}

TEST_F(Moves, FollowATruncation) {
  begin();
  ASSERT_EQ(m.move("/b"), ErrorCode::kNone);
  while (LogManager::facts(m.manager->find_future(kName))->end < Offset{16})
    ASSERT_TRUE(m.background.run_one());
  m.partition->with(
      [&](Partition&) { ASSERT_TRUE(m.manager->truncate(m.manager->find(kName), Offset{11})); });
  m.partition->with([](Partition& p) { ASSERT_TRUE(p.log().assign_epoch(LeaderEpoch{9}, Offset{11})); });
  Bytes other = log::testing::make_batch({.count = 8, .value_bytes = 80, .tag = "w"});
  m.partition->with(
      [&](Partition& p) { ASSERT_TRUE(p.log().append(other, {.leader_epoch = LeaderEpoch{9}})); });
  const auto expected = m.records();
  m.finish();
  EXPECT_EQ(m.where(), "/b");
  EXPECT_EQ(m.records(), expected);
  EXPECT_EQ(*m.partition->with([](Partition& p) { return p.log().latest_epoch(); }), LeaderEpoch{9});
}

TEST_F(Moves, CarryBatchesThatAreLargerThanSegmentsMayBeNow) {
  m.config->segment_bytes = 1 << 20;
  ASSERT_TRUE(m.start());
  Bytes large = log::testing::make_batch({.count = 10, .value_bytes = 200, .tag = "v"});
  ASSERT_EQ(m.append(std::move(large)).error, ErrorCode::kNone);
  const auto expected = m.records();
  m.config = std::make_shared<log::LogConfig>(*m.config);
  m.config->segment_bytes = 700;
  ASSERT_EQ(m.move("/b"), ErrorCode::kNone);
  m.finish();
  EXPECT_EQ(m.where(), "/b");
  EXPECT_EQ(m.records(), expected);
}

TEST_F(Moves, AreCancelledByARequestToStay) {
  begin();
  ASSERT_EQ(m.move("/b"), ErrorCode::kNone);
  ASSERT_TRUE(m.background.run_one());
  EXPECT_EQ(m.move("/a"), ErrorCode::kNone);
  EXPECT_EQ(m.manager->find_future(kName), nullptr);
  m.finish();
  EXPECT_EQ(m.where(), "/a");
  m.die(Crash::kPower);
  ASSERT_TRUE(m.start());
  EXPECT_EQ(m.manager->find_future(kName), nullptr);
}

TEST_F(Moves, AnswerAsKafkaDoes) {
  begin(1);
  EXPECT_EQ(m.move("/nowhere"), ErrorCode::kLogDirNotFound);
  EXPECT_EQ(m.move("/a"), ErrorCode::kNone);
  EXPECT_EQ(m.moves->alter({std::string(240, 'x'), PartitionIndex{0}}, m.partition, "/b"),
            ErrorCode::kInvalidTopicException);
  const log::TopicPartition coming{"coming", PartitionIndex{0}};
  EXPECT_EQ(m.moves->alter(coming, nullptr, "/a"), ErrorCode::kReplicaNotAvailable);
  EXPECT_EQ(LogManager::directory(*m.manager->create(coming, kId)), "/a") << "though /b holds fewer";
  m.manager->disk_failed(m.manager->find(coming), {ErrorKind::kIo, "gone"});
  EXPECT_EQ(m.move("/b"), ErrorCode::kKafkaStorageError);
}

TEST_F(Moves, DoNotCarryOnWhatHasRotted) {
  begin();
  ASSERT_TRUE(m.disk.flip_bit("/a/t-0/00000000000000000000.log", 40, 3));
  ASSERT_EQ(m.move("/b"), ErrorCode::kNone);
  m.finish();
  EXPECT_EQ(m.where(), "/a");
  EXPECT_EQ(m.manager->find_future(kName), nullptr);
  EXPECT_TRUE(m.events.contains("to match its checksum"));
}

TEST_F(Moves, WaitForRoom) {
  begin();
  ASSERT_EQ(m.move("/b"), ErrorCode::kNone);
  m.disk.set_capacity(m.disk.used_bytes() + 100);
  m.finish();
  EXPECT_EQ(m.where(), "/a");
  m.disk.set_capacity(1 << 30);
  m.finish();
  EXPECT_EQ(m.where(), "/b");
  EXPECT_EQ(m.records(), numbered(0, 20));
}

// Writes and moves there and back until the power goes.
struct Errand {
  explicit Errand(Machine& machine) : m(machine) {}
  void run() {
    if (!m.start() || !write(8)) return;
    if (!m.manager->flush(m.manager->find(kName))) return;
    synced = written;
    for (const char* to : {"/b", "/a"}) {
      if (m.move(to) != ErrorCode::kNone) return;
      for (int i = 0; i < 3; ++i)
        if (m.background.run_one(); !write(1)) return;
      m.background.run_all();
      m.clock.advance_ms(3000);
      m.manager->tick();
      m.background.run_all();
      if (m.disk.down() || m.where() != to) return;
      if (!write(2)) return;
    }
    finished = true;
  }
  bool write(int count) {
    for (int i = 0; i < count; ++i, ++written) {
      maybe = 1;
      if (!m.append("v" + std::to_string(written) + "-")) return false;
      maybe = 0;
    }
    return true;
  }
  Machine& m;
  int written = 0, maybe = 0, synced = 0;
  bool finished = false;
};

TEST(MovesCrash, APowerCutAtEveryChangeOfTheDisk) {
  for (const Crash kind : {Crash::kProcess, Crash::kPower}) {
    bool finished = false;
    for (std::uint64_t step = 0; !finished; ++step) {
      for (std::uint64_t seed = 1; seed <= (kind == Crash::kPower ? 8u : 1u); ++seed) {
        SCOPED_TRACE("step " + std::to_string(step) + " seed " + std::to_string(seed) +
                     (kind == Crash::kPower ? " power" : " process"));
        Machine m(seed);
        m.disk.cut_power_after(step);
        Errand errand(m);
        errand.run();
        ASSERT_LT(step, 3000u) << m.where() << " " << errand.written;
        finished = errand.finished;
        m.die(kind);
        ASSERT_TRUE(m.start()) << ::testing::PrintToString(m.disk.files());
        const int found = static_cast<int>(m.records().size());
        ASSERT_GE(found, kind == Crash::kPower ? errand.synced : errand.written);
        ASSERT_LE(found, errand.written + errand.maybe);
        ASSERT_EQ(m.records(), numbered(0, found));
        // What was begun is finished, and only one folder is left.
        const bool going_on = m.manager->find_future(kName) != nullptr;
        const std::string from = m.where();
        ASSERT_TRUE(m.append("v" + std::to_string(found) + "-"));
        m.finish();
        ASSERT_EQ(m.where() != from, going_on);
        ASSERT_EQ(m.records(), numbered(0, found + 1));
        ASSERT_EQ(m.folders(), (std::vector<std::string>{m.where() + "/t-0"}));
        m.die(Crash::kPower);
        ASSERT_TRUE(m.start());
        ASSERT_EQ(m.folders(), (std::vector<std::string>{m.where() + "/t-0"}));
      }
    }
  }
}

// The target fails at each of its operations; or the source does. With either back at the next start, nothing
// acknowledged is lost.
TEST(MovesCrash, ADirectoryThatFailsAtEveryOperation) {
  for (const std::string failing : {"/b", "/a"}) {
    for (const DiskOp op : {DiskOp::kWrite, DiskOp::kSync, DiskOp::kRename, DiskOp::kSyncDirectory,
                            DiskOp::kOpen, DiskOp::kTruncate, DiskOp::kRemove}) {
      bool failed = true;
      for (std::uint64_t skip = 0; failed; ++skip) {
        SCOPED_TRACE(failing + " op " + std::to_string(static_cast<int>(op)) + " skip " +
                     std::to_string(skip));
        Machine m;
        ASSERT_TRUE(m.start());
        Errand errand(m);
        ASSERT_TRUE(errand.write(8));
        m.disk.add_fault({.op = op, .path = failing + "/t-0", .skip = skip});
        m.disk.add_fault({.op = op, .path = failing, .skip = skip});
        if (m.move("/b") == ErrorCode::kNone) m.finish();
        failed = m.manager->directories()[failing == "/b"].online == false;
        const bool target_lost = failing == "/b" && failed;
        const bool serves = errand.write(3);
        if (target_lost) {
          EXPECT_EQ(serves, m.manager->find(kName) != nullptr && m.where() == "/a");
        }
        m.disk.clear_faults();
        m.die(Crash::kProcess);
        ASSERT_TRUE(m.start());
        m.finish();
        ASSERT_EQ(m.records(), numbered(0, static_cast<int>(m.records().size())));
        ASSERT_GE(static_cast<int>(m.records().size()), errand.written);
        ASSERT_LE(static_cast<int>(m.records().size()), errand.written + errand.maybe);
        ASSERT_EQ(m.folders(), (std::vector<std::string>{m.where() + "/t-0"}));
        if (skip > 60) break;
      }
    }
  }
}

}  // namespace
}  // namespace moldau::replica
