#include "quorum/local.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metadata/delta.h"
#include "metadata/features.h"
#include "metadata/records.h"
#include "quorum/quorum_state.h"
#include "quorum/snapshot_file.h"
#include "simenv/clock.h"
#include "simenv/disk.h"
#include "tests/support/datadir.h"
#include "wire/gen/metadata_records.h"

namespace moldau::quorum {
namespace {

using testing::HasSubstr;

Uuid id_of(std::uint8_t first, std::uint8_t last = 5) {
  Uuid id;
  id.bytes[0] = first;
  id.bytes[15] = last;
  return id;
}

Bytes topic(int number) {
  wire::TopicRecord record;
  const std::string name = "topic-" + std::to_string(number);
  record.name = name;
  record.topic_id = id_of(9);
  store_be(record.topic_id.bytes.data() + 4, number);
  return metadata::encode_record(record);
}

Bytes registration() {
  return metadata::to_record(metadata::BrokerRegistration{.id = BrokerId{1}, .epoch = 3}, 30);
}

struct Local : testing::Test {
  simenv::Clock clock;
  simenv::Disk disk{1, &clock};
  LocalOptions options{.directory = "/data", .node_id = BrokerId{1}, .directory_id = id_of(1)};
  std::vector<Bytes> bootstrap{metadata::feature_record(metadata::kMetadataVersion, 30)};

  Result<std::unique_ptr<LocalQuorum>> try_open() {
    return LocalQuorum::open(disk, clock, options, bootstrap);
  }
  std::unique_ptr<LocalQuorum> open() {
    auto opened = try_open();
    EXPECT_TRUE(opened.has_value()) << (opened ? "" : opened.error().message);
    return opened ? std::move(*opened) : nullptr;
  }

  static void write(LocalQuorum& quorum, const Bytes& record) {
    ASSERT_TRUE(quorum.append({&record, 1}, 1000).has_value());
    ASSERT_TRUE(quorum.sync().has_value());
  }

  static metadata::ImagePtr image_of(Quorum& quorum, metadata::Provenance* at = nullptr) {
    metadata::Delta delta(metadata::Image::empty("c"));
    metadata::Provenance provenance;
    const Status status = quorum.replay([&](const ReplayedBatch& batch) -> Status {
      for (const ByteView value : batch.values) TRY(delta.apply(value));
      provenance = {batch.last_offset, batch.epoch, batch.timestamp_ms};
      return {};
    });
    EXPECT_TRUE(status.has_value()) << (status ? "" : status.error().message);
    if (at != nullptr) *at = provenance;
    return std::move(delta).finish(provenance).image;
  }

  void snapshot(LocalQuorum& quorum) {
    metadata::Provenance at;
    const auto image = image_of(quorum, &at);
    const Status status = quorum.write_snapshot(at.last_offset, at.epoch, at.timestamp_ms,
                                                image->to_records(), clock.wall_ms());
    EXPECT_TRUE(status.has_value()) << (status ? "" : status.error().message);
  }

