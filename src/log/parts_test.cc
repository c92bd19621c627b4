// The small parts: names, checkpoint files, epochs, indexes, open files.
#include <gtest/gtest.h>

#include "log/aborted_index.h"
#include "log/checkpoint.h"
#include "log/epoch_cache.h"
#include "log/file_cache.h"
#include "log/partition_name.h"
#include "log/scanner.h"
#include "log/sparse_index.h"
#include "log/test_batches.h"
#include "simenv/disk.h"

namespace moldau::log {
namespace {

// ---- names
// ------------------------------------------------------------------------------------------------------------------

TEST(FolderNames, AreRead) {
  const auto expect = [](const char* name, const char* topic, int partition, FolderKind kind) {
    const auto parsed = parse_folder_name(name);
    ASSERT_TRUE(parsed) << name;
    EXPECT_EQ(parsed->partition.topic, topic);
    EXPECT_EQ(parsed->partition.partition.value, partition);
    EXPECT_EQ(parsed->kind, kind);
  };
  expect("a-0", "a", 0, FolderKind::kCurrent);
  expect("a.b-c_d-17", "a.b-c_d", 17, FolderKind::kCurrent);
  expect("my-delete-3", "my-delete", 3, FolderKind::kCurrent);
  expect("a.b-0.0123456789abcdef0123456789abcdef-delete", "a.b", 0, FolderKind::kDelete);
  expect("t-5.0123456789abcdef0123456789abcdef-future", "t", 5, FolderKind::kFuture);
  expect("t-5.0123456789abcdef0123456789abcdef-stray", "t", 5, FolderKind::kStray);
  for (const char* name : {"", "-0", "lost+found", "topic", "topic-", "topic-x", "t-99999999999", "a-delete"})
    EXPECT_FALSE(parse_folder_name(name)) << name;
}

TEST(FolderNames, AreWritten) {
  const TopicPartition partition{"a.b", PartitionIndex{3}};
  Uuid id;
  id.bytes = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
  EXPECT_EQ(folder_name(partition, FolderKind::kCurrent), "a.b-3");
  EXPECT_EQ(folder_name(partition, FolderKind::kDelete, id), "a.b-3.00112233445566778899aabbccddeeff-delete");
  const TopicPartition longest{std::string(249, 'x'), PartitionIndex{3}};
  const std::string cut = folder_name(longest, FolderKind::kDelete, id);
  EXPECT_EQ(cut.size(), 255u);
  EXPECT_EQ(parse_folder_name(cut)->kind, FolderKind::kDelete);
}

// ---- checkpoints
// --------------------------------------------------------------------------------------------------------------

TEST(Checkpoints, OffsetsGoBothWays) {
  const OffsetMap offsets{{{"a", PartitionIndex{0}}, Offset{5}},
                          {{"b-c.d", PartitionIndex{12}}, Offset{1LL << 40}}};
  const std::string text = format_offsets(offsets);
  EXPECT_EQ(text, "0\n2\na 0 5\nb-c.d 12 1099511627776\n");
  EXPECT_EQ(*parse_offsets(text, "f"), offsets);
  EXPECT_EQ(*parse_offsets("0\r\n1\r\nwith space 1 2\r\n", "f"),
            (OffsetMap{{{"with space", PartitionIndex{1}}, Offset{2}}}));
  const auto expect = [](const char* bad, const char* message) {
    const auto parsed = parse_offsets(bad, "f");
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().kind, ErrorKind::kCorrupt);
    EXPECT_EQ(parsed.error().message, message);
  };
  expect("", "f:1: expected a version, found the end of the file");
  expect("1\n0\n", "f:1: expected version 0, found \"1\"");
  expect("0\nx\n", "f:2: expected the number of entries, found \"x\"");
  expect("0\n2\na 0 5\n", "f:4: expected topic, partition and offset, found the end of the file");
  expect("0\n1\na 0\n", "f:3: expected topic, partition and offset, found \"a 0\"");
  expect("0\n1\na 0 5\nb 0 5\n", "f:4: expected no more than 1 entries, found \"b 0 5\"");
}

TEST(Checkpoints, WrittenOffsetsKnowTheirBoot) {
  const WrittenOffsets written{"boot-7", {{{"a", PartitionIndex{1}}, Offset{3}}}};
  const auto parsed = parse_written(format_written(written), "f");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->boot_id, "boot-7");
  EXPECT_EQ(parsed->offsets, written.offsets);
  EXPECT_FALSE(parse_written("0\n", "f"));
}

