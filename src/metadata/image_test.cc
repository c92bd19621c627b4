#include <gtest/gtest.h>
#include <map>
#include <set>

#include "metadata/delta.h"
#include "metadata/features.h"
#include "metadata/persistent_map.h"
#include "metadata/records.h"
#include "wire/gen/metadata_records.h"

namespace moldau::metadata {
namespace {

Uuid uuid(std::uint8_t last) {
  Uuid id;
  id.bytes[0] = 7;
  id.bytes[15] = last;
  return id;
}

Bytes topic(std::string_view name, const Uuid& id) {
  wire::TopicRecord record;
  record.name = name;
  record.topic_id = id;
  return encode_record(record);
}

Bytes partition(const Uuid& topic_id, std::int32_t index) {
  Partition p{.index = PartitionIndex{index}, .leader = BrokerId{1}};
  p.replicas = p.isr = {BrokerId{1}};
  p.directories = {uuid(99)};
  return to_record(p, topic_id, kLatestMetadataVersion);
}

Bytes remove(const Uuid& id) {
  wire::RemoveTopicRecord record;
  record.topic_id = id;
  return encode_record(record);
}

Bytes leader_change(const Uuid& id, std::int32_t index, std::int32_t leader) {
  wire::PartitionChangeRecord record;
  record.topic_id = id;
  record.partition_id = index;
  record.leader = leader;
  return encode_record(record);
}

template <typename Record>
Bytes plain() {
  return encode_record(Record{});
}

// Applies all, and expects that to work.
Delta::Next fold(const ImagePtr& base, const std::vector<Bytes>& records, std::int64_t offset = 0) {
  Delta delta(base);
  for (const Bytes& record : records) {
    const Status status = delta.apply(record);
    EXPECT_TRUE(status.has_value()) << status.error().message;
  }
  return std::move(delta).finish({Offset{offset}, LeaderEpoch{1}, 1000});
}

std::string error_of(const ImagePtr& base, const std::vector<Bytes>& records) {
  Delta delta(base);
  for (const Bytes& record : records)
    if (const Status status = delta.apply(record); !status) return status.error().message;
  return "";
}

const ImagePtr kEmpty = Image::empty("cluster");

// Worst for a hash map: everything falls into a few chains.
struct PoorHash {
  std::size_t operator()(int n) const { return static_cast<std::size_t>(n % 3); }
};

template <typename Map>
void compare_with_std_map(Map map, int keys) {
  std::map<int, int> expected;
  std::vector<std::pair<Map, std::map<int, int>>> frozen;
  std::uint32_t random = 1;
  Edit edit = 1;
  for (int step = 0; step < 4000; ++step) {
    random = random * 1664525 + 1013904223;
    const int key = static_cast<int>((random >> 8) % static_cast<std::uint32_t>(keys));
    if ((random & 3) == 0) {
      map.erase(edit, key);
      expected.erase(key);
    } else {
      map.set(edit, key, step);
      expected[key] = step;
    }
    if (step % 400 == 0) {
      frozen.emplace_back(map, expected);
      ++edit;
    }
  }
  frozen.emplace_back(map, expected);
  for (const auto& [copy, content] : frozen) {
    EXPECT_EQ(copy.size(), content.size());
    std::map<int, int> seen;
    copy.for_each([&](int key, int value) { EXPECT_TRUE(seen.emplace(key, value).second); });
    EXPECT_EQ(seen, content);
    for (int key = 0; key < keys; ++key) {
      const int* found = copy.find(key);
      EXPECT_EQ(found != nullptr, content.contains(key));
    }
  }
}

TEST(PersistentMap, behaves_as_a_map_and_leaves_copies_alone) {
  compare_with_std_map(PersistentMap<int, int>{}, 500);
  compare_with_std_map(PersistentMap<int, int, PoorHash>{}, 60);
}

TEST(Image, topics_are_found_by_name_id_and_partition) {
  const auto next = fold(kEmpty,
                         {topic("b", uuid(1)), partition(uuid(1), 0), partition(uuid(1), 1),
                          topic("a", uuid(2)), partition(uuid(2), 0)},
                         4);
  const Image& image = *next.image;
  ASSERT_NE(image.find_topic("b"), nullptr);
  EXPECT_EQ(image.find_topic("b"), image.find_topic(uuid(1)));
  EXPECT_EQ(image.find_topic("c"), nullptr);
  EXPECT_EQ(image.find_partition("b", PartitionIndex{1})->leader, BrokerId{1});
  EXPECT_EQ(image.find_partition("b", PartitionIndex{2}), nullptr);
  EXPECT_EQ(image.find_partition("b", PartitionIndex{-1}), nullptr);
  EXPECT_EQ(image.topics_sorted()[0]->name, "a");
  EXPECT_EQ(image.provenance().last_offset, Offset{4});
  EXPECT_EQ(kEmpty->topic_count(), 0u);
  ASSERT_EQ(next.changes.topics.size(), 2u);
  EXPECT_EQ(next.changes.topics[1].partitions, (std::vector{PartitionIndex{0}, PartitionIndex{1}}));
}

TEST(Image, partitions_may_come_in_any_order) {
  const auto next = fold(kEmpty, {topic("t", uuid(1)), partition(uuid(1), 2), partition(uuid(1), 0),
                                  partition(uuid(1), 1), partition(uuid(1), 2)});
  const Topic& t = *next.image->find_topic("t");
  ASSERT_EQ(t.partitions.size(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(t.find(PartitionIndex{i})->index, PartitionIndex{i});
}

TEST(Image, a_partition_change_counts_epochs) {
  const auto first = fold(kEmpty, {topic("t", uuid(1)), partition(uuid(1), 0)});
  const auto second = fold(first.image, {leader_change(uuid(1), 0, -1), leader_change(uuid(1), 0, 1),
                                         leader_change(uuid(1), 0, -2)});
  const Partition& before = *first.image->find_partition("t", PartitionIndex{0});
  const Partition& after = *second.image->find_partition("t", PartitionIndex{0});
  EXPECT_EQ(before.leader_epoch, LeaderEpoch{0});
  EXPECT_EQ(after.leader, BrokerId{1});
  EXPECT_EQ(after.leader_epoch, LeaderEpoch{2});
  EXPECT_EQ(after.partition_epoch, 3);
  ASSERT_EQ(second.changes.topics.size(), 1u);
  EXPECT_EQ(second.changes.topics[0].before, first.image->topic_ptr(uuid(1)));
}

TEST(Image, a_topic_made_anew_is_a_deletion_and_a_creation) {
  const Resource resource{ResourceType::kTopic, "t"};
  const auto first = fold(
      kEmpty, {topic("t", uuid(1)), partition(uuid(1), 0), config_record(resource, "retention.ms", "5")});
  EXPECT_EQ(first.image->config(ResourceType::kTopic, "t").at("retention.ms"), "5");
  const auto second = fold(first.image, {remove(uuid(1)), topic("t", uuid(2)), partition(uuid(2), 0)});
  ASSERT_EQ(second.changes.topics.size(), 2u);
  EXPECT_EQ(second.changes.topics[0].after, nullptr);
  EXPECT_EQ(second.changes.topics[1].before, nullptr);
  EXPECT_EQ(second.image->find_topic("t")->id, uuid(2));
  EXPECT_TRUE(second.image->config(ResourceType::kTopic, "t").empty());
  EXPECT_EQ(second.changes.configs, std::vector{resource});
}

TEST(Image, a_change_shares_what_it_does_not_touch) {
  std::vector<Bytes> records;
  for (int i = 0; i < 3000; ++i) {
    Uuid id = uuid(1);
    id.bytes[1] = static_cast<std::uint8_t>(i >> 8);
    id.bytes[2] = static_cast<std::uint8_t>(i);
    records.push_back(topic("t" + std::to_string(i), id));
    records.push_back(partition(id, 0));
  }
  const auto many = fold(kEmpty, records);
  const Uuid id = many.image->find_topic("t7")->id;
  const auto next = fold(many.image, {leader_change(id, 0, -1)});
  EXPECT_EQ(next.changes.topics.size(), 1u);
  EXPECT_NE(next.image->find_topic("t7"), many.image->find_topic("t7"));
  EXPECT_EQ(next.image->find_topic("t8"), many.image->find_topic("t8"));
  EXPECT_EQ(many.image->find_topic("t7")->partitions[0].leader, BrokerId{1});
}

TEST(Image, records_that_contradict_are_refused_with_names) {
  EXPECT_NE(error_of(kEmpty, {partition(uuid(1), 0)}).find("not there"), std::string::npos);
  EXPECT_NE(error_of(kEmpty, {topic("t", uuid(1)), topic("t", uuid(2))}).find("topic t is made twice"),
            std::string::npos);
  EXPECT_NE(error_of(kEmpty, {remove(uuid(1))}).find("not there"), std::string::npos);
  EXPECT_NE(error_of(kEmpty, {Bytes{}}).find("no metadata record"), std::string::npos);
  EXPECT_NE(error_of(kEmpty, {plain<wire::EndTransactionRecord>()}).find("never began"), std::string::npos);
}

TEST(Image, what_is_newer_than_this_release_is_unsupported) {
  Delta delta(kEmpty);
  EXPECT_EQ(delta.apply(feature_record(kMetadataVersion, 31)).error().kind, ErrorKind::kUnsupported);
  Bytes newer = topic("t", uuid(1));
  newer[2] = 9;  // version
  EXPECT_EQ(delta.apply(newer).error().kind, ErrorKind::kUnsupported);
}

TEST(Image, unknown_types_survive_snapshots) {
  const Bytes unknown{1, 77, 0, 1, 2, 3};
  const auto next = fold(kEmpty, {unknown, feature_record(kMetadataVersion, 30)});
  ASSERT_EQ(next.image->unknown_records().size(), 1u);
  const auto again = fold(kEmpty, next.image->to_records());
  EXPECT_EQ(*again.image->unknown_records().at(0), unknown);
}

TEST(Image, transactions_show_nothing_until_they_end) {
  const auto first = fold(kEmpty, {topic("t", uuid(1)), partition(uuid(1), 0)});
  Delta delta(first.image);
  ASSERT_TRUE(delta.apply(leader_change(uuid(1), 0, -1)).has_value());
  ASSERT_TRUE(delta.apply(plain<wire::BeginTransactionRecord>()).has_value());
  EXPECT_TRUE(delta.in_transaction());
  ASSERT_TRUE(delta.apply(leader_change(uuid(1), 0, 1)).has_value());
  ASSERT_TRUE(delta.apply(topic("u", uuid(2))).has_value());
  ASSERT_TRUE(delta.apply(plain<wire::AbortTransactionRecord>()).has_value());
  EXPECT_FALSE(delta.in_transaction());
  ASSERT_TRUE(delta.apply(topic("v", uuid(3))).has_value());
  const auto next = std::move(delta).finish({Offset{9}, LeaderEpoch{1}, 0});
  EXPECT_EQ(next.image->find_topic("u"), nullptr);
  EXPECT_NE(next.image->find_topic("v"), nullptr);
  EXPECT_EQ(next.image->find_partition("t", PartitionIndex{0})->leader, kNoBroker);
  EXPECT_EQ(first.image->find_partition("t", PartitionIndex{0})->leader, BrokerId{1});

  Delta again(first.image);
  ASSERT_TRUE(again.apply(plain<wire::BeginTransactionRecord>()).has_value());
  ASSERT_TRUE(again.apply(leader_change(uuid(1), 0, -1)).has_value());
  ASSERT_TRUE(again.apply(plain<wire::AbortTransactionRecord>()).has_value());
  ASSERT_TRUE(again.apply(leader_change(uuid(1), 0, 1)).has_value());
  const auto after_abort = std::move(again).finish({Offset{9}, LeaderEpoch{1}, 0});
  EXPECT_EQ(after_abort.image->find_partition("t", PartitionIndex{0})->leader_epoch, LeaderEpoch{1});

  const auto ended = fold(first.image, {plain<wire::BeginTransactionRecord>(), topic("u", uuid(2)),
                                        plain<wire::EndTransactionRecord>()});
  EXPECT_NE(ended.image->find_topic("u"), nullptr);
}

TEST(Image, brokers_register_change_and_go) {
  BrokerRegistration broker{.id = BrokerId{1}, .epoch = 5};
  broker.endpoints = {{"PLAINTEXT", "localhost", 9092, 0}};
  broker.rack = "r";
  broker.log_dirs = {uuid(4)};
  wire::BrokerRegistrationChangeRecord change;
  change.broker_id = 1;
  change.broker_epoch = 5;
  change.fenced = -1;
  const auto next = fold(kEmpty, {to_record(broker, 30), encode_record(change, 0)});
  ASSERT_EQ(next.image->alive_brokers().size(), 1u);
  EXPECT_EQ(next.image->find_broker(BrokerId{1})->endpoint("PLAINTEXT")->port, 9092);
  EXPECT_EQ(next.image->find_broker(BrokerId{1})->endpoint("SSL"), nullptr);
  EXPECT_EQ(next.changes.brokers, std::vector{BrokerId{1}});
  change.broker_epoch = 6;
  EXPECT_NE(error_of(next.image, {encode_record(change, 0)}), "");
  wire::UnregisterBrokerRecord gone;
  gone.broker_id = 1;
  gone.broker_epoch = 5;
  EXPECT_TRUE(fold(next.image, {encode_record(gone)}).image->brokers().empty());
}

TEST(Image, snapshots_say_everything) {
  BrokerRegistration broker{.id = BrokerId{1}, .epoch = 5};
  broker.endpoints = {{"PLAINTEXT", "localhost", 9092, 0}};
  broker.features = {{"metadata.version", 7, 30}};
  wire::ProducerIdsRecord ids;
  ids.next_producer_id = 3000;
  wire::ClientQuotaRecord quota;
  quota.entity = {{.entity_type = "user", .entity_name = std::nullopt, .unknown_tags = {}}};
  quota.key = "producer_byte_rate";
  quota.value = 5.5;
  wire::ClientQuotaRecord other = quota;
  other.key = "consumer_byte_rate";
  wire::AccessControlEntryRecord acl;
  acl.id = uuid(8);
  acl.principal = "User:x";
  const auto first = fold(kEmpty, {feature_record(kMetadataVersion, 30), feature_record("group.version", 1),
                                   to_record(broker, 30), topic("t", uuid(1)), partition(uuid(1), 0),
                                   config_record({ResourceType::kBroker, ""}, "a", "b"),
                                   config_record({ResourceType::kTopic, "t"}, "x", "y"), encode_record(ids),
                                   encode_record(quota), encode_record(other), encode_record(acl)});
  const auto second = fold(kEmpty, first.image->to_records());
  EXPECT_TRUE(difference(*first.image, *second.image).empty());
  EXPECT_EQ(second.image->next_producer_id(), 3000);
  EXPECT_EQ(second.image->kept_records().size(), 3u);
  EXPECT_EQ(second.image->metadata_version(), 30);
  quota.remove = true;
  EXPECT_EQ(fold(second.image, {encode_record(quota)}).image->kept_records().size(), 2u);
  EXPECT_FALSE(difference(*first.image, *kEmpty).empty());
}

TEST(Features, metadata_versions_have_names) {
  EXPECT_EQ(metadata_version_name(30), "4.3-IV0");
  EXPECT_EQ(metadata_version_name(7), "3.3-IV3");
  EXPECT_EQ(metadata_version_name(31), std::nullopt);
  EXPECT_EQ(metadata_version_level("3.7"), 19);
  EXPECT_EQ(metadata_version_level("4.0-IV3"), 25);
  EXPECT_EQ(metadata_version_level("5.0"), std::nullopt);
}

}  // namespace
}  // namespace moldau::metadata