  std::string read(const std::string& name) {
    auto content = disk.read_file("/data/" + name);
    EXPECT_TRUE(content.has_value()) << name;
    return content ? std::string(as_text(*content)) : "";
  }
};

TEST_F(Local, a_fresh_directory_is_laid_out_as_kafkas) {
  auto quorum = open();
  EXPECT_TRUE(quorum->report().fresh);
  EXPECT_EQ(
      read("__cluster_metadata-0/quorum-state"),
      R"({"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1})");
  EXPECT_EQ(read("__cluster_metadata-0/partition.metadata"), "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ");
  EXPECT_TRUE(disk.exists("/data/bootstrap.checkpoint"));
  EXPECT_TRUE(disk.exists("/data/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint"));
  EXPECT_TRUE(disk.exists("/data/__cluster_metadata-0/00000000000000000000.log"));
  const QuorumState state = quorum->state();
  EXPECT_EQ(state.kraft_version, 1);
  EXPECT_EQ(state.voters.at(0).directory_id, id_of(1));
  EXPECT_EQ(state.voters.at(0).endpoints.at(0).port, 9093);
  EXPECT_EQ(image_of(*quorum)->metadata_version(), 30);
}

TEST_F(Local, records_come_back_and_each_start_is_a_new_epoch) {
  {
    auto quorum = open();
    write(*quorum, registration());
    write(*quorum, topic(1));
    EXPECT_EQ(quorum->high_watermark(), quorum->state().log_end);
    ASSERT_TRUE(quorum->close().has_value());
  }
  auto quorum = open();
  EXPECT_FALSE(quorum->report().fresh);
  EXPECT_EQ(quorum->state().epoch, LeaderEpoch{2});
  EXPECT_NE(image_of(*quorum)->find_topic("topic-1"), nullptr);
  EXPECT_THAT(read("__cluster_metadata-0/quorum-state"), HasSubstr("\"leaderEpoch\":2"));
}

TEST_F(Local, a_start_that_did_not_get_to_a_registration_is_still_fresh) {
  open();
  EXPECT_TRUE(open()->report().fresh);
}

TEST_F(Local, snapshots_replace_what_they_contain) {
  options.bytes_between_snapshots = 3000;
  auto quorum = open();
  write(*quorum, registration());
  int topics = 0;
  while (!quorum->wants_snapshot(clock.wall_ms())) write(*quorum, topic(topics++));
  snapshot(*quorum);
  EXPECT_FALSE(quorum->wants_snapshot(clock.wall_ms()));
  write(*quorum, topic(topics++));
  const auto id = quorum->state().latest_snapshot;
  ASSERT_TRUE(id && id->end > Offset{0});
  quorum.reset();

  // The log in front of the snapshot may rot: nobody reads it.
  disk.flip_bit("/data/__cluster_metadata-0/00000000000000000000.log", 300, 1);
  quorum = open();
  EXPECT_EQ(image_of(*quorum)->topic_count(), static_cast<std::size_t>(topics));
  EXPECT_EQ(quorum->report().snapshot, id);
  EXPECT_FALSE(quorum->report().fresh);
}

TEST_F(Local, a_snapshot_is_due_by_time_only_if_something_happened) {
  auto quorum = open();
  snapshot(*quorum);
  clock.advance_ms(4'000'000);
  EXPECT_FALSE(quorum->wants_snapshot(clock.wall_ms()));
  write(*quorum, topic(1));
  EXPECT_TRUE(quorum->wants_snapshot(clock.wall_ms()));
}

TEST_F(Local, old_snapshots_and_the_log_before_them_go) {
  options.max_retention_bytes = 3u << 20;
  auto quorum = open();
  write(*quorum, registration());
  for (int round = 0; round < 6; ++round) {
    std::vector<Bytes> records;
    for (int i = 0; i < 15000; ++i)
      records.push_back(metadata::config_record(
          {metadata::ResourceType::kTopic, "t"}, "key" + std::to_string(i % 50),
          "a value that is long enough to fill a log, round " + std::to_string(round)));
    ASSERT_TRUE(quorum->append(records, 5).has_value());
    ASSERT_TRUE(quorum->sync().has_value());
    snapshot(*quorum);
  }
  EXPECT_GT(quorum->state().log_start, Offset{0});
  EXPECT_FALSE(disk.exists("/data/__cluster_metadata-0/00000000000000000000.log"));
  EXPECT_FALSE(disk.exists("/data/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint"));
  quorum.reset();
  quorum = open();
  EXPECT_EQ(image_of(*quorum)->config(metadata::ResourceType::kTopic, "t").size(), 50u);
  write(*quorum, topic(1));
}

TEST_F(Local, a_torn_tail_is_cut_and_said) {
  open();
  const std::string log = "/data/__cluster_metadata-0/00000000000000000000.log";
  {
    auto file = *disk.open(log, env::OpenMode::kReadWrite);
    const Bytes torn(100, 0x55);
    ASSERT_TRUE(file->write_at(*file->size(), ByteView(torn)).has_value());
  }
  auto quorum = open();
  EXPECT_EQ(quorum->report().bytes_cut, 100u);
  EXPECT_EQ(image_of(*quorum)->metadata_version(), 30);
}

TEST_F(Local, damage_in_the_middle_is_refused_and_nothing_is_cut) {
  {
    auto quorum = open();
    for (int i = 0; i < 20; ++i) write(*quorum, topic(i));
  }
  const std::string log = "/data/__cluster_metadata-0/00000000000000000000.log";
  const std::uint64_t size = *(*disk.open(log, env::OpenMode::kRead))->size();
  for (const std::uint64_t at : {size / 2, size / 2 + 8, size / 2 + 40}) {
    disk.flip_bit(log, at, 3);
    const auto opened = try_open();
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().kind, ErrorKind::kCorrupt);
    EXPECT_THAT(opened.error().message, HasSubstr("would lose acknowledged metadata"));
    disk.flip_bit(log, at, 3);
  }
  EXPECT_EQ(*(*disk.open(log, env::OpenMode::kRead))->size(), size);
  EXPECT_EQ(image_of(*open())->topic_count(), 20u);
}