TEST(Checkpoints, Epochs) {
  const std::vector<EpochEntry> entries{{LeaderEpoch{0}, Offset{0}}, {LeaderEpoch{7}, Offset{120}}};
  EXPECT_EQ(format_epochs(entries), "0\n2\n0 0\n7 120\n");
  EXPECT_EQ(*parse_epochs("0\n2\n0 0\n7 120\n", "f"), entries);
  for (const char* bad : {"", "0\n1\n", "0\n1\n-1 5\n", "0\n1\n1 -5\n", "0\n1\n1\n"})
    EXPECT_FALSE(parse_epochs(bad, "f")) << bad;
}

TEST(Checkpoints, PartitionMetadata) {
  const auto id = parse_partition_metadata("version: 0\ntopic_id: Nf8SNjxxS1iaaNI5b1REpA", "f");
  ASSERT_TRUE(id);
  EXPECT_EQ(format_partition_metadata(*id), "version: 0\ntopic_id: Nf8SNjxxS1iaaNI5b1REpA");
  EXPECT_EQ(parse_partition_metadata("version: 1\n", "f").error().message,
            "f:1: expected \"version: 0\", found \"version: 1\"");
  EXPECT_FALSE(parse_partition_metadata("version: 0\ntopic_id: short", "f"));
  const std::string whole = format_partition_metadata(*id);
  for (std::size_t cut = 0; cut < whole.size(); ++cut)
    EXPECT_TRUE(is_torn_metadata(whole.substr(0, cut))) << cut;
  EXPECT_TRUE(is_torn_metadata(std::string(43, '\0')));
  EXPECT_FALSE(is_torn_metadata(whole));
  EXPECT_FALSE(is_torn_metadata("version: 1\ntopic"));
}

// ---- epochs
// -------------------------------------------------------------------------------------------------------------------

struct Epochs : ::testing::Test {
  EpochCache cache;
  bool assign(int epoch, std::int64_t start) { return cache.assign(LeaderEpoch{epoch}, Offset{start}); }
  std::string text() const { return format_epochs(cache.entries()); }
  EpochEndOffset end(int epoch) const { return cache.end_offset_for(LeaderEpoch{epoch}, Offset{100}); }
};

TEST_F(Epochs, GrowOnly) {
  EXPECT_TRUE(assign(2, 10));
  EXPECT_FALSE(assign(2, 15)) << "the epoch has begun already";
  EXPECT_TRUE(assign(4, 20));
  EXPECT_EQ(text(), "0\n2\n2 10\n4 20\n");
  EXPECT_TRUE(assign(5, 20)) << "an epoch that wrote nothing goes";
  EXPECT_EQ(text(), "0\n2\n2 10\n5 20\n");
  EXPECT_TRUE(assign(3, 30)) << "larger epochs contradict it";
  EXPECT_EQ(text(), "0\n2\n2 10\n3 30\n");
  EXPECT_TRUE(assign(6, 5));
  EXPECT_EQ(text(), "0\n1\n6 5\n");
}

