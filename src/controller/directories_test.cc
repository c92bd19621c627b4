#include "controller/controller_fixture.h"

namespace moldau::controller {
namespace {

// A broker with two directories, and a topic with a partition in each.
struct TwoDirectories : Cluster {
  RegisterBroker both(std::uint8_t incarnation = 1) {
    RegisterBroker request = registration(1, incarnation);
    request.log_dirs = {uuid(51), uuid(61)};
    return request;
  }
  void SetUp() override {
    epoch = run(both()).broker_epoch;
    run(heartbeat(1, epoch));
    create(new_topic("t", 2));
    id = controller->image()->find_topic("t")->id;
    EXPECT_EQ(partition("t").directories.at(0), metadata::kDirectoryUnassigned);
  }
  AssignReplicasToDirs assignment(std::vector<AssignReplicasToDirs::Partition> partitions) const {
    return {.broker = BrokerId{1}, .broker_epoch = epoch, .partitions = std::move(partitions)};
  }
  void assign() { run(assignment({{uuid(51), id, PartitionIndex{0}}, {uuid(61), id, PartitionIndex{1}}})); }
  void fail(const Uuid& directory) {
    BrokerHeartbeat beat = heartbeat(1, epoch);
    beat.offline_log_dirs = {directory};
    run(beat);
  }
  void restart(RegisterBroker request) {
    epoch = run(request).broker_epoch;
    run(heartbeat(1, epoch));
  }
  std::int64_t epoch = -1;
  Uuid id;
};

TEST_F(TwoDirectories, the_broker_says_which_holds_what) {
  const auto assigned = run(assignment({{uuid(51), id, PartitionIndex{0}},
                                        {uuid(61), id, PartitionIndex{1}},
                                        {uuid(61), id, PartitionIndex{5}},
                                        {uuid(61), uuid(3), PartitionIndex{0}}}));
  EXPECT_EQ(assigned.partitions[0].error, ErrorCode::kNone);
  EXPECT_EQ(assigned.partitions[2].error, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(assigned.partitions[3].error, ErrorCode::kUnknownTopicId);
  EXPECT_EQ(partition("t", 1).directories.at(0), uuid(61));
  EXPECT_EQ(partition("t", 1).leader, BrokerId{1});
}

TEST_F(TwoDirectories, one_that_fails_takes_leadership_from_its_partitions_only) {
  assign();
  const LeaderEpoch before = partition("t", 1).leader_epoch;
  fail(uuid(61));
  EXPECT_EQ(partition("t", 0).leader, BrokerId{1});
  EXPECT_EQ(partition("t", 1).leader, kNoBroker);
  EXPECT_GT(partition("t", 1).leader_epoch, before);
  EXPECT_THAT(partition("t", 1).isr, IsEmpty());
  EXPECT_THAT(partition("t", 1).eligible_leader_replicas, ElementsAre(BrokerId{1}));
  EXPECT_THAT(controller->image()->find_broker(BrokerId{1})->log_dirs, ElementsAre(uuid(51)));
  fail(uuid(61));
  EXPECT_EQ(last_records, 0u);
}

TEST_F(TwoDirectories, nobody_leads_what_lies_in_a_failed_one) {
  assign();
  fail(uuid(61));
  RegisterBroker without = both(2);
  without.log_dirs = {uuid(51)};
  restart(without);
  EXPECT_EQ(partition("t", 0).leader, BrokerId{1});
  EXPECT_EQ(partition("t", 1).leader, kNoBroker);
  ElectLeaders elect;
  elect.election_type = 1;
  run(elect);
  EXPECT_EQ(partition("t", 1).leader, kNoBroker) << "not by an unclean election either";
  restart(both(3));
  EXPECT_EQ(partition("t", 1).leader, BrokerId{1}) << "it is back";
  EXPECT_THAT(partition("t", 1).isr, ElementsAre(BrokerId{1}));
  EXPECT_THAT(partition("t", 1).eligible_leader_replicas, IsEmpty());
}

TEST_F(TwoDirectories, without_eligible_replicas_the_isr_keeps_its_last) {
  apply({metadata::feature_record("eligible.leader.replicas.version", 0)});
  assign();
  fail(uuid(61));
  EXPECT_EQ(partition("t", 1).leader, kNoBroker);
  EXPECT_THAT(partition("t", 1).isr, ElementsAre(BrokerId{1}));
  restart(both(2));
  EXPECT_EQ(partition("t", 1).leader, BrokerId{1});
}

TEST_F(TwoDirectories, an_assignment_that_comes_after_the_failure_takes_the_leadership) {
  fail(uuid(61));
  EXPECT_EQ(partition("t", 1).leader, BrokerId{1}) << "nobody knows where it lies";
  assign();
  EXPECT_EQ(partition("t", 0).leader, BrokerId{1});
  EXPECT_EQ(partition("t", 1).leader, kNoBroker);
  EXPECT_EQ(partition("t", 1).directories.at(0), uuid(61));
}

}  // namespace
}  // namespace moldau::controller
