#include <algorithm>
#include <gtest/gtest.h>
#include <string>

#include "simenv/background.h"
#include "simenv/clock.h"
#include "simenv/disk.h"

namespace moldau::simenv {
namespace {

std::string text_of(Disk& disk, const std::string& path) {
  auto content = disk.read_file(path);
  return content ? std::string(as_text(*content)) : "?";
}

void put(Disk& disk, const std::string& path, std::string_view text, bool sync) {
  auto file = disk.open(path, env::OpenMode::kCreate);
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->write_at(*(*file)->size(), as_bytes(text)));
  if (sync) {
    ASSERT_TRUE((*file)->sync());
  }
}

TEST(Random, RepeatsForASeed) {
  Random a(7), b(7), c(8);
  const std::uint64_t first = a.next();
  EXPECT_EQ(first, b.next());
  EXPECT_NE(first, c.next());
}

TEST(Clock, MovesWhenTold) {
  Clock clock(1000);
  const auto start = clock.now();
  clock.advance_ms(5);
  clock.jump_wall_ms(-500);
  EXPECT_EQ(clock.now() - start, std::chrono::milliseconds(5));
  EXPECT_EQ(clock.wall_ms(), 505);
}

TEST(Background, KeepsTheOrderOfAKey) {
  Random random(3);
  Background pool(&random, 20);
  std::vector<int> ran[2];
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(pool.submit(i % 2, [&ran, i] { ran[i % 2].push_back(i); }));
  EXPECT_FALSE(pool.submit(0, [] {}));
  pool.run_all();
  for (auto& list : ran) EXPECT_TRUE(std::ranges::is_sorted(list));
  EXPECT_EQ(ran[0].size() + ran[1].size(), 20u);
}

TEST(Disk, BehavesAsAFileSystem) {
  Clock clock(5000);
  Disk disk(1, &clock);
  ASSERT_TRUE(disk.create_directories("/d/sub"));
  put(disk, "/d/b", "hello", false);
  put(disk, "/d/b", " world", false);
  EXPECT_EQ(text_of(disk, "/d/b"), "hello world");
  auto entries = disk.list("/d");
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0], (env::DirEntry{"b", false, 11, 5000}));
  EXPECT_TRUE((*entries)[1].is_directory);
  EXPECT_EQ(disk.open("/d/none", env::OpenMode::kRead).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(disk.open("/none/a", env::OpenMode::kCreate).error().kind, ErrorKind::kNotFound);

  auto handle = disk.open("/d/b", env::OpenMode::kReadWrite);
  ASSERT_TRUE(disk.rename("/d/b", "/d/sub/c"));
  ASSERT_TRUE((*handle)->truncate(5));
  EXPECT_EQ(text_of(disk, "/d/sub/c"), "hello");
  ASSERT_TRUE(disk.rename("/d/sub", "/d/other"));
  EXPECT_EQ(text_of(disk, "/d/other/c"), "hello");
  EXPECT_FALSE(disk.remove("/d/other"));
  EXPECT_EQ(disk.used_bytes(), 5u);
  ASSERT_TRUE(disk.remove_all("/d"));
  EXPECT_EQ(disk.used_bytes(), 0u);
  EXPECT_FALSE(disk.exists("/d"));
}

TEST(Disk, ForgetsWhatWasNotReadIn) {
  Disk disk(1);
  put(disk, "/a", std::string(10'000, 'x'), true);
  const auto file = *disk.open("/a", env::OpenMode::kReadWrite);
  Bytes bytes(100);
  EXPECT_EQ(file->read_cached(5000, bytes), 100u);
  disk.forget_cache();
  ASSERT_FALSE(file->read_cached(5000, bytes));
  EXPECT_EQ(file->read_cached(5000, bytes).error().kind, ErrorKind::kWouldBlock);
  EXPECT_EQ(file->read_at(5000, bytes), 100u);
  EXPECT_EQ(file->read_cached(5000, bytes), 100u);
  EXPECT_FALSE(file->read_cached(4000, bytes)) << "the page before";
  EXPECT_EQ(disk.counters().would_block, 3u);
  disk.set_forgetful(2);
  int missed = 0;
  for (int i = 0; i < 100; ++i) {
    if (file->read_cached(0, bytes)) continue;
    ++missed;
    ASSERT_TRUE(file->read_at(0, bytes));
  }
  EXPECT_GT(missed, 20);
  EXPECT_LT(missed, 80);
}

TEST(Disk, LocksUntilLetGo) {
  Disk disk(1);
  auto lock = disk.lock("/.lock");
  ASSERT_TRUE(lock);
  EXPECT_EQ(disk.lock("/.lock").error().kind, ErrorKind::kBusy);
  lock->reset();
  EXPECT_TRUE(disk.lock("/.lock"));
}

TEST(Disk, AProcessCrashKeepsWhatWasWritten) {
  Disk disk(1);
  put(disk, "/a", "written", false);
  auto handle = disk.open("/a", env::OpenMode::kReadWrite);
  disk.crash(Crash::kProcess);
  EXPECT_EQ(text_of(disk, "/a"), "written");
  EXPECT_FALSE((*handle)->sync());
}

// Synced bytes and names always survive; others sometimes, and sometimes torn.
TEST(Disk, APowerCutLosesAndTears) {
  int lost = 0, whole = 0, torn = 0, nameless = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Disk disk(seed);
    put(disk, "/kept", std::string(2000, 'k'), true);
    ASSERT_TRUE(disk.sync_directory("/"));
    put(disk, "/kept", std::string(3000, 'n'), false);
    put(disk, "/new", "x", true);
    disk.crash(Crash::kPower);
    const std::string text = text_of(disk, "/kept");
    ASSERT_GE(text.size(), 2000u);
    ASSERT_EQ(text.substr(0, 2000), std::string(2000, 'k'));
    const bool zeros = text.find('\0') != std::string::npos;
    lost += text.size() == 2000;
    whole += text.size() == 5000 && !zeros;
    torn += zeros;
    nameless += !disk.exists("/new");
  }
  EXPECT_GT(lost, 20);
  EXPECT_GT(whole, 5);
  EXPECT_GT(torn, 20);
  EXPECT_GT(nameless, 50);
  EXPECT_LT(nameless, 250);
}

TEST(Disk, EverythingIsSyncedAtOnce) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Disk disk(seed);
    put(disk, "/a", std::string(3000, 'a'), false);
    put(disk, "/b", "b", false);
    ASSERT_TRUE(disk.sync_all("/"));
    disk.crash(Crash::kPower);
    EXPECT_EQ(text_of(disk, "/a"), std::string(3000, 'a'));
    EXPECT_EQ(text_of(disk, "/b"), "b");
  }
}

