// Committed offsets: who may commit what, what is told, how they age and go.
#include <algorithm>

#include "group/group_fixture.h"
#include "wire/gen/group_records.h"

namespace moldau::group {
namespace {

using wire::OffsetCommitRequest;
using wire::OffsetCommitResponse;
using wire::OffsetFetchRequest;
using wire::OffsetFetchResponse;

constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;

class OffsetsTest : public GroupTest {
 protected:
  ErrorCode commit(std::string_view group, std::string_view topic, std::int32_t partition,
                   std::int64_t offset, std::int16_t version = 9, std::string_view metadata = "",
                   std::int64_t retention_ms = -1) {
    OffsetCommitRequest request{.group_id = group, .retention_time_ms = retention_ms};
    request.topics.push_back(
        {.name = topic,
         .partitions = {
             {.partition_index = partition, .committed_offset = offset, .committed_metadata = metadata}}});
    const auto reply = answer<OffsetCommitResponse>(ask(request, version));
    return static_cast<ErrorCode>(reply.topics.at(0).partitions.at(0).error_code);
  }
  OffsetFetchResponse::OffsetFetchResponsePartition fetch(std::string_view group, std::string_view topic,
                                                          std::int32_t partition, std::int16_t version = 7) {
    OffsetFetchRequest request{.group_id = group};
    request.topics = {{.name = topic, .partition_indexes = {partition}}};
    return answer<OffsetFetchResponse>(ask(request, version)).topics.at(0).partitions.at(0);
  }
  std::int64_t committed(std::string_view group, std::int32_t partition = 0) {
    return fetch(group, "t", partition).committed_offset;
  }
  void apply_in_transaction(std::int64_t offset) {
    const wire::OffsetCommitKey key{.group = "g", .topic = "t", .partition = 0};
    const Record record = make_record(key, wire::OffsetCommitValue{.offset = offset, .metadata = ""}, 3);
    ASSERT_TRUE(machine_->apply({record.key, ByteView(*record.value)}, ProducerId{5}));
  }
};

TEST_F(OffsetsTest, WhatIsCommittedIsToldAlsoAfterARestart) {
  EXPECT_EQ(commit("g", "t", 1, 42, 9, "here"), ErrorCode::kNone);
  restart();
  const auto told = fetch("g", "t", 1);
  EXPECT_EQ(told.committed_offset, 42);
  EXPECT_EQ(told.metadata, "here");
  EXPECT_EQ(committed("g", 2), -1);
  EXPECT_EQ(committed("nobody"), -1);
}

TEST_F(OffsetsTest, EveryVersionCommitsAndFetches) {
  for (std::int16_t version = 0; version <= 9; ++version) {
    EXPECT_EQ(commit("g", "t", 0, 100 + version, version), ErrorCode::kNone) << version;
    const auto told = fetch("g", "t", 0, std::min<std::int16_t>(version, 7));
    EXPECT_EQ(told.committed_offset, 100 + version);
  }
}

TEST_F(OffsetsTest, VersionZeroCallsWhatIsNotThereUnknownAsItDidOfZooKeeper) {
  EXPECT_EQ(fetch("g", "t", 0, 0).error_code, code(ErrorCode::kUnknownTopicOrPartition));
  EXPECT_EQ(fetch("g", "t", 0, 1).error_code, 0);
}

TEST_F(OffsetsTest, TopicIdsNameTopicsSinceVersionTen) {
  const Uuid id = image_->find_topic("t")->id;
  OffsetCommitRequest request{.group_id = "g"};
  request.topics.push_back({.topic_id = id, .partitions = {{.partition_index = 0, .committed_offset = 7}}});
  request.topics.push_back(
      {.topic_id = Uuid{}, .partitions = {{.partition_index = 0, .committed_offset = 7}}});
  const auto reply = answer<OffsetCommitResponse>(ask(request, 10));
  EXPECT_EQ(reply.topics[0].partitions[0].error_code, 0);
  EXPECT_EQ(reply.topics[1].partitions[0].error_code, code(ErrorCode::kUnknownTopicId));
  EXPECT_EQ(committed("g"), 7);
  OffsetFetchRequest all;
  all.groups.push_back({.group_id = "g", .topics = std::nullopt});
  const auto told = answer<OffsetFetchResponse>(ask(all, 10));
  ASSERT_EQ(told.groups.at(0).topics.size(), 1u);
  EXPECT_EQ(told.groups[0].topics[0].topic_id, id);
  EXPECT_EQ(told.groups[0].topics[0].partitions.at(0).committed_offset, 7);
}

TEST_F(OffsetsTest, UnknownTopicsAndPartitionsAndLongMetadataAreRefusedOneByOne) {
  EXPECT_EQ(commit("g", "nowhere", 0, 1), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(commit("g", "t", 4, 1), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(commit("g", "t", 0, 1, 9, std::string(4096, 'x')), ErrorCode::kNone);
  EXPECT_EQ(commit("g", "t", 0, 2, 9, std::string(4097, 'x')), ErrorCode::kOffsetMetadataTooLarge);
  EXPECT_EQ(committed("g"), 1);
}

TEST_F(OffsetsTest, SomebodyOfAGenerationCannotCommitToAGroupThatIsNotThere) {
  OffsetCommitRequest request{.group_id = "g", .generation_id_or_member_epoch = 3, .member_id = "m"};
  request.topics.push_back({.name = "t", .partitions = {{.partition_index = 0, .committed_offset = 1}}});
  const auto error = [&](std::int16_t version) {
    const auto reply = answer<OffsetCommitResponse>(ask(request, version));
    return static_cast<ErrorCode>(reply.topics[0].partitions[0].error_code);
  };
  EXPECT_EQ(error(8), ErrorCode::kIllegalGeneration);
  EXPECT_EQ(error(9), ErrorCode::kGroupIdNotFound);
  EXPECT_EQ(machine_->group_count(), 0u);
}

TEST_F(OffsetsTest, TheyAgeByTheirOwnCommitWhereNobodyIsAMember) {
  commit("g", "t", 0, 1);
  pass(6 * kDayMs);
  commit("g", "t", 1, 2);
  EXPECT_EQ(committed("g", 0), 1);
  pass(kDayMs + 1'200'000);
  EXPECT_EQ(committed("g", 0), -1);
  EXPECT_EQ(committed("g", 1), 2);
  pass(7 * kDayMs);
  EXPECT_EQ(machine_->group_count(), 0u) << "a group with nothing is forgotten";
  restart();
  EXPECT_EQ(machine_->group_count(), 0u);
}

TEST_F(OffsetsTest, AnOldClientSaysItselfHowLong) {
  commit("g", "t", 0, 1, 2, "", 3'600'000);
  pass(3'500'000);
  EXPECT_EQ(committed("g"), 1);
  pass(1'000'000);
  EXPECT_EQ(committed("g"), -1);
}

TEST_F(OffsetsTest, WithItsTopicGoesWhatWasCommittedForIt) {
  add_topic("u", 1);
  commit("g", "t", 0, 1), commit("h", "t", 1, 2), commit("h", "u", 0, 3);
  for (;;) {
    Decision decision = machine_->topics_deleted(context(), {"t"});
    if (decision.records.empty()) break;
    take(std::move(decision));
  }
  EXPECT_EQ(committed("g"), -1);
  EXPECT_EQ(committed("h", 1), -1);
  EXPECT_EQ(fetch("h", "u", 0).committed_offset, 3);
}

TEST_F(OffsetsTest, GroupsAndSingleOffsetsAreDeleted) {
  commit("g", "t", 0, 1), commit("g", "t", 1, 2);
  wire::OffsetDeleteRequest one{.group_id = "g", .topics = {{.name = "t", .partitions = {{0}}}}};
  EXPECT_EQ(answer<wire::OffsetDeleteResponse>(ask(one)).error_code, 0);
  EXPECT_EQ(committed("g", 0), -1);
  EXPECT_EQ(committed("g", 1), 2);
  const auto deleted =
      answer<wire::DeleteGroupsResponse>(ask(wire::DeleteGroupsRequest{.groups_names = {"g", "h"}}));
  EXPECT_EQ(deleted.results[0].error_code, 0);
  EXPECT_EQ(deleted.results[1].error_code, code(ErrorCode::kGroupIdNotFound));
  EXPECT_EQ(committed("g", 1), -1);
  restart();
  EXPECT_EQ(machine_->group_count(), 0u);
}

TEST_F(OffsetsTest, CommitsOfATransactionCountWhenItIsCommitted) {
  commit("g", "t", 0, 1);
  apply_in_transaction(9);
  EXPECT_EQ(committed("g"), 1);
  OffsetFetchRequest stable{.group_id = "g", .require_stable = true};
  stable.topics = {{.name = "t", .partition_indexes = {0}}};
  EXPECT_EQ(answer<OffsetFetchResponse>(ask(stable, 7)).topics[0].partitions[0].error_code,
            code(ErrorCode::kUnstableOffsetCommit));
  machine_->apply_end(ProducerId{5}, true);
  EXPECT_EQ(committed("g"), 9);
  apply_in_transaction(11);
  machine_->apply_end(ProducerId{5}, false);
  EXPECT_EQ(committed("g"), 9);
}

TEST_F(OffsetsTest, ARecordOfANewerReleaseIsToldAndTheRestApplied) {
  wire::Writer key, value;
  wire::append_coordinator_key(key, wire::OffsetCommitKey{.group = "g", .topic = "t", .partition = 0});
  value.number(std::int16_t{99});
  const Bytes key_bytes = key.to_bytes(), value_bytes = value.to_bytes();
  const Status newer = machine_->apply({key_bytes, ByteView(value_bytes)});
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().message, "OffsetCommitValue: expected version 0 to 4, found 99");
  wire::Writer unknown;
  unknown.number(std::int16_t{77});
  const Bytes unknown_bytes = unknown.to_bytes();
  EXPECT_FALSE(machine_->apply({unknown_bytes, std::nullopt}));
  EXPECT_EQ(commit("g", "t", 0, 1), ErrorCode::kNone);
}

TEST_F(OffsetsTest, OddNamesOfGroups) {
  const std::string long_name(10'000, 'g');
  for (const std::string_view name :
       {std::string_view(""), std::string_view("gr\xf0\x9f\x98\x80p"), std::string_view(long_name)}) {
    EXPECT_EQ(commit(name, "t", 0, 5), ErrorCode::kNone) << name.size();
    EXPECT_EQ(committed(name), 5) << name.size();
  }
  restart();
  EXPECT_EQ(committed(long_name), 5);
}

}  // namespace
}  // namespace moldau::group
