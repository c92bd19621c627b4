// What a start makes of what another process has left: Kafka's directories, and a power cut at every step.
#include <gtest/gtest.h>

#include "log/manager_fixture.h"
#include "tests/support/datadir.h"

namespace moldau::log {
namespace {

using simenv::Crash;
using testing::ManagerFixture;

const TopicPartition kA{"a", PartitionIndex{0}}, kB{"b.c-d", PartitionIndex{7}};
const Uuid kId = *Uuid::parse("Nf8SNjxxS1iaaNI5b1REpA");

// ---- Kafka's directories
// --------------------------------------------------------------------------------------------------

TEST(LogManager, OpensEveryRecordedDirectory) {
  for (const std::string& name : golden::datadir_names()) {
    SCOPED_TRACE(name);
    ManagerFixture f;
    golden::unpack_datadir(name, f.disk, "/data");
    const bool clean = f.disk.exists("/data/.kafka_cleanshutdown");
    ASSERT_TRUE(f.open());
    EXPECT_EQ(f.report.logs_scanned == 0, clean);
    const auto expected = golden::datadir_expectation(name);
    for (const auto& [topic, partitions] : expected.at("topics").as_object()) {
      for (const auto& [number, what] : partitions.as_object()) {
        const auto handle =
            f.manager->find({std::string(topic), PartitionIndex{std::stoi(std::string(number))}});
        ASSERT_NE(handle, nullptr) << topic;
        EXPECT_EQ(LogManager::log(handle).start_offset().value, what.as_object().at("log_start").as_int64())
            << topic;
        EXPECT_EQ(LogManager::log(handle).end_offset().value, what.as_object().at("log_end").as_int64())
            << topic;
      }
    }
    ASSERT_TRUE(f.manager->close());
  }
}

// ---- many torn tails
// ------------------------------------------------------------------------------------------------------

TEST(LogManager, ManyTornTailsCostOneWait) {
  ManagerFixture f;
  ASSERT_TRUE(f.open());
  constexpr int kLogs = 40;
  for (int i = 0; i < kLogs; ++i) {
    auto made = f.manager->create({"t", PartitionIndex{i}}, kId);
    ASSERT_TRUE(made && ManagerFixture::append(LogManager::log(*made), "a"));
    auto file =
        f.disk.open("/data/t-" + std::to_string(i) + "/00000000000000000000.log", env::OpenMode::kReadWrite);
    ASSERT_TRUE(file && (*file)->write_at(LogManager::log(*made).size_bytes(), as_bytes("half a batch")));
  }
  f.crash(Crash::kProcess);
  const std::uint64_t before = f.disk.counters()[simenv::DiskOp::kSync];
  ASSERT_TRUE(f.open());
  EXPECT_EQ(f.report.bytes_dropped, kLogs * 12u);
  EXPECT_LE(f.disk.counters()[simenv::DiskOp::kSync] - before, 2u);
  f.crash(Crash::kPower);
  ASSERT_TRUE(f.open());
  EXPECT_EQ(f.report.bytes_dropped, 0u);
  EXPECT_EQ(ManagerFixture::values(LogManager::log(f.manager->find({"t", PartitionIndex{7}}))).size(), 1u);
}

// ---- a cut at every step
// ------------------------------------------------------------------------------------------------------

// Does a little of everything until the power goes; remembers what it was promised.
class Errand {
 public:
  explicit Errand(ManagerFixture& f) : f_(f) {}

  std::vector<std::string> written;  // of partition a
  std::size_t synced = 0;            // so many of them for good
  std::size_t maybe = 0;             // one more may be there

  void run() {
    f_.config->segment_bytes = 600;
    f_.config->index_interval_bytes = 100;
    f_.config->file_delete_delay_ms = 0;
    f_.config->retention_ms = -1;
    if (!f_.open()) return;
    auto made = f_.manager->create(kA, kId);
    if (!made) return;
    log_ = &LogManager::log(*made);
    auto other = f_.manager->create(kB, kId);
    if (!other) return;
    if (!append(6) || !flush(*made) || !append(5) || !flush(*made)) return;
    if (!f_.manager->write_checkpoints() || !append(4)) return;
    if (!truncate(*made, 12) || !append(3)) return;
    if (!ManagerFixture::append(LogManager::log(*other), "b") || !f_.manager->remove(kB)) return;
    auto again = f_.manager->create(kB, kId);
    if (!again || !ManagerFixture::append(LogManager::log(*again), "b")) return;
    if (!f_.manager->write_checkpoints() || !append(2) || !flush(*made) || !append(1)) return;
    if (log_->advance_start_offset(Offset{3}, log_->end_offset()) != wire::ErrorCode::kNone) return;
    f_.manager->run_retention();
    f_.clock.advance_ms(2000);
    f_.manager->tick();
    f_.background.run_all();
    if (!append(2) || !f_.manager->close()) return;
    synced = written.size();
    finished = true;
  }
  bool finished = false;

