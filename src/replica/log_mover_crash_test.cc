// Moves between two log directories, with the power cut at every change of the disk, and with a directory
// that fails at every operation.
#include <gtest/gtest.h>

#include "replica/log_mover.h"
#include "replica/moves_fixture.h"

namespace moldau::replica {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the fixture

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
