// The driver on a local quorum on a simulated disk.
#include "controller/driver.h"

#include <gtest/gtest.h>

#include "metadata/features.h"
#include "quorum/local.h"
#include "simenv/clock.h"
#include "simenv/disk.h"

namespace moldau::controller {
namespace {

struct Watcher final : Follower {
  void image_changed(const metadata::ImagePtr& next, const metadata::Changes& changes) override {
    image = next;
    last = changes;
    ++calls;
  }
  metadata::ImagePtr image;
  metadata::Changes last;
  int calls = 0;
};

// A node's metadata side, from its disk.
struct Node {
  Node(simenv::Disk& disk, simenv::Clock& clock, std::uint64_t seed) : random(seed) {
    Uuid directory;
    directory.bytes[0] = 1;
    auto opened = quorum::LocalQuorum::open(
        disk, clock, {.directory = "/data", .directory_id = directory, .bytes_between_snapshots = 2000},
        bootstrap_records());
    if (!opened) return;
    quorum = std::move(*opened);
    auto made = Driver::open({*quorum, clock, random, watcher}, {}, "c");
    if (made) driver = std::move(*made);
  }

  bool start_broker() {
    RegisterBroker request;
    request.id = BrokerId{1};
    request.cluster_id = "c";
    request.incarnation_id = random.uuid();
    for (const auto& f : metadata::supported_features())
      request.features.push_back({std::string(f.name), f.min, f.max});
    request.log_dirs = {random.uuid()};
    const auto registered = driver->execute(request);
    if (!registered || !registered->error.ok()) return false;
    BrokerHeartbeat beat;
    beat.id = BrokerId{1};
    beat.broker_epoch = registered->broker_epoch;
    beat.current_metadata_offset = driver->image()->provenance().last_offset;
    const auto alive = driver->execute(beat);
    return alive && !alive->fenced;
  }
  // Whether the topic was acknowledged.
  bool create(const std::string& name) {
    CreateTopics request;
    request.topics.emplace_back();
    request.topics[0].name = name;
    const auto reply = driver->execute(request);
    return reply && reply->topics.at(0).error.ok();
  }

  simenv::Random random;
  Watcher watcher;
  std::unique_ptr<quorum::LocalQuorum> quorum;
  std::unique_ptr<Driver> driver;
};

TEST(Driver, what_is_acknowledged_is_seen_and_comes_back) {
  simenv::Clock clock;
  simenv::Disk disk(1, &clock);
  {
    Node node(disk, clock, 1);
    ASSERT_TRUE(node.driver);
    ASSERT_TRUE(node.start_broker());
    EXPECT_TRUE(node.create("t"));
    EXPECT_EQ(node.watcher.image, node.driver->image());
    ASSERT_EQ(node.watcher.last.topics.size(), 1u);
    EXPECT_EQ(node.watcher.last.topics[0].after->name, "t");
    EXPECT_FALSE(node.create("t"));
    EXPECT_EQ(node.driver->image()->config(metadata::ResourceType::kBroker, "").at("min.insync.replicas"),
              "1");
  }
  Node node(disk, clock, 2);
  ASSERT_TRUE(node.driver);
  EXPECT_NE(node.driver->image()->find_topic("t"), nullptr);
  EXPECT_EQ(node.watcher.calls, 1);
}

TEST(Driver, a_failed_write_promises_nothing_and_is_forgotten) {
  for (const simenv::DiskOp op : {simenv::DiskOp::kWrite, simenv::DiskOp::kSync}) {
    simenv::Clock clock;
    simenv::Disk disk(1, &clock);
    Node node(disk, clock, 1);
    ASSERT_TRUE(node.start_broker());
    disk.add_fault({.op = op, .path = ".log", .times = 1});
    EXPECT_FALSE(node.create("lost"));
    disk.clear_faults();
    EXPECT_EQ(node.watcher.image->find_topic("lost"), nullptr);
    EXPECT_TRUE(node.create("kept"));
    EXPECT_TRUE(node.create("lost"));
    Node again(disk, clock, 2);
    EXPECT_EQ(again.driver->image()->topic_count(), 2u);
  }
}

TEST(Driver, a_disk_that_stays_broken_is_tried_again_each_time) {
  simenv::Clock clock;
  simenv::Disk disk(1, &clock);
  Node node(disk, clock, 1);
  ASSERT_TRUE(node.start_broker());
  disk.add_fault({.op = simenv::DiskOp::kSync, .path = ".log"});
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(node.create("t"));
  disk.clear_faults();
  EXPECT_TRUE(node.create("t"));
}

TEST(Driver, snapshots_are_taken_when_due) {
  simenv::Clock clock;
  simenv::Disk disk(1, &clock);
  Node node(disk, clock, 1);
  ASSERT_TRUE(node.start_broker());
  for (int i = 0; i < 40; ++i) {
    EXPECT_TRUE(node.create("topic-" + std::to_string(i)));
    ASSERT_TRUE(node.driver->maintain().has_value());
  }
  EXPECT_GT(node.driver->quorum_state().latest_snapshot->end, Offset{20});
  Node again(disk, clock, 2);
  EXPECT_EQ(again.driver->image()->topic_count(), 40u);
  EXPECT_TRUE(metadata::difference(*node.driver->image(), *again.driver->image()).empty());
}

// Whatever happens to the machine, an acknowledged topic is there afterwards, with its id.
TEST(Driver, acknowledged_topics_survive_crashes) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    simenv::Clock clock;
    simenv::Disk disk(seed, &clock);
    simenv::Random random(seed);
    std::map<std::string, Uuid> acknowledged;
    int number = 0;
    for (int life = 0; life < 4; ++life) {
      disk.cut_power_after(30 + random.below(120));
      {
        Node node(disk, clock, seed * 10 + static_cast<std::uint64_t>(life));
        if (node.driver && node.start_broker()) {
          while (!disk.down() && number < 200) {
            const std::string name = "t" + std::to_string(number++);
            if (node.create(name)) acknowledged[name] = node.driver->image()->find_topic(name)->id;
            (void)node.driver->maintain();
          }
        }
      }
      disk.crash(random.one_in(2) ? simenv::Crash::kPower : simenv::Crash::kProcess);
      disk.cut_power_after(1u << 30);
      Node node(disk, clock, 5);
      ASSERT_TRUE(node.driver);
      for (const auto& [name, id] : acknowledged) {
        ASSERT_NE(node.driver->image()->find_topic(name), nullptr) << name;
        ASSERT_EQ(node.driver->image()->find_topic(name)->id, id);
      }
    }
    EXPECT_GT(acknowledged.size(), 0u);
  }
}

}  // namespace
}  // namespace moldau::controller