TEST(Disk, RenameThenCrashIsOneOrTheOther) {
  int old_there = 0, new_there = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Disk disk(seed);
    ASSERT_TRUE(disk.create_directories("/d"));
    ASSERT_TRUE(disk.replace_file("/d/c", as_bytes("one")));
    {
      auto file = disk.open("/d/c.tmp", env::OpenMode::kTruncate);
      ASSERT_TRUE((*file)->write_at(0, as_bytes("two")));
      ASSERT_TRUE((*file)->sync());
    }
    ASSERT_TRUE(disk.rename("/d/c.tmp", "/d/c"));
    disk.crash(Crash::kPower);
    old_there += text_of(disk, "/d/c") == "one";
    new_there += text_of(disk, "/d/c") == "two";
  }
  EXPECT_EQ(old_there + new_there, 50);
  EXPECT_GT(old_there, 5);
  EXPECT_GT(new_there, 5);
}

TEST(Disk, ThePowerGoesAtAGivenOperation) {
  for (std::uint64_t step = 0; step < 4; ++step) {
    Disk disk(step);
    ASSERT_TRUE(disk.create_directories("/d"));
    disk.cut_power_after(step);
    const Status done =
        disk.replace_file("/d/c", as_bytes("text"));  // write, sync, rename, sync of the folder
    EXPECT_FALSE(done) << step;
    EXPECT_TRUE(disk.down());
    EXPECT_FALSE(disk.open("/other", env::OpenMode::kCreate));
    disk.crash(Crash::kProcess);
    EXPECT_EQ(text_of(disk, "/d/c") == "text", step == 3);
  }
  Disk disk(9);
  ASSERT_TRUE(disk.create_directories("/d"));
  disk.cut_power_after(4);
  EXPECT_TRUE(disk.replace_file("/d/c", as_bytes("text")));
}

TEST(Disk, Full) {
  Disk disk(1);
  disk.set_capacity(10);
  put(disk, "/a", "1234", false);
  auto file = disk.open("/b", env::OpenMode::kCreate);
  auto written = (*file)->write_at(0, as_bytes("123456789"));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::kNoSpace);
  EXPECT_EQ(*(*file)->size(), 6u);  // what fitted is there
  EXPECT_EQ(*disk.free_bytes("/"), 0u);
  ASSERT_TRUE(disk.remove("/a"));
  EXPECT_TRUE((*file)->write_at(0, as_bytes("1234567890")));
}

TEST(Disk, FaultsRotLatencyCounters) {
  Clock clock;
  Disk disk(1, &clock);
  put(disk, "/a.log", "abc", true);
  disk.add_fault({.op = DiskOp::kRead, .path = ".log", .skip = 1, .times = 1});
  EXPECT_EQ(text_of(disk, "/a.log"), "abc");
  EXPECT_EQ(text_of(disk, "/a.log"), "?");
  EXPECT_EQ(text_of(disk, "/a.log"), "abc");
  EXPECT_EQ(disk.counters()[DiskOp::kRead], 3u);
  EXPECT_EQ(disk.counters().bytes_read, 6u);
  EXPECT_TRUE(disk.flip_bit("/a.log", 0, 1));
  EXPECT_FALSE(disk.flip_bit("/a.log", 3, 1));
  EXPECT_EQ(text_of(disk, "/a.log"), "cbc");
  disk.set_latency(DiskOp::kSync, std::chrono::milliseconds(30));
  const auto before = clock.now();
  put(disk, "/a.log", "d", true);
  EXPECT_EQ(clock.now() - before, std::chrono::milliseconds(30));
}

}  // namespace
}  // namespace moldau::simenv
