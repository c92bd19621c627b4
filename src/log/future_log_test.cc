// What two folders of one partition mean at a start, and who may touch a log that is on the move. Whole moves
// are tested in src/replica/log_mover_test.cc.
#include "log/future_log.h"

#include <gtest/gtest.h>

#include "log/manager_fixture.h"

namespace moldau::log {
namespace {

using testing::ManagerFixture;

const TopicPartition kName{"t", PartitionIndex{0}};
const Uuid kId = *Uuid::parse("Nf8SNjxxS1iaaNI5b1REpA"), kOtherId = *Uuid::parse("xf8SNjxxS1iaaNI5b1REpA");

struct Twins : ::testing::Test {
  Twins() { f.options.directories = {"/a", "/b"}; }
  // A log with so many records, put there as by hand.
  void put(const std::string& folder, int records, std::int64_t generation = 0, const Uuid& id = kId) {
    FileCache files{f.disk, 4};
    auto log = Log::create({&f.disk, &files}, folder, f.config, id, 0);
    ASSERT_TRUE(log);
    for (int i = 0; i < records; ++i) ASSERT_TRUE(ManagerFixture::append(**log, "v"));
    ASSERT_TRUE((*log)->close());
    if (generation > 0) ASSERT_TRUE(store_move_generation(f.disk, folder, generation));
  }
  ManagerFixture f;
};

TEST_F(Twins, TheLaterGenerationCountsHoweverShort) {
  put("/a/t-0", 5, 1);
  put("/b/t-0", 2, 3);
  ASSERT_TRUE(f.open());
  const auto handle = f.manager->find(kName);
  EXPECT_EQ(LogManager::directory(handle), "/b");
  EXPECT_EQ(LogManager::log(handle).end_offset(), Offset{2});
  EXPECT_FALSE(f.disk.exists("/a/t-0"));
  EXPECT_FALSE(f.disk.exists("/b/t-0/move-generation")) << "no other folder is left";
  ASSERT_EQ(f.report.lines.size(), 1u);
  EXPECT_NE(f.report.lines[0].find("left over from a move"), std::string::npos);
}

TEST_F(Twins, AreRefusedWhereNothingSaysWhichIsLater) {
  put("/a/t-0", 5);
  put("/b/t-0", 2);
  EXPECT_EQ(f.open().error().kind, ErrorKind::kInvalid);
}

TEST_F(Twins, OfDifferentTopicsAreRefused) {
  put("/a/t-0", 5);
  put("/b/t-0", 2, 1, kOtherId);
  EXPECT_EQ(f.open().error().kind, ErrorKind::kInvalid);
}

TEST_F(Twins, OfTwoCopiesTheLongerOneGoesOn) {
  put("/a/t-0.00000000000000000000000000000001-future", 5);
  put("/b/t-0.00000000000000000000000000000002-future", 7);
  ASSERT_TRUE(f.open());
  EXPECT_EQ(f.manager->find(kName), nullptr);
  ASSERT_EQ(f.manager->futures().size(), 1u);
  EXPECT_EQ(LogManager::log(f.manager->find_future(kName)).end_offset(), Offset{7});
}

TEST_F(Twins, ACopyBesideItsOwnLogIsDone) {
  put("/a/t-0", 5);
  put("/a/t-0.00000000000000000000000000000001-future", 3);
  ASSERT_TRUE(f.open());
  EXPECT_NE(f.manager->find(kName), nullptr);
  EXPECT_TRUE(f.manager->futures().empty());
}

TEST_F(Twins, ATornGenerationIsNone) {
  ASSERT_TRUE(f.disk.create_directories("/a/t-0"));
  EXPECT_EQ(load_move_generation(f.disk, "/a/t-0"), 0);
  for (const std::string_view text : {"", "0", "0\n", "0\n3", "0\nx\n", "1\n3\n", "0\n-3\n"}) {
    ASSERT_TRUE(f.disk.replace_file("/a/t-0/move-generation", as_bytes(text)));
    EXPECT_EQ(load_move_generation(f.disk, "/a/t-0"), 0) << text;
  }
  ASSERT_TRUE(store_move_generation(f.disk, "/a/t-0", 12));
  EXPECT_EQ(load_move_generation(f.disk, "/a/t-0"), 12);
}

struct Counting final : Exclusion {
  void run(const std::function<void()>& work) override {
    ++runs;
    work();
  }
  int runs = 0;
};

TEST(FutureGuard, HandsWhoComesLateToItsSuccessor) {
  FutureGuard guard;
  const auto successor = std::make_shared<Counting>();
  int done = 0;
  guard.run([&] { ++done; });
  EXPECT_TRUE(guard.hold([&] { guard.succeed_within(successor); }));
  EXPECT_FALSE(guard.hold([&] { ++done; }));
  guard.run([&] { ++done; });
  EXPECT_EQ(done, 2);
  EXPECT_EQ(successor->runs, 1);
}

TEST(FutureGuard, LetsNobodyInOnceItIsClosed) {
  FutureGuard guard;
  int done = 0;
  guard.close();
  EXPECT_FALSE(guard.hold([&] { ++done; }));
  guard.run([&] { ++done; });
  EXPECT_EQ(done, 0);
}

}  // namespace
}  // namespace moldau::log