TEST_F(Local, a_damaged_snapshot_is_passed_over_while_the_log_reaches_back) {
  {
    auto quorum = open();
    write(*quorum, topic(1));
    snapshot(*quorum);
  }
  const std::string name = "/data/__cluster_metadata-0/" + snapshot_name(*open()->state().latest_snapshot);
  disk.flip_bit(name, 120, 1);
  auto quorum = open();
  ASSERT_FALSE(quorum->report().notes.empty());
  EXPECT_THAT(quorum->report().notes[0], HasSubstr("older snapshot"));
  EXPECT_NE(image_of(*quorum)->find_topic("topic-1"), nullptr);
}

TEST_F(Local, a_quorum_of_several_is_refused_by_name) {
  {
    auto quorum = open();
  }
  options.node_id = BrokerId{2};
  const auto opened = try_open();
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(opened.error().message, HasSubstr("expected node 2 as its only voter, found the voters 1"));
}

TEST_F(Local, a_failed_sync_promises_nothing_and_reload_forgets_it) {
  auto quorum = open();
  write(*quorum, topic(1));
  const Offset durable = quorum->high_watermark();
  disk.add_fault({.op = simenv::DiskOp::kSync, .times = 1});
  const Bytes lost = topic(2);
  ASSERT_TRUE(quorum->append({&lost, 1}, 5).has_value());
  EXPECT_FALSE(quorum->sync().has_value());
  EXPECT_FALSE(quorum->leads());
  EXPECT_EQ(quorum->high_watermark(), durable);
  EXPECT_FALSE(quorum->append({&lost, 1}, 5).has_value());
  disk.clear_faults();
  ASSERT_TRUE(quorum->reload().has_value());
  EXPECT_EQ(quorum->state().log_end, durable);
  write(*quorum, topic(3));
  const auto image = image_of(*quorum);
  EXPECT_EQ(image->find_topic("topic-2"), nullptr);
  EXPECT_NE(image->find_topic("topic-3"), nullptr);
}

TEST_F(Local, one_batch_is_durable_before_the_next_begins) {
  auto quorum = open();
  const Bytes first = topic(1), second = topic(2);
  ASSERT_TRUE(quorum->append({&first, 1}, 5).has_value());
  const Offset durable = quorum->high_watermark();
  const auto offset = quorum->append({&second, 1}, 5);
  ASSERT_TRUE(offset.has_value());
  EXPECT_EQ(quorum->high_watermark(), *offset);
  EXPECT_GT(quorum->high_watermark(), durable);
}

TEST_F(Local, a_full_disk_refuses_until_there_is_room) {
  auto quorum = open();
  disk.set_capacity(disk.used_bytes() + 10);
  const Bytes record = topic(1);
  const auto refused = quorum->append({&record, 1}, 5);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, ErrorKind::kNoSpace);
  disk.set_capacity(1u << 30);
  ASSERT_TRUE(quorum->reload().has_value());
  write(*quorum, record);
}

// Wherever the power goes, what was acknowledged is there afterwards, and everything opens.
TEST(Crash, acknowledged_metadata_is_never_lost) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    simenv::Random random(seed);
    simenv::Clock clock;
    simenv::Disk disk(seed, &clock);
    const LocalOptions options{.directory = "/data",
                               .directory_id = id_of(1),
                               .bytes_between_snapshots = 600,
                               .max_retention_bytes = 5000};
    const std::vector<Bytes> bootstrap{metadata::feature_record(metadata::kMetadataVersion, 30)};
    int acknowledged = 0, tried = 0;
    for (int life = 0; life < 4; ++life) {
      disk.cut_power_after(random.below(60));
      auto quorum = LocalQuorum::open(disk, clock, options, bootstrap);
      if (quorum) {
        for (int step = 0; step < 30 && !disk.down(); ++step) {
          const Bytes record = topic(tried++);
          if (!(*quorum)->append({&record, 1}, 7)) break;
          if (!(*quorum)->sync()) break;
          acknowledged = tried;
          metadata::Provenance at;
          if (!(*quorum)->wants_snapshot(0)) continue;
          const auto image = Local::image_of(**quorum, &at);
          if (!disk.down())
            (void)(*quorum)->write_snapshot(at.last_offset, at.epoch, at.timestamp_ms, image->to_records(),
                                            0);
        }
      }
      quorum = {};
      disk.crash(random.one_in(2) ? simenv::Crash::kPower : simenv::Crash::kProcess);
      disk.cut_power_after(1u << 30);
      auto again = LocalQuorum::open(disk, clock, options, bootstrap);
      ASSERT_TRUE(again.has_value()) << again.error().message;
      const auto image = Local::image_of(**again);
      EXPECT_EQ(image->metadata_version(), 30);
      const auto found = static_cast<int>(image->topic_count());
      ASSERT_GE(found, acknowledged);
      ASSERT_LE(found, tried);
      acknowledged = tried = found;
    }
  }
}

