#include "controller/controller_fixture.h"

namespace moldau::controller {
namespace {

TEST_F(OneBroker, features_move_as_far_as_everybody_goes_along) {
  const auto ask = [&](const std::string& name, std::int16_t level, std::int8_t type) {
    UpdateFeatures request;
    request.updates = {{name, level, type}};
    return run(request).error;
  };
  const std::string intro = "The update failed for all features since the following feature had an error: ";
  EXPECT_EQ(
      ask("metadata.version", 31, 1).message,
      intro +
          "Invalid update version 31 for feature metadata.version. Local controller 1 only supports versions "
          "7-30");
  EXPECT_EQ(ask("metadata.version", 29, 1).message,
            intro +
                "Invalid update version 29 for feature metadata.version. Can't downgrade the version of this "
                "feature without setting the upgrade type to either safe or unsafe downgrade.");
  EXPECT_EQ(
      ask("metadata.version", 29, 2).message,
      intro +
          "Unsupported metadata.version downgrade from 30 to 29. Refusing to perform the requested downgrade "
          "because it might delete metadata information.");
  EXPECT_EQ(ask("foo.version", 1, 1).message,
            intro +
                "Invalid update version 1 for feature foo.version. Local controller 1 does not support this "
                "feature.");
  EXPECT_EQ(ask("group.version", 2, 1).code, ErrorCode::kInvalidUpdateVersion);
  EXPECT_TRUE(ask("metadata.version", 30, 1).ok());
  EXPECT_TRUE(ask("group.version", 0, 2).ok());
  EXPECT_EQ(controller->image()->feature("group.version"), 0);
  EXPECT_TRUE(ask("group.version", 1, 1).ok());
  EXPECT_EQ(controller->image()->feature("group.version"), 1);
  EXPECT_TRUE(ask("kraft.version", 1, 1).ok());
  EXPECT_FALSE(ask("kraft.version", 0, 2).ok());
}

TEST_F(OneBroker, producer_ids_come_in_blocks) {
  AllocateProducerIds request;
  request.broker = BrokerId{1};
  request.broker_epoch = epoch;
  EXPECT_EQ(run(request).first, 0);
  const auto second = run(request);
  EXPECT_EQ(second.first, 1000);
  EXPECT_EQ(second.count, 1000);
  request.broker_epoch = epoch + 1;
  EXPECT_EQ(run(request).error, ErrorCode::kStaleBrokerEpoch);
}

TEST_F(OneBroker, a_clean_restart_keeps_leaders_and_epochs) {
  create(new_topic("t"));
  BrokerHeartbeat stop = heartbeat(1, epoch);
  stop.want_shut_down = true;
  EXPECT_TRUE(run(stop).should_shut_down);
  EXPECT_TRUE(controller->image()->find_broker(BrokerId{1})->fenced);
  RegisterBroker again = registration(1, 2);
  again.previous_broker_epoch = epoch;
  EXPECT_FALSE(run(heartbeat(1, run(again).broker_epoch)).fenced);
  EXPECT_EQ(partition("t").leader, BrokerId{1});
  EXPECT_EQ(partition("t").leader_epoch, LeaderEpoch{0});
}

TEST_F(OneBroker, a_crash_begins_a_new_leader_epoch) {
  create(new_topic("t"));
  start_broker(1, 2);
  EXPECT_EQ(partition("t").leader, BrokerId{1});
  EXPECT_THAT(partition("t").isr, ElementsAre(BrokerId{1}));
  EXPECT_GT(partition("t").leader_epoch, LeaderEpoch{0});
  EXPECT_EQ(partition("t").leader_recovery_state, 0);
}

TEST_F(Cluster, a_broker_must_belong_here_and_know_the_features) {
  RegisterBroker request = registration(1);
  request.cluster_id = "other";
  EXPECT_EQ(run(request).error.message, "Expected cluster ID c, but got cluster ID other");
  request = registration(1);
  request.log_dirs.clear();
  EXPECT_EQ(run(request).error.message, "No directories specified in request");
  request = registration(1);
  request.log_dirs = {uuid(5), uuid(5)};
  EXPECT_EQ(run(request).error.message, "Duplicate directory ID in request");
  request = registration(1);
  request.log_dirs = {metadata::kDirectoryLost};
  EXPECT_EQ(run(request).error.message, "Reserved directory ID in request");
  request = registration(1);
  request.features = {{"metadata.version", 7, 29}};
  EXPECT_EQ(run(request).error.code, ErrorCode::kUnsupportedVersion);
  start_broker(1);
  request = registration(2);
  request.log_dirs = registration(1).log_dirs;
  EXPECT_THAT(run(request).error.message, HasSubstr("Broker 1 is already registered with directory"));
}

TEST_F(Cluster, nobody_alive_no_topic) {
  run(registration(1));
  expect_refused(new_topic("t"), ErrorCode::kInvalidReplicationFactor,
                 "Unable to replicate the partition 1 time(s): All brokers are currently fenced.");
}

TEST_F(Cluster, leadership_moves_when_a_broker_of_several_stops) {
  const std::int64_t first = start_broker(1);
  start_broker(2);
  ASSERT_TRUE(create(manual({{PartitionIndex{0}, {BrokerId{1}, BrokerId{2}}}})).error.ok());
  BrokerHeartbeat stop = heartbeat(1, first);
  stop.want_shut_down = true;
  run(stop);
  EXPECT_EQ(partition("manual").leader, BrokerId{2});
  EXPECT_THAT(partition("manual").isr, ElementsAre(BrokerId{2}));
  EXPECT_EQ(partition("manual").leader_epoch, LeaderEpoch{1});
}

TEST_F(OneBroker, elections_are_held_where_they_are_needed) {
  create(new_topic("t"));
  ElectLeaders request;
  request.partitions = {{{"t", PartitionIndex{0}}, {"zzz", PartitionIndex{0}}, {"t", PartitionIndex{9}}}};
  const auto reply = run(request);
  EXPECT_EQ(reply.partitions[0].error.code, ErrorCode::kElectionNotNeeded);
  EXPECT_EQ(reply.partitions[1].error.message, "No such topic as zzz");
  EXPECT_EQ(reply.partitions[2].error.message, "No such partition as t-9");
  request.partitions.reset();
  EXPECT_TRUE(run(request).partitions.empty());
  request.election_type = 5;
  EXPECT_EQ(run(request).error.message, "Unknown election type 5");
}

TEST_F(OneBroker, a_broker_may_be_unregistered) {
  UnregisterBroker request;
  request.id = BrokerId{9};
  EXPECT_EQ(run(request).error.message, "Broker ID 9 is not currently registered");
  create(new_topic("t"));
  request.id = BrokerId{1};
  EXPECT_TRUE(run(request).error.ok());
  EXPECT_TRUE(controller->image()->brokers().empty());
  EXPECT_EQ(partition("t").leader, kNoBroker);
}

}  // namespace
}  // namespace moldau::controller
