// Compaction of what is written at random, and with the power cut at every operation of the disk, against the
// naive model of cleaner_fixture.h.
#include <gtest/gtest.h>

#include "log/cleaner_fixture.h"
#include "log/key_table.h"

namespace moldau::log {
namespace {

using record::Codec;
using simenv::Crash;
using testing::CleanerFixture;
using testing::KeyedBatch;
using testing::Written;

class RandomLog : public CleanerFixture {
 public:
  explicit RandomLog(std::uint64_t seed) : CleanerFixture(seed), dice_(seed * 7919) {
    config->segment_bytes = 300 + static_cast<int>(dice_.below(1500));
    config->delete_retention_ms = dice_.one_in(3) ? 0 : 5000;
    if (dice_.one_in(4)) settings.dedupe_buffer_bytes = (3 + dice_.below(20)) * KeyTable::kSlotBytes;
    if (dice_.one_in(3)) settings.io_buffer_bytes = 64;
    keys_ = 1 + dice_.below(12);
    old_ = dice_.one_in(3);
  }

  void write_some(int batches) {
    for (int i = 0; i < batches; ++i) {
      KeyedBatch batch{.magic = static_cast<std::int8_t>(old_ ? dice_.below(3) : 2)};
      const std::uint64_t codecs = batch.magic == 2 ? 5 : 4;
      if (dice_.one_in(3)) batch.codec = static_cast<Codec>(dice_.below(codecs));
      if (batch.magic == 2 && dice_.one_in(4)) {
        batch.producer = ProducerId{static_cast<std::int64_t>(dice_.below(3))};
        batch.sequence = sequences_[batch.producer.value];
      }
      const std::uint64_t count = 1 + dice_.below(4);
      sequences_[batch.producer.value] += static_cast<std::int32_t>(count);
      for (std::uint64_t r = 0; r < count; ++r) batch.records.push_back(record());
      ASSERT_TRUE(write(batch));
      if (dice_.one_in(12)) ASSERT_TRUE(roll());
      clock.advance_ms(static_cast<std::int64_t>(dice_.below(200)));
    }
  }

  simenv::Random dice_;

 private:
  Written record() {
    Written one{.key = "k" + std::to_string(dice_.below(keys_)), .timestamp = clock.wall_ms()};
    if (dice_.one_in(30)) one.key.reset();
    if (!dice_.one_in(5))
      one.value = std::string(1 + dice_.below(40), static_cast<char>('a' + dice_.below(26)));
    return one;
  }

  std::uint64_t keys_ = 1;
  bool old_ = false;
  std::map<std::int64_t, std::int32_t> sequences_;
};

TEST(CleanerProperty, NothingIsLostAndNothingStaysTwice) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(seed);
    RandomLog f(seed);
    f.make();
    for (int round = 0; round < 4; ++round) {
      f.write_some(5 + static_cast<int>(f.dice_.below(30)));
      if (f.dice_.one_in(2)) ASSERT_TRUE(f.roll());
      const std::size_t before = f.found().size();
      f.manager->run_cleaner();
      f.expect_nothing_lost();
      f.expect_clean();
      EXPECT_LE(f.found().size(), before);
      if (f.dice_.one_in(2)) {
        const auto then = f.found();
        ASSERT_TRUE(f.manager->close());
        f.manager.reset();
        ASSERT_TRUE(f.open());
        EXPECT_EQ(f.found(), then);
        for (const std::string& line : f.report.lines) ADD_FAILURE() << line;
      }
      f.clock.advance_ms(6000);
    }
    if (HasFailure()) return;
  }
}

// Cuts the power at the n-th operation of a round, for every n.
void cut_everywhere(std::uint64_t seed, Crash kind) {
  for (std::uint64_t operation = 0;; ++operation) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", operation " + std::to_string(operation));
    RandomLog f(seed);
    f.make();
    f.write_some(25);
    ASSERT_TRUE(f.roll());
    ASSERT_TRUE(f.flush());
    ASSERT_TRUE(f.manager->write_checkpoints());
    f.disk.cut_power_after(operation);
    f.manager->run_cleaner();
    const bool through = !f.disk.down();
    f.crash(kind);
    ASSERT_TRUE(f.open());
    f.expect_nothing_lost();
    f.expect_clean();
    for (const std::string& file : f.disk.files()) {
      EXPECT_FALSE(file.ends_with(".cleaned") || file.ends_with(".swap")) << file;
    }
    f.write_some(5);
    ASSERT_TRUE(f.roll());
    f.manager->run_cleaner();
    f.expect_nothing_lost();
    f.expect_clean();
    EXPECT_GT(f.cleaned_to(), Offset{0});
    ASSERT_TRUE(f.flush());
    f.crash(Crash::kPower);
    ASSERT_TRUE(f.open());
    f.expect_nothing_lost();
    if (through || ::testing::Test::HasFailure()) return;
  }
}

// Compaction is switched off before the next start, which reads it all: the holes are no loss.
TEST(CleanerProperty, HolesAreNoLossWhenTheTopicIsNoLongerCompacted) {
  for (std::uint64_t operation = 0; operation < 60; ++operation) {
    SCOPED_TRACE(operation);
    RandomLog f(operation);
    f.options.boot_id.clear();
    f.make();
    f.write_some(25);
    ASSERT_TRUE(f.roll());
    f.disk.cut_power_after(operation);
    f.manager->run_cleaner();
    f.crash(Crash::kProcess);
    f.config->cleanup_compact = false;
    ASSERT_TRUE(f.open());
    f.expect_nothing_lost();
    EXPECT_EQ(f.report.bytes_dropped, 0u);
  }
}

TEST(CleanerProperty, APowerCutAtEveryOperation) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) cut_everywhere(seed, Crash::kPower);
}

TEST(CleanerProperty, AKillAtEveryOperation) {
  for (std::uint64_t seed = 21; seed <= 32; ++seed) cut_everywhere(seed, Crash::kProcess);
}

}  // namespace
}  // namespace moldau::log