TEST_F(Epochs, EndsAsKip101And279) {
  EXPECT_EQ(end(0), EpochEndOffset{});
  assign(2, 10), assign(4, 20), assign(6, 50);
  EXPECT_EQ(end(-1), EpochEndOffset{});
  EXPECT_EQ(end(6), (EpochEndOffset{LeaderEpoch{6}, Offset{100}})) << "the current one ends with the log";
  EXPECT_EQ(end(7), EpochEndOffset{}) << "never heard of";
  EXPECT_EQ(end(4), (EpochEndOffset{LeaderEpoch{4}, Offset{50}}));
  EXPECT_EQ(end(5), (EpochEndOffset{LeaderEpoch{4}, Offset{50}})) << "the largest before it";
  EXPECT_EQ(end(1), (EpochEndOffset{LeaderEpoch{1}, Offset{10}})) << "below all: where ours begin";
}

TEST_F(Epochs, AreCutAtBothEnds) {
  assign(2, 10), assign(4, 20), assign(6, 50);
  EXPECT_FALSE(cache.truncate_from_end(Offset{51}));
  EXPECT_TRUE(cache.truncate_from_end(Offset{50}));
  EXPECT_EQ(text(), "0\n2\n2 10\n4 20\n");
  EXPECT_FALSE(cache.truncate_from_start(Offset{9}));
  EXPECT_FALSE(cache.truncate_from_start(Offset{10}));
  EXPECT_TRUE(cache.truncate_from_start(Offset{15}));
  EXPECT_EQ(text(), "0\n2\n2 15\n4 20\n");
  EXPECT_TRUE(cache.truncate_from_start(Offset{40}));
  EXPECT_EQ(text(), "0\n1\n4 40\n");
  EXPECT_EQ(cache.epoch_for(Offset{39}), kNoLeaderEpoch);
  EXPECT_EQ(cache.epoch_for(Offset{40}), LeaderEpoch{4});
}

// ---- indexes
// ------------------------------------------------------------------------------------------------------------------

// Against a plain list: thousands of slots, few of them in memory.
TEST(SparseIndex, FindsWhatAPlainListFinds) {
  simenv::Disk disk(1);
  simenv::Random random(5);
  auto file = *disk.open("/i", env::OpenMode::kCreate);
  const auto open = [&]() -> Result<std::shared_ptr<env::File>> { return file; };
  SparseIndex<OffsetSlot> index;
  std::vector<OffsetSlot> plain;
  const auto check = [&](const SparseIndex<OffsetSlot>& one) {
    for (int i = 0; i < 200; ++i) {
      const auto wanted =
          static_cast<std::uint32_t>(random.below(plain.empty() ? 10 : plain.back().relative + 10));
      const auto found = one.floor([&](const OffsetSlot& s) { return s.relative <= wanted; }, open);
      ASSERT_TRUE(found);
      const auto after = std::ranges::upper_bound(plain, wanted, {}, &OffsetSlot::relative);
      ASSERT_EQ(found->has_value(), after != plain.begin());
      if (found->has_value()) ASSERT_EQ(**found, *(after - 1));
    }
  };
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 700; ++i) {
      const OffsetSlot last = plain.empty() ? OffsetSlot{} : plain.back();
      plain.push_back({last.relative + 1 + static_cast<std::uint32_t>(random.below(5)),
                       last.position + 1 + static_cast<std::uint32_t>(random.below(9000))});
      index.append(plain.back());
      if (index.wants_spill()) ASSERT_TRUE(index.spill(*file));
    }
    check(index);
    if (round % 4 == 3) {  // cut somewhere
      const auto keep = random.below(plain.size());
      const std::uint32_t limit = plain[keep].relative;
      plain.resize(keep);
      ASSERT_TRUE(index.keep_while([&](const OffsetSlot& s) { return s.relative < limit; }, open));
      check(index);
    }
    ASSERT_EQ(index.count(), plain.size());
    ASSERT_LE(index.memory(), 8000u);
  }
  ASSERT_TRUE(index.spill(*file));
  SparseIndex<OffsetSlot> loaded;
  EXPECT_TRUE(*loaded.load(*file, *file->size()));
  EXPECT_EQ(loaded.count(), plain.size());
  check(loaded);
}

