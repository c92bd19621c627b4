// Compaction of one log: what stays, what goes, when.
#include <gtest/gtest.h>

#include "log/cleaner_fixture.h"
#include "log/key_table.h"

namespace moldau::log {
namespace {

using record::Codec;
using testing::CleanerFixture;
using testing::Records;
using testing::Written;

// ---- the table
// ----------------------------------------------------------------------------------------------------------------

TEST(KeyTable, KnowsTheNewestOffsetOfEachKey) {
  KeyTable table(1000 * KeyTable::kSlotBytes, 7);
  EXPECT_EQ(table.slots(), 1000u);
  for (std::int64_t i = 0; i < 2700; ++i) table.put(as_bytes("key " + std::to_string(i % 900)), Offset{i});
  EXPECT_EQ(table.size(), 900u);
  for (std::int64_t i = 0; i < 900; ++i)
    EXPECT_EQ(table.get(as_bytes("key " + std::to_string(i))), Offset{1800 + i});
  EXPECT_EQ(table.get(as_bytes("key 900")), kNoOffset);
  EXPECT_EQ(table.get({}), kNoOffset);
  table.put({}, Offset{0});
  EXPECT_EQ(table.get({}), Offset{0}) << "an empty key is a key";
}

// ---- what stays
// ---------------------------------------------------------------------------------------------------------------

struct Compaction : ::testing::Test, CleanerFixture {
  void SetUp() override { make(); }
  void clean() {
    ASSERT_TRUE(roll());
    manager->run_cleaner();
    expect_nothing_lost();
    expect_clean();
  }
  std::vector<std::string> keys() {
    std::vector<std::string> all;
    for (const auto& [offset, record] : found())
      all.push_back(*record.key + "=" + record.value.value_or("-") + "@" + std::to_string(offset.value));
    return all;
  }
};

TEST_F(Compaction, TheNewestOfEachKeyStays) {
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(write("k" + std::to_string(i % 4), "v" + std::to_string(i)));
  clean();
  EXPECT_EQ(keys(), (std::vector<std::string>{"k0=v56@56", "k1=v57@57", "k2=v58@58", "k3=v59@59"}));
  EXPECT_EQ(cleaned_to(), Offset{60});
  EXPECT_EQ(log().end_offset(), Offset{60});
  EXPECT_EQ(log().start_offset(), Offset{0});
  EXPECT_LT(log().size_bytes(), 500u);
  ASSERT_TRUE(write("k0", "w"));
  EXPECT_EQ(found().rbegin()->first, Offset{60});
  clean();
  EXPECT_EQ(log().segment_count(), 2u) << "what has become small is one segment from the next round on";
}

TEST_F(Compaction, TheActiveSegmentIsLeftAlone) {
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(write("k", "v" + std::to_string(i)));
  const std::size_t active = static_cast<std::size_t>(8 - log().active_segment_base().value);
  manager->run_cleaner();
  expect_nothing_lost();
  EXPECT_GE(found().size(), active);
}

TEST_F(Compaction, BatchesKeepTheirCodecAndTheirOffsets) {
  for (const Codec codec : {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd}) {
    for (int i = 0; i < 5; ++i)
      ASSERT_TRUE(write(
          {.records = {{"a", "1", 5}, {"b" + std::to_string(static_cast<int>(codec)), "2", 6}, {"a", "3", 7}},
           .codec = codec}));
  }
  clean();
  std::map<Codec, int> codecs;
  each_batch([&](const record::BatchView& batch) {
    ++codecs[*batch.header().codec()];
    EXPECT_EQ(batch.header().base_offset.value % 3, 0);
    EXPECT_EQ(batch.header().last_offset_delta, 2) << "its range of offsets is as it was";
  });
  EXPECT_EQ(codecs.size(), 5u);
}

TEST_F(Compaction, OldFormatsAreCompactedToo) {
  for (const std::int8_t magic : {0, 1})
    for (const Codec codec : {Codec::kNone, Codec::kGzip})
      for (int i = 0; i < 6; ++i)
        ASSERT_TRUE(write({.records = {{"a", "1", 5}, {"b", "2", 6}, {"c" + std::to_string(i), "3", 7}},
                           .magic = magic,
                           .codec = codec}));
  clean();
  EXPECT_EQ(found().size(), 8u);
}

TEST_F(Compaction, RecordsWithoutAKeyGo) {
  ASSERT_TRUE(write({.records = {{std::nullopt, "v", 1}, {"k", "v", 1}}}));
  clean();
  EXPECT_EQ(keys(), std::vector<std::string>{"k=v@1"});
}

TEST_F(Compaction, ATombstoneLivesUntilItsHorizon) {
  config->delete_retention_ms = 1000;
  ASSERT_TRUE(write("a", "1"));
  ASSERT_TRUE(write("a", std::nullopt));
  ASSERT_TRUE(write("b", "1"));
  clean();
  EXPECT_EQ(keys(), (std::vector<std::string>{"a=-@1", "b=1@2"}));
  std::optional<std::int64_t> horizon;
  each_batch([&](const record::BatchView& batch) {
    if (batch.header().delete_horizon_ms()) horizon = batch.header().delete_horizon_ms();
  });
  EXPECT_EQ(horizon, clock.wall_ms() + 1000);
  EXPECT_EQ(found().at(Offset{1}), written.at(Offset{1})) << "the timestamps are as they were";

  clock.advance_ms(999);
  ASSERT_TRUE(write("c", "1"));
  clean();
  EXPECT_EQ(keys().size(), 3u);
  clock.advance_ms(1);
  ASSERT_TRUE(write("d", "1"));
  clean();
  EXPECT_EQ(keys(), (std::vector<std::string>{"b=1@2", "c=1@3", "d=1@4"}));
}

TEST_F(Compaction, TombstonesOfOldFormatsGoByTheTimeOfTheirSegment) {
  config->delete_retention_ms = 1000;
  ASSERT_TRUE(write({.records = {{"a", std::nullopt, 1}}, .magic = 1}));
  ASSERT_TRUE(write({.records = {{"b", "1", 1}}, .magic = 1}));
  clean();
  EXPECT_EQ(keys().size(), 2u);
  clock.advance_ms(5000);
  ASSERT_TRUE(write({.records = {{"c", "1", 1}}, .magic = 1}));
  clean();
  EXPECT_EQ(keys().size(), 3u) << "its own segment is the last clean one";
  clock.advance_ms(5000);
  config->segment_bytes = 60;  // the old one stays for itself
  ASSERT_TRUE(write({.records = {{"d", "1", 1}}, .magic = 1}));
  clean();
  ASSERT_TRUE(write({.records = {{"e", "1", 1}}, .magic = 1}));
  clean();
  EXPECT_EQ(keys(), (std::vector<std::string>{"b=1@1", "c=1@2", "d=1@3", "e=1@4"}));
}

TEST_F(Compaction, AProducersLastSequenceStays) {
  const ProducerId producer{9};
  ASSERT_TRUE(write({.records = {{"a", "1", 1}}, .producer = producer, .sequence = 0}));
  ASSERT_TRUE(write({.records = {{"a", "2", 1}}, .producer = producer, .sequence = 1}));
  ASSERT_TRUE(write("a", "3"));
  clean();
  EXPECT_EQ(keys(), std::vector<std::string>{"a=3@2"});
  std::vector<record::BatchHeader> headers;
  each_batch([&](const record::BatchView& batch) { headers.push_back(batch.header()); });
  ASSERT_EQ(headers.size(), 2u);
  EXPECT_EQ(headers[0].record_count, 0);
  EXPECT_EQ(headers[0].base_offset, Offset{1});
  EXPECT_EQ(headers[0].base_sequence, 1);
  EXPECT_EQ(headers[0].producer_id, producer);
}

TEST_F(Compaction, AbortedRecordsGoAndTheirMarkersLater) {
  config->delete_retention_ms = 1000;
  const ProducerId good{1}, bad{2};
  ASSERT_TRUE(write({.records = {{"a", "old", 1}}}));
  ASSERT_TRUE(write({.records = {{"a", "committed", 1}}, .producer = good, .transactional = true}));
  ASSERT_TRUE(write({.records = {{"a", "aborted", 1}}, .producer = bad, .transactional = true}));
  ASSERT_TRUE(end_transaction(good, true));
  ASSERT_TRUE(end_transaction(bad, false));
  ASSERT_TRUE(write({.records = {{"z", "1", 1}}}));
  written.erase(Offset{2});  // nobody may see it
  const auto batches = [&] {
    std::vector<std::string> all;
    each_batch([&](const record::BatchView& b) {
      const record::BatchHeader& h = b.header();
      all.push_back(std::to_string(h.base_offset.value) + (h.control() ? "m" : "d") +
                    std::to_string(h.record_count) + (h.has_delete_horizon() ? "h" : ""));
    });
    return all;
  };
  ASSERT_TRUE(roll());
  manager->run_cleaner();
  // The aborted batch stays, empty: it is its producer's last one. The marker waits for it to go.
  EXPECT_EQ(batches(), (std::vector<std::string>{"1d1", "2d0", "3m1", "4m1", "5d1"}));
  EXPECT_EQ(keys(), (std::vector<std::string>{"a=committed@1", "z=1@5"}));
  const auto aborted = log().aborted_transactions(Offset{0}, log().end_offset());
  ASSERT_TRUE(aborted);
  EXPECT_EQ(aborted->size(), 1u);

  clock.advance_ms(2000);
  config->producer_id_expiration_ms = 1;
  log().expire_producers(clock.wall_ms());
  ASSERT_TRUE(write("y", "1"));
  ASSERT_TRUE(roll());
  manager->run_cleaner();
  EXPECT_EQ(batches(), (std::vector<std::string>{"1d1", "3m1", "4m1", "5d1", "6d1"}));
  ASSERT_TRUE(write("x", "1"));
  ASSERT_TRUE(roll());
  manager->run_cleaner();
  EXPECT_EQ(batches(), (std::vector<std::string>{"1d1", "3m1", "4m1h", "5d1", "6d1", "7d1"}));
  clock.advance_ms(1000);
  ASSERT_TRUE(write("w", "1"));
  ASSERT_TRUE(roll());
  manager->run_cleaner();
  EXPECT_EQ(batches(), (std::vector<std::string>{"1d1", "3m1", "5d1", "6d1", "7d1", "8d1"}))
      << "the committed one's marker stays with its record";
  EXPECT_TRUE(log().aborted_transactions(Offset{0}, log().end_offset())->empty());
}

TEST_F(Compaction, AnOpenTransactionIsTheEnd) {
  ASSERT_TRUE(write("a", "1"));
  ASSERT_TRUE(write("a", "2"));
  ASSERT_TRUE(roll());
  ASSERT_TRUE(write({.records = {{"a", "3", 1}}, .producer = ProducerId{1}, .transactional = true}));
  ASSERT_TRUE(roll());
  ASSERT_TRUE(write("a", "4"));
  clean();
  EXPECT_EQ(keys(), (std::vector<std::string>{"a=2@1", "a=3@2", "a=4@3"}));
  EXPECT_EQ(cleaned_to(), Offset{2});
}

// ---- when
// ---------------------------------------------------------------------------------------------------------------------

TEST_F(Compaction, NotBeforeEnoughIsDirty) {
  config->min_cleanable_dirty_ratio = 0.5;
  config->segment_bytes = 1 << 20;
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(write("k" + std::to_string(i), "v"));
  clean();
  EXPECT_EQ(cleaned_to(), Offset{20});
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(write("k" + std::to_string(i), "w"));
  clean();
  EXPECT_EQ(cleaned_to(), Offset{20}) << "a third";
  for (int i = 0; i < 15; ++i) ASSERT_TRUE(write("k" + std::to_string(i), "x"));
  clean();
  EXPECT_EQ(cleaned_to(), Offset{45});
}

TEST_F(Compaction, NotWhatIsTooYoungAndWhatIsTooOldAtOnce) {
  config->min_compaction_lag_ms = 1000;
  ASSERT_TRUE(write("a", "1"));
  ASSERT_TRUE(write("a", "2"));
  clean();
  EXPECT_EQ(found().size(), 2u);
  clock.advance_ms(1001);
  manager->run_cleaner();
  EXPECT_EQ(found().size(), 1u);

  config->min_compaction_lag_ms = 0;
  config->min_cleanable_dirty_ratio = 1;
  config->max_compaction_lag_ms = 5000;
  ASSERT_TRUE(write("a", "3"));
  clean();
  EXPECT_EQ(found().size(), 2u);
  clock.advance_ms(5001);
  manager->run_cleaner();
  EXPECT_EQ(found().size(), 1u);
}

TEST_F(Compaction, NotAboveTheHighWatermark) {
  ASSERT_TRUE(write("a", "1"));
  ASSERT_TRUE(write("a", "2"));
  LogManager::set_high_watermark(handle(), Offset{1});
  clean();
  EXPECT_EQ(found().size(), 2u);
  LogManager::set_high_watermark(handle(), Offset{2});
  manager->run_cleaner();
  EXPECT_EQ(found().size(), 1u);
}

TEST_F(Compaction, ATableThatIsTooSmallTakesSeveralRounds) {
  settings.dedupe_buffer_bytes = 12 * KeyTable::kSlotBytes;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(write("k" + std::to_string(i % 25), "v" + std::to_string(i)));
  clean();
  EXPECT_EQ(cleaned_to(), Offset{100});
  EXPECT_LT(found().size(), 60u);
}

TEST_F(Compaction, OffWhenSwitchedOff) {
  settings.enabled = false;
  ASSERT_TRUE(write("a", "1"));
  ASSERT_TRUE(write("a", "2"));
  ASSERT_TRUE(roll());
  for (int i = 0; i < 40; ++i) {
    clock.advance_ms(1000);
    manager->tick();
    background.run_all();
  }
  EXPECT_EQ(found().size(), 2u);
  settings.enabled = true;
  for (int i = 0; i < 40; ++i) {
    clock.advance_ms(1000);
    manager->tick();
    background.run_all();
  }
  EXPECT_EQ(found().size(), 1u);
}

TEST_F(Compaction, NoFasterThanAllowed) {
  config->segment_bytes = 1 << 20;
  settings.max_bytes_per_second = 50'000;
  settings.backoff_ms = 0;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(write("k" + std::to_string(i), std::string(1000, 'v')));
  ASSERT_TRUE(roll());
  int seconds = 0;
  while (cleaned_to() == Offset{0} && seconds < 1000) {
    clock.advance_ms(1000);
    ++seconds;
    manager->tick();
    background.run_all();
  }
  // A megabyte is read twice and written once.
  EXPECT_GE(seconds, 45);
  EXPECT_LE(seconds, 80);
}

// ---- with others at work
// ---------------------------------------------------------------------------------------------------------

TEST_F(Compaction, WhatIsDeletedGoesAndTheCheckpointFollows) {
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(write("k" + std::to_string(i), "v"));
  clean();
  EXPECT_EQ(*log().advance_start_offset(Offset{55}, Offset{60}), wire::ErrorCode::kNone);
  manager->run_retention();
  EXPECT_GT(log().local_start_offset(), Offset{0});
  std::erase_if(written, [&](const auto& item) { return item.first < Offset{55}; });
  ASSERT_TRUE(manager->truncate(handle(), Offset{58}));
  std::erase_if(written, [&](const auto& item) { return item.first >= Offset{58}; });
  EXPECT_EQ(cleaned_to(), Offset{58});
  ASSERT_TRUE(write("k55", "w"));
  ASSERT_TRUE(write("k56", "w"));
  clean();
  EXPECT_EQ(cleaned_to(), Offset{60});
  EXPECT_EQ(found().size(), 3u);
}

// A tombstone below the start may go while what it deletes stays: nobody may see that again.
TEST_F(Compaction, TheStartDoesNotGoBackBehindIt) {
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(write("k" + std::to_string(i), "v"));
  EXPECT_EQ(*log().advance_start_offset(Offset{13}, Offset{30}), wire::ErrorCode::kNone);
  std::erase_if(written, [](const auto& item) { return item.first < Offset{13}; });
  clean();
  ASSERT_TRUE(flush());
  crash(simenv::Crash::kPower);
  ASSERT_TRUE(open());
  EXPECT_EQ(log().start_offset(), Offset{13});
}

// A record goes only when the one that supersedes it is on disk.
TEST_F(Compaction, WhatSupersedesIsDurableFirst) {
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(write("k" + std::to_string(i % 3), "v" + std::to_string(i)));
  clean();
  EXPECT_GE(log().recovery_point(), Offset{30});
}

TEST_F(Compaction, AChoreAfterTheEndDoesNothing) {
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(write("k" + std::to_string(i), "v"));
  EXPECT_EQ(*log().advance_start_offset(Offset{13}, Offset{30}), wire::ErrorCode::kNone);
  clock.advance_ms(1'000'000);
  manager->tick();
  ASSERT_TRUE(manager->close());
  background.run_all();
  EXPECT_EQ(text_of("/data/log-start-offset-checkpoint"), "0\n1\nc 0 13\n");
}

TEST_F(Compaction, RetentionWorksBesideIt) {
  config->cleanup_delete = true;
  config->retention_ms = 10'000;
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(write("k" + std::to_string(i), "v"));
  ASSERT_TRUE(roll());
  manager->run_cleaner();
  EXPECT_EQ(found().size(), 30u);
  clock.advance_ms(10'001);
  manager->run_cleaner();  // finds nothing dirty
  EXPECT_EQ(found().size(), 0u);
  EXPECT_EQ(log().start_offset(), Offset{30});
  ASSERT_TRUE(write("k", "v"));
  ASSERT_TRUE(roll());
  manager->run_cleaner();
  EXPECT_EQ(cleaned_to(), Offset{31});
}

// Cut in the middle of a round: nothing of it counts.
TEST_F(Compaction, ATruncationEndsTheRound) {
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(write("k" + std::to_string(i % 3), "v" + std::to_string(i)));
  ASSERT_TRUE(roll());
  settings.backoff_ms = 0;
  settings.max_bytes_per_second = 1;  // a step a turn
  manager->tick();
  clock.advance_ms(1000);
  manager->tick();
  background.run_all();  // the table is made
  ASSERT_TRUE(manager->truncate(handle(), Offset{30}));
  std::erase_if(written, [&](const auto& item) { return item.first >= Offset{30}; });
  settings.max_bytes_per_second = 1e300;
  for (int i = 0; i < 5; ++i) {
    clock.advance_ms(4'000'000);
    manager->tick();
    background.run_all();
  }
  EXPECT_EQ(log().end_offset(), Offset{30});
  expect_nothing_lost();
  expect_clean();
  EXPECT_LE(cleaned_to(), Offset{30});
}

TEST_F(Compaction, ADeletedTopicIsForgotten) {
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(write("k" + std::to_string(i % 3), "v" + std::to_string(i)));
  clean();
  EXPECT_EQ(cleaned_to(), Offset{60});
  ASSERT_TRUE(manager->remove(kName));
  EXPECT_EQ(text_of("/data/cleaner-offset-checkpoint"), "0\n0\n");
}

TEST_F(Compaction, ACorruptBatchSetsItsPartitionAside) {
  const TopicPartition other{"d", PartitionIndex{0}};
  ASSERT_TRUE(manager->create(other, kId));
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(write("k" + std::to_string(i % 3), "v" + std::to_string(i)));
  ASSERT_TRUE(roll());
  ASSERT_TRUE(disk.flip_bit("/data/c-0/00000000000000000000.log", 100, 2));
  const auto before = disk.files();
  manager->run_cleaner();
  EXPECT_TRUE(
      events.contains("Cannot clean c-0, which is set aside as uncleanable until the next start: "
                      "/data/c-0/00000000000000000000.log: at byte "));
  EXPECT_EQ(cleaned_to(), Offset{0});
  for (const std::string& file : disk.files()) EXPECT_FALSE(file.ends_with(".cleaned")) << file;
  Log& second = LogManager::log(manager->find(other));
  Bytes batch = testing::make_batch({});
  ASSERT_TRUE(second.append(batch, {.now_ms = clock.wall_ms()}));
  ASSERT_TRUE(second.roll(clock.wall_ms()));
  manager->run_cleaner();
  EXPECT_TRUE(events.contains("Cleaned d-0"));
  EXPECT_TRUE(manager->directories().front().online);
}

TEST_F(Compaction, AFullDiskIsTriedAgain) {
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(write("k" + std::to_string(i), "v" + std::to_string(i)));
  ASSERT_TRUE(roll());
  ASSERT_TRUE(flush());
  disk.set_capacity(disk.used_bytes() + 300);
  manager->run_cleaner();
  EXPECT_TRUE(manager->directories().front().online);
  EXPECT_EQ(found().size(), 60u);
  for (const std::string& file : disk.files()) EXPECT_FALSE(file.ends_with(".cleaned")) << file;
  disk.set_capacity(std::uint64_t{1} << 40);
  manager->run_cleaner();
  EXPECT_EQ(cleaned_to(), Offset{60});
  expect_nothing_lost();
}

}  // namespace
}  // namespace moldau::log