 private:
  bool append(int count) {
    for (int i = 0; i < count; ++i) {
      std::string value = "v" + std::to_string(next_++) + "-";
      maybe = 1;
      const auto done = ManagerFixture::append(*log_, value, 1, 80);
      if (!done) return false;
      EXPECT_EQ(done->first_offset.value, static_cast<std::int64_t>(written.size()));
      written.push_back(value + "0");
      maybe = 0;
    }
    return true;
  }
  bool flush(const LogManager::Handle& handle) {
    bool good = false;
    const std::size_t upto = written.size();
    f_.manager->flush_in_background(handle, true, [&](Status status) { good = status.has_value(); });
    f_.background.run_all();
    if (good) synced = upto;
    return good;
  }
  bool truncate(const LogManager::Handle& handle, std::size_t to) {
    synced = std::min(synced, to);
    const bool good = f_.manager->truncate(handle, Offset{static_cast<std::int64_t>(to)}).has_value();
    if (good) written.resize(to);
    cut_ = !good;
    return good;
  }

  ManagerFixture& f_;
  Log* log_ = nullptr;
  int next_ = 0;

 public:
  bool cut_ = false;  // in the middle of a truncation: the old end or the new one
};

void expect_promises_kept(ManagerFixture& f, const Errand& errand, Crash kind) {
  ASSERT_TRUE(f.open()) << f.manager.get();
  const auto a = f.manager->find(kA);
  if (a == nullptr) {
    EXPECT_EQ(errand.synced, 0u);
    EXPECT_TRUE(kind == Crash::kPower || errand.written.empty());
    return;
  }
  Log& log = LogManager::log(a);
  const std::vector<std::string> found = ManagerFixture::values(log);
  const auto start = static_cast<std::size_t>(log.start_offset().value);
  EXPECT_LE(start, 3u);
  const auto end = static_cast<std::size_t>(log.end_offset().value);
  EXPECT_EQ(found.size(), end - start)
      << ::testing::PrintToString(f.report.lines) << ::testing::PrintToString(found)
      << ::testing::PrintToString(errand.written);
  const std::size_t promised = kind == Crash::kPower || errand.cut_ ? errand.synced : errand.written.size();
  EXPECT_GE(end, promised);
  if (kind == Crash::kProcess && !errand.cut_) {
    EXPECT_LE(end, errand.written.size() + errand.maybe);
  }
  for (std::size_t i = start; i < promised; ++i) EXPECT_EQ(found[i - start], errand.written[i]);
  // Life goes on, and a clean stop keeps it.
  ASSERT_TRUE(ManagerFixture::append(log, "after", 1, 80));
  const auto after = ManagerFixture::values(log);
  EXPECT_EQ(after.size(), found.size() + 1);
  ASSERT_TRUE(f.manager->close());
  ASSERT_TRUE(f.open());
  EXPECT_EQ(f.report.logs_scanned, 0u);
  EXPECT_EQ(ManagerFixture::values(LogManager::log(f.manager->find(kA))), after);
}

TEST(LogManager, APowerCutAtEveryStep) {
  for (const Crash kind : {Crash::kProcess, Crash::kPower}) {
    bool finished = false;
    for (std::uint64_t step = 0; !finished; ++step) {
      for (std::uint64_t seed = 1; seed <= (kind == Crash::kPower ? 6u : 2u); ++seed) {
        SCOPED_TRACE("step " + std::to_string(step) + " seed " + std::to_string(seed) +
                     (kind == Crash::kPower ? " power" : " process"));
        ManagerFixture f(seed);
        f.disk.cut_power_after(step);
        Errand errand(f);
        errand.run();
        finished = errand.finished;
        f.crash(kind);
        expect_promises_kept(f, errand, kind);
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

// With flush.messages=1 a start after a kill syncs what the kill has left in the page cache: it may have been
// acknowledged, and readers are shown it.
TEST(LogManager, WhatAKillLeftUnsyncedSurvivesAPowerCutAfterTheNextStart) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    ManagerFixture f(seed);
    auto config = std::make_shared<LogConfig>();
    config->flush_messages = 1;
    f.config = config;
    ASSERT_TRUE(f.open());
    {
      const auto made = f.manager->create({"t", PartitionIndex{0}}, *Uuid::parse("Nf8SNjxxS1iaaNI5b1REpA"));
      ASSERT_TRUE(f.manager->flush(*made));
      for (int i = 0; i < 5; ++i)
        ASSERT_TRUE(ManagerFixture::append(LogManager::log(*made), "v" + std::to_string(i)));
    }
    f.crash(simenv::Crash::kProcess);
    ASSERT_TRUE(f.open());
    const auto found = [&] { return f.manager->find({"t", PartitionIndex{0}}); };
    EXPECT_EQ(LogManager::log(found()).recovery_point(), Offset{5});
    f.crash(simenv::Crash::kPower);
    ASSERT_TRUE(f.open());
    EXPECT_EQ(ManagerFixture::values(LogManager::log(found())),
              (std::vector<std::string>{"v00", "v10", "v20", "v30", "v40"}));
  }
}

}  // namespace
}  // namespace moldau::log