TEST(SparseIndex, BelievesOnlyWhatFits) {
  simenv::Disk disk(1);
  const auto load = [&](std::vector<std::uint32_t> words, std::size_t size) {
    Bytes bytes(words.size() * 4);
    for (std::size_t i = 0; i < words.size(); ++i) store_be(bytes.data() + i * 4, words[i]);
    bytes.resize(size);
    auto file = *disk.open("/i", env::OpenMode::kTruncate);
    EXPECT_TRUE(file->write_at(0, bytes));
    SparseIndex<OffsetSlot> index;
    const auto good = index.load(*file, size);
    EXPECT_TRUE(good);
    return *good ? static_cast<int>(index.count()) : -1;
  };
  EXPECT_EQ(load({}, 0), 0);
  EXPECT_EQ(load({3, 100, 5, 200}, 16), 2);
  EXPECT_EQ(load({3, 100, 5, 200}, 1 << 20), 2) << "made large in advance";
  EXPECT_EQ(load({}, 1 << 20), 0);
  EXPECT_EQ(load({3, 100, 3, 200}, 16), -1) << "the same offset twice";
  EXPECT_EQ(load({3, 100, 5, 100}, 16), -1) << "the same position twice";
  EXPECT_EQ(load({3, 100, 0, 0, 5, 200}, 24), -1) << "a hole";
  EXPECT_EQ(load({3, 100, 5}, 12), -1) << "a cut slot";
}

TEST(AbortedIndex, GoesBothWays) {
  const AbortedEntry entry{ProducerId{8}, Offset{8}, Offset{14}, Offset{11}};
  Bytes bytes = format_aborted(entry);
  EXPECT_EQ(bytes.size(), kAbortedEntryBytes);
  Bytes two = bytes;
  const Bytes second = format_aborted({ProducerId{9}, Offset{9}, Offset{20}, Offset{21}});
  two.insert(two.end(), second.begin(), second.end());
  EXPECT_EQ(parse_aborted(two, "f")->size(), 2u);
  EXPECT_EQ(parse_aborted(ByteView(two).first(50), "f")->size(), 1u) << "a cut one is left out";
  EXPECT_EQ((*parse_aborted(bytes, "f"))[0], entry);
  two.insert(two.end(), bytes.begin(), bytes.end());
  EXPECT_FALSE(parse_aborted(two, "f")) << "out of order";
  bytes[1] = 1;
  EXPECT_EQ(parse_aborted(bytes, "f").error().message, "f: expected entries of version 0, found 1");
}

// ---- open files
// -----------------------------------------------------------------------------------------------------------------

TEST(FileCache, KeepsTheBoundAndServesAll) {
  simenv::Disk disk(1);
  FileCache cache(disk, 4);
  std::vector<FileSlot> slots(20);
  const auto path = [](std::size_t i) { return "/f" + std::to_string(i); };
  for (int round = 0; round < 5; ++round) {
    for (std::size_t i = 0; i < slots.size(); ++i) {
      auto file = cache.get(slots[i], path(i), env::OpenMode::kCreate);
      ASSERT_TRUE(file);
      if (round == 0) ASSERT_TRUE((*file)->write_at(0, as_bytes(path(i))));
      Bytes out(8);
      ASSERT_EQ(*(*file)->read_at(0, out), path(i).size());
      EXPECT_LE(cache.held(), 4u);
    }
  }
  EXPECT_GT(cache.opened(), 20u);
}

TEST(FileCache, ClosesWhatNobodyAsksFor) {
  simenv::Disk disk(1);
  FileCache cache(disk, 4);
  FileSlot busy, idle;
  ASSERT_TRUE(cache.get(busy, "/busy", env::OpenMode::kCreate));
  ASSERT_TRUE(cache.get(idle, "/idle", env::OpenMode::kCreate));
  ASSERT_TRUE(cache.peek(busy));
  cache.close_idle();
  EXPECT_EQ(cache.held(), 1u);
  EXPECT_TRUE(idle.file.expired());
  EXPECT_TRUE(cache.peek(busy));
  ASSERT_TRUE(cache.get(idle, "/idle", env::OpenMode::kCreate)) << "it is opened again when somebody comes";
  EXPECT_TRUE(cache.peek(idle));
}

