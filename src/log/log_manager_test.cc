#include "log/log_manager.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "log/checkpoint.h"
#include "log/manager_fixture.h"
#include "record/records.h"

namespace moldau::log {
namespace {

using simenv::Crash;
using testing::ManagerFixture;

const TopicPartition kA{"a", PartitionIndex{0}}, kB{"b.c-d", PartitionIndex{7}};
const Uuid kId = *Uuid::parse("Nf8SNjxxS1iaaNI5b1REpA");

TEST(LogManager, MakesWhatIsMissing) {
  ManagerFixture f;
  f.options.directories = {"/data/one", "/data/two"};
  ASSERT_TRUE(f.open());
  EXPECT_EQ(f.manager->node_id(), BrokerId{1});
  EXPECT_EQ(f.manager->cluster_id().size(), 22u);
  const auto directories = f.manager->directories();
  ASSERT_EQ(directories.size(), 2u);
  EXPECT_NE(directories[0].id, directories[1].id);
  EXPECT_EQ(f.text_of("/data/one/meta.properties"), "#\ncluster.id=" + f.manager->cluster_id() +
                                                        "\ndirectory.id=" + directories[0].id.to_string() +
                                                        "\nnode.id=1\nversion=1\n");
}

TEST(LogManager, KeepsItsLogsOverACleanStop) {
  ManagerFixture f;
  ASSERT_TRUE(f.open());
  const std::string cluster = f.manager->cluster_id();
  auto a = f.manager->create(kA, kId);
  auto b = f.manager->create(kB, {});
  ASSERT_TRUE(a && b);
  ASSERT_TRUE(ManagerFixture::append(LogManager::log(*a), "x", 3));
  ASSERT_TRUE(f.manager->close(15));
  EXPECT_EQ(f.text_of("/data/.kafka_cleanshutdown"), "{\"version\":0,\"brokerEpoch\":15}");
  EXPECT_EQ(f.text_of("/data/recovery-point-offset-checkpoint"), "0\n2\na 0 3\nb.c-d 7 0\n");
  EXPECT_EQ(f.text_of("/data/a-0/partition.metadata"), "version: 0\ntopic_id: " + kId.to_string());
  a->reset(), b->reset();

  ASSERT_TRUE(f.open());
  EXPECT_EQ(f.manager->cluster_id(), cluster);
  EXPECT_TRUE(f.manager->directories()[0].was_clean);
  EXPECT_FALSE(f.disk.exists("/data/.kafka_cleanshutdown"));
  EXPECT_EQ(f.report.logs, 2u);
  EXPECT_EQ(f.report.logs_scanned, 0u);
  ASSERT_EQ(f.manager->all().size(), 2u);
  Log& log = LogManager::log(f.manager->find(kA));
  EXPECT_EQ(log.end_offset(), Offset{3});
  EXPECT_EQ(*log.topic_id(), kId);
  EXPECT_EQ(ManagerFixture::values(log), (std::vector<std::string>{"x0", "x1", "x2"}));
}

// A clean start of many partitions looks at folders and whose they are, not into logs and their indexes.
TEST(LogManager, ACleanStartReadsNoLogs) {
  ManagerFixture f;
  ASSERT_TRUE(f.open());
  for (int i = 0; i < 50; ++i) {
    auto log = f.manager->create({"t", PartitionIndex{i}}, kId);
    ASSERT_TRUE(ManagerFixture::append(LogManager::log(*log), "x"));
  }
  ASSERT_TRUE(f.manager->close());
  const auto before = f.disk.counters();
  ASSERT_TRUE(f.open());
  const auto& after = f.disk.counters();
  using simenv::DiskOp;
  EXPECT_EQ(after[DiskOp::kList] - before[DiskOp::kList], 51u);
  // One partition.metadata each, meta.properties and checkpoints.
  EXPECT_LE(after[DiskOp::kRead] - before[DiskOp::kRead], 50u + 5u);
  EXPECT_LE(after[DiskOp::kOpen] - before[DiskOp::kOpen], 50u + 6u);
  EXPECT_EQ(LogManager::log(f.manager->find({"t", PartitionIndex{49}})).end_offset(), Offset{1});
}

TEST(LogManager, RefusesAnothersDirectory) {
  ManagerFixture f;
  ASSERT_TRUE(f.disk.create_directories("/data"));
  const auto expect_refusal = [&](const char* properties, ErrorKind kind, const char* message) {
    ASSERT_TRUE(f.disk.replace_file("/data/meta.properties", as_bytes(properties)));
    f.options.cluster_id = "AAAAAAAAAAAAAAAAAAAAAQ";
    f.options.node_id = BrokerId{3};
    const Status opened = f.open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, kind);
    EXPECT_EQ(opened.error().message, message);
  };
  expect_refusal("version=1\nnode.id=3\ncluster.id=other\n", ErrorKind::kInvalid,
                 "/data/meta.properties: cluster.id: expected AAAAAAAAAAAAAAAAAAAAAQ, found other");
  expect_refusal("version=1\nnode.id=4\n", ErrorKind::kInvalid,
                 "/data/meta.properties: node.id: expected 3, found 4");
  expect_refusal("version=0\nbroker.id=9\n", ErrorKind::kInvalid,
                 "/data/meta.properties: broker.id: expected 3, found 9");
  expect_refusal("version=2\nnode.id=3\n", ErrorKind::kUnsupported,
                 "/data/meta.properties: version: expected 0 or 1, found 2, written by a newer version");
  expect_refusal("version=1\nnode.id=three\n", ErrorKind::kInvalid,
                 "/data/meta.properties: node.id: expected a number, found \"three\"");
  expect_refusal("node.id=3\n", ErrorKind::kInvalid,
                 "/data/meta.properties: version: expected 0 or 1, found \"\"");
}

TEST(LogManager, TakesIdentityFromTheDirectory) {
  ManagerFixture f;
  ASSERT_TRUE(f.disk.create_directories("/data"));
  ASSERT_TRUE(
      f.disk.replace_file("/data/meta.properties",
                          as_bytes("#\n#Sun Nov 22\nversion=0\nbroker.id=5\ncluster.id=abc\nkept=yes\n")));
  ASSERT_TRUE(f.open());
  EXPECT_EQ(f.manager->node_id(), BrokerId{5});
  EXPECT_EQ(f.manager->cluster_id(), "abc");
  const std::string text = f.text_of("/data/meta.properties");
  EXPECT_NE(text.find("node.id=5\nversion=1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("kept=yes\n"), std::string::npos);
  EXPECT_EQ(text.find("broker.id"), std::string::npos);
}

TEST(LogManager, ALockedDirectoryIsAMistake) {
  ManagerFixture f;
  ASSERT_TRUE(f.open());
  auto other = LogManager::open({f.disk, f.clock, f.random, f.background, f.events}, f.options);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, ErrorKind::kBusy);
  EXPECT_NE(other.error().message.find("/data/.lock"), std::string::npos);
  ASSERT_TRUE(f.manager->close());
  EXPECT_TRUE(f.open());
}

TEST(LogManager, OneBadDirectoryDoesNotStopTheOthers) {
  ManagerFixture f;
  f.options.directories = {"/bad", "/good"};
  ASSERT_TRUE(f.disk.create_directories("/bad"));
  f.disk.add_fault({.op = simenv::DiskOp::kOpen, .path = "/bad"});
  ASSERT_TRUE(f.open());
  const auto directories = f.manager->directories();
  EXPECT_FALSE(directories[0].online);
  EXPECT_NE(directories[0].why_offline.find("/bad"), std::string::npos);
  ASSERT_TRUE(directories[1].online);
  ASSERT_TRUE(f.manager->create(kA, kId));
  EXPECT_EQ(LogManager::directory(f.manager->find(kA)), "/good");
  EXPECT_TRUE(f.manager->close());

  f.options.directories = {"/bad"};
  EXPECT_FALSE(f.open());
}

TEST(LogManager, AFailingDirectoryGoesOffline) {
  ManagerFixture f;
  f.options.directories = {"/one", "/two"};
  ASSERT_TRUE(f.open());
  ASSERT_TRUE(f.manager->create(kA, kId));
  ASSERT_TRUE(f.manager->create(kB, kId));  // in the emptier one
  const auto a = f.manager->find(kA), b = f.manager->find(kB);
  ASSERT_NE(LogManager::directory(a), LogManager::directory(b));
  std::vector<TopicPartition> lost;
  f.manager->on_offline([&](const DirectoryStatus& status, std::vector<TopicPartition> partitions) {
    EXPECT_EQ(status.path, LogManager::directory(a));
    lost = std::move(partitions);
  });

  f.disk.add_fault({.op = simenv::DiskOp::kWrite, .path = LogManager::directory(a) + "/"});
  const auto refused = ManagerFixture::append(LogManager::log(a), "x");
  ASSERT_FALSE(refused);
  f.manager->disk_failed(a, refused.error());
  EXPECT_EQ(lost, std::vector{kA});
  EXPECT_TRUE(LogManager::gone(a));
  EXPECT_EQ(f.manager->find(kA), nullptr);
  EXPECT_FALSE(LogManager::gone(b));
  EXPECT_TRUE(ManagerFixture::append(LogManager::log(b), "x"));
  EXPECT_TRUE(f.events.contains("Stopping serving logs in dir " + LogManager::directory(a)));
  lost.clear();
  f.manager->disk_failed(a, refused.error());
  EXPECT_TRUE(lost.empty()) << "told once";
  EXPECT_TRUE(f.manager->close());
  EXPECT_FALSE(f.disk.exists(LogManager::directory(a) + "/.kafka_cleanshutdown"));
  EXPECT_TRUE(f.disk.exists(LogManager::directory(b) + "/.kafka_cleanshutdown"));
}

TEST(LogManager, AFullDiskRefusesWritesUntilThereIsRoom) {
  ManagerFixture f;
  ASSERT_TRUE(f.open());
  auto a = f.manager->create(kA, kId);
  Log& log = LogManager::log(*a);
  ASSERT_TRUE(ManagerFixture::append(log, "x"));
  f.disk.set_capacity(f.disk.used_bytes() + 20);
  for (int i = 0; i < 3; ++i) {
    const auto refused = ManagerFixture::append(log, "y");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kNoSpace);
    f.manager->disk_failed(*a, refused.error());
  }
  EXPECT_TRUE(f.manager->directories()[0].online);
  EXPECT_EQ(ManagerFixture::values(log), std::vector<std::string>{"x0"});
  f.disk.set_capacity(1 << 30);
  ASSERT_TRUE(ManagerFixture::append(log, "z"));
  EXPECT_EQ(ManagerFixture::values(log), (std::vector<std::string>{"x0", "z0"}));
}

TEST(LogManager, RemovalTakesItsTime) {
  ManagerFixture f;
  f.config->file_delete_delay_ms = 60'000;
  ASSERT_TRUE(f.open());
  auto a = f.manager->create(kA, kId);
  ASSERT_TRUE(ManagerFixture::append(LogManager::log(*a), "old"));
  auto slice = LogManager::log(*a).read(Offset{0}, 1000, Offset{1}, true);
  ASSERT_TRUE(f.manager->remove(kA));
  EXPECT_TRUE(LogManager::gone(*a));
  EXPECT_EQ(f.manager->remove(kA).error().kind, ErrorKind::kNotFound);
  EXPECT_FALSE(f.disk.exists("/data/a-0"));

  auto again = f.manager->create(kA, kId);  // the name is free at once
  ASSERT_TRUE(again);
  EXPECT_EQ(LogManager::log(*again).end_offset(), Offset{0});
  const auto folders = [&] {
    return std::ranges::count_if(*f.disk.list("/data"),
                                 [](const auto& e) { return e.name.ends_with("-delete"); });
  };
  EXPECT_EQ(folders(), 1);
  Bytes bytes(slice->slice.length);
  EXPECT_TRUE(slice->slice.file->read_at(0, bytes)) << "a reply under way is not disturbed";
  f.clock.advance_ms(30'000);
  f.manager->tick();
  f.background.run_all();
  EXPECT_EQ(folders(), 1);
  f.clock.advance_ms(31'000);
  f.manager->tick();
  f.background.run_all();
  EXPECT_EQ(folders(), 0);
}

TEST(LogManager, FoldersOfOtherKinds) {
  ManagerFixture f;
  ASSERT_TRUE(f.open());
  ASSERT_TRUE(f.manager->create(kA, kId));
  ASSERT_TRUE(f.manager->create(kB, kId));
  ASSERT_TRUE(f.manager->set_aside(kB));
  ASSERT_TRUE(f.manager->close());
  for (const char* folder :
       {"x-0.00112233445566778899aabbccddeeff-delete", "c-0.00112233445566778899aabbccddeeff-future",
        "lost+found", "__cluster_metadata-0", "remote-log-index-cache"})
    ASSERT_TRUE(f.disk.create_directories(std::string("/data/") + folder));
  ASSERT_TRUE(f.open());
  ASSERT_EQ(f.manager->all().size(), 1u);
  EXPECT_NE(f.manager->find_future({"c", PartitionIndex{0}}), nullptr);
  EXPECT_EQ(f.manager->find(kB), nullptr);
  const auto told = [&](std::string_view text) {
    return std::ranges::any_of(f.report.lines,
                               [&](const auto& line) { return line.find(text) != std::string::npos; });
  };
  EXPECT_TRUE(told("lost+found: not the folder of a partition"));
  EXPECT_TRUE(told("-stray: set aside earlier"));
  f.clock.advance_ms(2000);
  f.manager->tick();
  f.background.run_all();
  EXPECT_FALSE(f.disk.exists("/data/x-0.00112233445566778899aabbccddeeff-delete"));
  EXPECT_TRUE(f.disk.exists("/data/__cluster_metadata-0"));
}

TEST(LogManager, OnePartitionInTwoDirectoriesIsAMistake) {
  ManagerFixture f;
  f.options.directories = {"/one", "/two"};
  ASSERT_TRUE(f.disk.create_directories("/one/a-0"));
  ASSERT_TRUE(f.disk.create_directories("/two/a-0"));
  const Status opened = f.open();
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("a-0: expected in one log directory, found in /one and in /two"),
            std::string::npos);
}

// Checkpoints that are empty, cut, or lie about a clean directory: told, and mended from the logs.
TEST(LogManager, LyingCheckpoints) {
  for (const char* content : {"", "0\n", "0\n1\n", "0\n1\na 0 2\n", "0\n1\na 0 9000\n", "0\n1\na 0 0\n",
                              "7\n0\n", "0\n5\na 0 5\n", "\xff\xfe\x00garbage", "0\n1\na 0 -4\n"}) {
    for (const bool clean : {true, false}) {
      SCOPED_TRACE(std::string(content) + (clean ? " clean" : " killed"));
      ManagerFixture f;
      ASSERT_TRUE(f.open());
      {
        auto a = f.manager->create(kA, kId);
        for (int i = 0; i < 5; ++i)
          ASSERT_TRUE(ManagerFixture::append(LogManager::log(*a), "v" + std::to_string(i)));
      }
      ASSERT_TRUE(f.manager->close());
      if (!clean) ASSERT_TRUE(f.disk.remove("/data/.kafka_cleanshutdown"));
      for (const char* name : {kRecoveryPointName, kHighWatermarkName})
        ASSERT_TRUE(f.disk.replace_file(std::string("/data/") + name, as_bytes(content)));
      ASSERT_TRUE(f.open());
      Log& log = LogManager::log(f.manager->find(kA));
      EXPECT_EQ(ManagerFixture::values(log), (std::vector<std::string>{"v00", "v10", "v20", "v30", "v40"}));
      EXPECT_EQ(log.end_offset(), Offset{5});
      ASSERT_TRUE(ManagerFixture::append(log, "more"));
      EXPECT_LE(log.recovery_point(), log.end_offset());
    }
  }
}

TEST(LogManager, HighWatermarksAreKept) {
  ManagerFixture f;
  ASSERT_TRUE(f.open());
  ASSERT_TRUE(f.manager->create(kA, kId));
  ASSERT_TRUE(f.manager->create(kB, kId));
  ASSERT_TRUE(f.manager->checkpoint_high_watermarks(
      [](const TopicPartition& p) { return p == kA ? std::optional(Offset{12}) : std::nullopt; }));
  EXPECT_EQ(f.text_of("/data/replication-offset-checkpoint"), "0\n1\na 0 12\n");
  ASSERT_TRUE(f.manager->close());
  ASSERT_TRUE(f.open());
  EXPECT_EQ(f.manager->checkpointed_high_watermark(kA), Offset{12});
  EXPECT_EQ(f.manager->checkpointed_high_watermark(kB), std::nullopt);
}

TEST(LogManager, ChoresRunWhenTheyAreDue) {
  ManagerFixture f;
  f.config->flush_ms = 5000;
  f.config->retention_ms = 100'000;
  f.config->segment_bytes = 300;
  f.config->file_delete_delay_ms = 1000;
  ASSERT_TRUE(f.open());
  auto a = f.manager->create(kA, kId);
  Log& log = LogManager::log(*a);
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(ManagerFixture::append(log, "x", 1, 100));
  EXPECT_GT(log.segment_count(), 2u);
  const auto run_for = [&](int seconds) {
    for (int i = 0; i < seconds; ++i) {
      f.clock.advance_ms(1000);
      f.manager->tick();
      f.background.run_all();
    }
  };
  run_for(4);
  EXPECT_EQ(log.recovery_point(), Offset{0});
  run_for(12);
  EXPECT_EQ(log.recovery_point(), Offset{6}) << "flush.ms";
  run_for(60);
  EXPECT_EQ(f.text_of("/data/recovery-point-offset-checkpoint"), "0\n1\na 0 6\n");
  EXPECT_EQ(f.text_of("/data/written-offset-checkpoint"), "0\nboot-1\n1\na 0 6\n");
  LogManager::set_high_watermark(*a, Offset{2});
  run_for(300);
  EXPECT_GT(log.start_offset(), Offset{0});
  EXPECT_LE(log.start_offset(), Offset{2}) << "the high watermark holds retention back";
  LogManager::set_high_watermark(*a, Offset{6});
  run_for(700);
  EXPECT_EQ(log.start_offset(), Offset{6});
  for (const std::string& file : f.disk.files()) EXPECT_FALSE(file.ends_with(".deleted")) << file;
}

TEST(LogManager, TheCheckpointOfStartsFollowsDeleteRecords) {
  ManagerFixture f;
  ASSERT_TRUE(f.open());
  {
    auto a = f.manager->create(kA, kId);
    Log& log = LogManager::log(*a);
    ASSERT_TRUE(ManagerFixture::append(log, "x", 10));
    ASSERT_EQ(*log.advance_start_offset(Offset{4}, Offset{10}), wire::ErrorCode::kNone);
    ASSERT_TRUE(f.manager->write_checkpoints());
    EXPECT_EQ(f.text_of("/data/log-start-offset-checkpoint"), "0\n1\na 0 4\n");
  }
  f.crash(Crash::kProcess);
  ASSERT_TRUE(f.open());
  EXPECT_EQ(LogManager::log(f.manager->find(kA)).start_offset(), Offset{4});
}

// Killed without a restart of the machine: what was written before the last checkpoint is not read again.
TEST(LogManager, AKillReadsOnlyBehindTheCheckpoint) {
  ManagerFixture f;
  f.options.background_flush_bytes = 0;
  ASSERT_TRUE(f.open());
  {
    auto a = f.manager->create(kA, kId);
    Log& log = LogManager::log(*a);
    for (int i = 0; i < 300; ++i) ASSERT_TRUE(ManagerFixture::append(log, "x" + std::to_string(i), 1, 500));
    ASSERT_TRUE(f.manager->write_checkpoints());
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(ManagerFixture::append(log, "y", 1, 500));
  }
  f.crash(Crash::kProcess);
  ASSERT_TRUE(f.open());
  EXPECT_EQ(f.report.logs_scanned, 1u);
  EXPECT_LT(f.report.bytes_scanned, 2500u);
  EXPECT_EQ(LogManager::log(f.manager->find(kA)).end_offset(), Offset{303});

  f.crash(Crash::kPower);  // nothing was synced: everything is looked at
  ASSERT_TRUE(f.open());
  if (const auto a = f.manager->find(kA)) {
    const auto end = LogManager::log(a).end_offset();
    EXPECT_GE(f.report.bytes_scanned, static_cast<std::uint64_t>(end.value) * 500);
  }
}

}  // namespace
}  // namespace moldau::log
