#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <set>
#include <unistd.h>

#include "os/filesystem.h"

namespace moldau::os {
namespace {

class OsTest : public testing::Test {
 protected:
  OsTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "moldau-os-XXXXXX").string();
    CHECK_NE(nullptr, ::mkdtemp(pattern.data()));
    root_ = pattern;
  }
  ~OsTest() override { EXPECT_TRUE(fs_.remove_all(root_)); }
  static void CHECK_NE(const void* a, const void* b) { ASSERT_NE(a, b); }

  std::string path(const std::string& name) const { return root_ + "/" + name; }
  void write(const std::string& name, std::string_view text) {
    auto file = fs_.open(path(name), env::OpenMode::kTruncate);
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->write_at(0, as_bytes(text)));
  }
  std::string read(const std::string& name) {
    auto content = fs_.read_file(path(name));
    return content ? std::string(as_text(*content)) : "<" + content.error().message + ">";
  }

  FileSystem fs_;
  std::string root_;
};

TEST_F(OsTest, WritesManyPiecesAndReadsThemBack) {
  auto file = fs_.open(path("a"), env::OpenMode::kCreate);
  ASSERT_TRUE(file);
  std::vector<std::string> texts;
  std::vector<ByteView> pieces;
  std::string expected = "head";
  for (int i = 0; i < 300; ++i) texts.push_back(i % 7 == 0 ? "" : "piece " + std::to_string(i) + ";");
  for (const auto& text : texts) pieces.push_back(as_bytes(text)), expected += text;
  ASSERT_TRUE((*file)->write_at(0, as_bytes("head")));
  ASSERT_TRUE((*file)->write_at(4, pieces));
  EXPECT_EQ(read("a"), expected);
  EXPECT_EQ(*(*file)->size(), expected.size());

  Bytes tail(10);
  EXPECT_EQ(*(*file)->read_at(expected.size() - 3, tail), 3u);  // the end of the file
  ASSERT_TRUE((*file)->truncate(4));
  EXPECT_EQ(read("a"), "head");
  EXPECT_TRUE((*file)->sync());
  EXPECT_GE((*file)->native_handle(), 0);
}

TEST_F(OsTest, WhoHasNoTimeIsNotMadeToWait) {
  auto made = fs_.open(path("a"), env::OpenMode::kCreate);
  ASSERT_TRUE(made);
  const env::File& file = **made;
  ASSERT_TRUE((*made)->write_at(0, Bytes(300'000, 7)));
  ASSERT_TRUE((*made)->sync());
  Bytes bytes(5000);
  const auto hastily = [&](std::uint64_t position) {
    env::Haste haste;
    const auto got = haste.read(file, position, bytes);
    EXPECT_EQ(!got, haste.missing().size() == 1);
    return got;
  };
  EXPECT_EQ(hastily(200'000), 5000u) << "just written";
  EXPECT_EQ(bytes.back(), 7);
  EXPECT_EQ(hastily(298'000), 2000u) << "the file ends";
  EXPECT_EQ(hastily(400'000), 0u);
  ASSERT_EQ(::posix_fadvise(file.native_handle(), 0, 0, POSIX_FADV_DONTNEED), 0);
  const auto cold = hastily(200'000);
  if (cold) GTEST_SKIP() << "this file system keeps its pages, or cannot tell";
  EXPECT_EQ(cold.error().kind, ErrorKind::kWouldBlock);
  EXPECT_EQ(env::read_through(file, 200'000, 5000), 5000u);
  EXPECT_EQ(hastily(200'000), 5000u);
}

TEST_F(OsTest, ReadableAfterRemoval) {
  write("a", "still here");
  auto file = fs_.open(path("a"), env::OpenMode::kRead);
  ASSERT_TRUE(file);
  ASSERT_TRUE(fs_.remove(path("a")));
  EXPECT_FALSE(fs_.exists(path("a")));
  Bytes out(10);
  EXPECT_EQ(*(*file)->read_at(0, out), 10u);
  EXPECT_EQ(as_text(out), "still here");
}

TEST_F(OsTest, OpenModes) {
  EXPECT_EQ(fs_.open(path("none"), env::OpenMode::kRead).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(fs_.open(path("none"), env::OpenMode::kReadWrite).error().kind, ErrorKind::kNotFound);
  write("a", "old");
  ASSERT_TRUE(fs_.open(path("a"), env::OpenMode::kCreate));
  EXPECT_EQ(read("a"), "old");
  ASSERT_TRUE(fs_.open(path("a"), env::OpenMode::kTruncate));
  EXPECT_EQ(read("a"), "");
}

TEST_F(OsTest, ListIsSortedAndTellsSizes) {
  write("b", "12345");
  write("a", "");
  ASSERT_TRUE(fs_.create_directories(path("c/d/e")));
  auto entries = fs_.list(root_);
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ((*entries)[0].name, "a");
  EXPECT_EQ((*entries)[1].size, 5u);
  EXPECT_GT((*entries)[1].modified_ms, 1'600'000'000'000);
  EXPECT_TRUE((*entries)[2].is_directory);
  EXPECT_TRUE(fs_.create_directories(path("c/d/e")));
  EXPECT_FALSE(fs_.create_directories(path("b/x")));  // a file is in the way
  EXPECT_FALSE(fs_.list(path("none")));
  EXPECT_TRUE(fs_.remove_all(path("none")));
}

TEST_F(OsTest, ReplaceFileIsWhole) {
  ASSERT_TRUE(fs_.replace_file(path("check"), as_bytes("one")));
  ASSERT_TRUE(fs_.replace_file(path("check"), as_bytes("two")));
  EXPECT_EQ(read("check"), "two");
  EXPECT_FALSE(fs_.exists(path("check.tmp")));
}

TEST_F(OsTest, EverythingIsSyncedAtOnce) {
  write("a", "1");
  EXPECT_TRUE(fs_.sync_all(root_));
  EXPECT_TRUE(fs_.sync_directory(root_));
  EXPECT_EQ(fs_.sync_all(path("none")).error().kind, ErrorKind::kNotFound);
}

TEST_F(OsTest, LockIsExclusive) {
  {
    auto lock = fs_.lock(path(".lock"));
    ASSERT_TRUE(lock);
    auto second = fs_.lock(path(".lock"));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::kBusy);
  }
  EXPECT_TRUE(fs_.lock(path(".lock")));
}

TEST_F(OsTest, FullDiskIsToldApart) {
  if (!fs_.exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  auto file = fs_.open("/dev/full", env::OpenMode::kReadWrite);
  ASSERT_TRUE(file);
  const auto written = (*file)->write_at(0, as_bytes("x"));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::kNoSpace);
}

TEST_F(OsTest, SpaceIsPlausible) {
  const auto free = fs_.free_bytes(root_), total = fs_.total_bytes(root_);
  ASSERT_TRUE(free && total);
  EXPECT_LE(*free, *total);
  EXPECT_GT(*total, 0u);
}

TEST(Clock, MovesOn) {
  Clock clock;
  const auto before = clock.now();
  EXPECT_GE(clock.now(), before);
  EXPECT_GT(clock.wall_ms(), 1'600'000'000'000);
}

TEST(Entropy, DoesNotRepeat) {
  Entropy random;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 100; ++i) seen.insert(random.next());
  EXPECT_EQ(seen.size(), 100u);
}

}  // namespace
}  // namespace moldau::os