TEST(FileCache, KeepsWhatIsUsed) {
  simenv::Disk disk(1);
  FileCache cache(disk, 4);
  FileSlot hot;
  std::vector<FileSlot> others(50);
  ASSERT_TRUE(cache.get(hot, "/hot", env::OpenMode::kCreate));
  for (std::size_t i = 0; i < others.size(); ++i) {
    ASSERT_TRUE(cache.get(others[i], "/o" + std::to_string(i), env::OpenMode::kCreate));
    ASSERT_TRUE(cache.peek(hot)) << "used between any two others";
  }
  cache.drop(hot);
  EXPECT_FALSE(cache.peek(hot));
}

TEST(FileCache, AFileInUseStaysOpen) {
  simenv::Disk disk(1);
  FileCache cache(disk, 1);
  FileSlot first, second;
  const auto file = *cache.get(first, "/a", env::OpenMode::kCreate);
  ASSERT_TRUE(file->write_at(0, as_bytes("x")));
  ASSERT_TRUE(cache.get(second, "/b", env::OpenMode::kCreate));
  EXPECT_EQ(cache.peek(first), file) << "as long as somebody holds it";
  EXPECT_EQ(cache.get(second, "/none/x", env::OpenMode::kRead)->get(), cache.peek(second).get());
  FileSlot third;
  EXPECT_FALSE(cache.get(third, "/missing", env::OpenMode::kRead));
}

// ---- scanners
// -------------------------------------------------------------------------------------------------------------------

// Cut at every byte, flipped at every byte: the scanners end before it and say so.
TEST(Scanners, EndBeforeWhatIsNoBatch) {
  simenv::Disk disk(1);
  Bytes content;
  std::vector<std::size_t> ends{0};
  for (int i = 0; i < 3; ++i) {
    const Bytes batch = testing::make_batch({.count = 2, .base = Offset{i * 2}});
    content.insert(content.end(), batch.begin(), batch.end());
    ends.push_back(content.size());
  }
  auto file = *disk.open("/l", env::OpenMode::kCreate);
  const auto good_before = [&](std::size_t at) { return *(std::ranges::upper_bound(ends, at) - 1); };
  for (std::size_t cut = 0; cut <= content.size(); ++cut) {
    ASSERT_TRUE(file->truncate(0));
    ASSERT_TRUE(file->write_at(0, ByteView(content).first(cut)));
    BatchScanner batches(*file, 0, cut);
    while (*batches.next()) {
    }
    EXPECT_EQ(batches.next_position(), good_before(cut));
    EXPECT_EQ(batches.broken().empty(), good_before(cut) == cut) << cut;
    HeaderScanner headers(*file, 0, cut);
    while (*headers.next()) {
    }
    EXPECT_EQ(headers.next_position(), good_before(cut));
    EXPECT_EQ(headers.broken().empty(), good_before(cut) == cut);
  }
  for (std::size_t at = 0; at < content.size(); ++at) {
    Bytes flipped = content;
    flipped[at] ^= 0x04;
    ASSERT_TRUE(file->truncate(0));
    ASSERT_TRUE(file->write_at(0, flipped));
    BatchScanner batches(*file, 0, flipped.size());
    while (*batches.next()) {
    }
    const std::size_t within = at - good_before(at);
    if (within < 8 || (within >= 12 && within < 16)) continue;  // offset and epoch: outside the checksum
    EXPECT_EQ(batches.next_position(), good_before(at)) << at;
    EXPECT_FALSE(batches.broken().empty());
  }
}

}  // namespace
}  // namespace moldau::log