TEST(Golden, directories_of_kafka_4_3_1_open) {
  for (const char* name : {"kafka-4.3.1-a", "kafka-4.3.1-a-kill9"}) {
    SCOPED_TRACE(name);
    simenv::Clock clock;
    simenv::Disk disk(1, &clock);
    golden::unpack_datadir(name, disk, "/data");
    auto quorum = LocalQuorum::open(disk, clock, {.directory = "/data", .directory_id = {}}, {});
    ASSERT_TRUE(quorum.has_value()) << quorum.error().message;
    EXPECT_FALSE((*quorum)->report().fresh);
    EXPECT_EQ((*quorum)->state().kraft_version, 1);
    const auto image = Local::image_of(**quorum);
    std::string names;
    for (const auto& topic : image->topics_sorted()) names += topic->name + " ";
    EXPECT_EQ(
        names,
        "__consumer_offsets __share_group_state __transaction_state codecs compacted deleted-records empty "
        "headers idem logappend plain txn ");
    EXPECT_EQ(image->find_topic("__consumer_offsets")->partitions.size(), 2u);
    EXPECT_EQ(image->config(metadata::ResourceType::kTopic, "plain").at("segment.ms"), "1000");
    EXPECT_EQ(image->config(metadata::ResourceType::kGroup, "share-g").at("share.auto.offset.reset"),
              "earliest");
    EXPECT_EQ(image->feature("transaction.version"), 2);
    EXPECT_TRUE(image->unknown_records().empty());
    EXPECT_GE(image->next_producer_id(), 1000);
    EXPECT_EQ(image->find_broker(BrokerId{1})->endpoint("PLAINTEXT")->port, 9092);
  }
}

TEST(Golden, a_directory_that_kafka_has_only_formatted_begins_with_its_features) {
  simenv::Clock clock;
  simenv::Disk disk(1, &clock);
  golden::unpack_datadir("kafka-4.3.1-a", disk, "/data");
  ASSERT_TRUE(disk.remove_all("/data/__cluster_metadata-0").has_value());
  auto quorum = LocalQuorum::open(disk, clock, {.directory = "/data", .directory_id = {}}, {});
  ASSERT_TRUE(quorum.has_value()) << quorum.error().message;
  EXPECT_TRUE((*quorum)->report().fresh);
  EXPECT_EQ((*quorum)->state().kraft_version, 0);
  EXPECT_EQ(Local::image_of(**quorum)->feature("share.version"), 1);
}

TEST(QuorumStateFile, both_versions_are_read) {
  const auto v0 = parse_quorum_state(
      R"({"clusterId":"","leaderId":1,"leaderEpoch":7,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1},{"voterId":2}],"data_version":0})",
      "f");
  ASSERT_TRUE(v0.has_value());
  EXPECT_EQ(v0->epoch, LeaderEpoch{7});
  EXPECT_EQ(v0->voters, (std::vector{BrokerId{1}, BrokerId{2}}));
  const auto again = parse_quorum_state(format_quorum_state(*v0), "f");
  EXPECT_EQ(again->voters, v0->voters);
  EXPECT_EQ(parse_quorum_state("{]", "f").error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(parse_quorum_state("", "f").error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(parse_quorum_state(R"({"leaderId":1,"leaderEpoch":1,"data_version":9})", "f").error().kind,
            ErrorKind::kUnsupported);
}

TEST(SnapshotName, is_twenty_digits_and_ten) {
  EXPECT_EQ(snapshot_name({Offset{55}, LeaderEpoch{1}}), "00000000000000000055-0000000001.checkpoint");
  EXPECT_EQ(parse_snapshot_name("00000000000000000055-0000000001.checkpoint"),
            (SnapshotId{Offset{55}, LeaderEpoch{1}}));
  EXPECT_EQ(parse_snapshot_name("00000000000000000055-0000000001.checkpoint.part"), std::nullopt);
  EXPECT_EQ(parse_snapshot_name("0000000000000000005x-0000000001.checkpoint"), std::nullopt);
  EXPECT_EQ(parse_snapshot_name("bootstrap.checkpoint"), std::nullopt);
}

}  // namespace
}  // namespace moldau::quorum
