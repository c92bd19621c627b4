#include "wire/frame.h"

#include <gtest/gtest.h>

#include "wire/api.h"
#include "wire/errors.h"
#include "wire/gen/fetch.h"
#include "wire/gen/group_records.h"
#include "wire/gen/metadata_records.h"
#include "wire/gen/produce.h"
#include "wire/record_frame.h"

namespace moldau::wire {
namespace {

TEST(Frame, ARequestComesBackAsItWent) {
  ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 1500;
  const Bytes batch = {1, 2, 3};
  request.topic_data.push_back(
      {.name = "t", .partition_data = {{.index = 7, .records = Records::view(batch)}}});
  Writer writer;
  ASSERT_TRUE(append_request(writer, {.api_key = 0, .api_version = 9, .correlation_id = 5, .client_id = "me"},
                             request));

  Reader reader(writer.view());
  EXPECT_EQ(reader.number<std::int32_t>("size"), static_cast<std::int32_t>(reader.remaining()));
  RequestHeader header;
  ASSERT_TRUE(decode_header(reader, header));
  EXPECT_EQ(header, (RequestHeader{.api_key = 0, .api_version = 9, .correlation_id = 5, .client_id = "me"}));
  ProduceRequest back;
  ASSERT_TRUE(decode(reader, 9, back)) << reader.reason();
  EXPECT_EQ(back, request);
  EXPECT_EQ(back.topic_data[0].partition_data[0].records.bytes.data(),
            writer.view().data() + writer.size() - 6)
      << "records are a view into the frame, in front of three tag sections";
}

TEST(Frame, RecordsOutsideOfMemoryLeaveAHoleOfTheirSize) {
  FetchResponse response;
  response.responses.push_back({.topic = "t"});
  auto& partitions = response.responses[0].partitions;
  partitions.push_back({.partition_index = 0, .records = Records::external(1000, 17)});
  partitions.push_back({.partition_index = 1, .records = Records::external(24, 18)});
  Writer writer;
  ASSERT_TRUE(append_response(writer, 12, 99, response));

  EXPECT_EQ(load_be<std::int32_t>(writer.view().data()), static_cast<std::int32_t>(writer.size() - 4 + 1024));
  EXPECT_EQ(encoded_size(12, response), writer.size() - 4 - 5 + 1024)
      << "without frame and header, with what is outside";
  ASSERT_EQ(writer.holes().size(), 2U);
  EXPECT_EQ(writer.holes()[0].external_id, 17U);
  EXPECT_EQ(writer.holes()[1].size, 24U);

  Bytes whole;
  std::size_t at = 0;
  for (const Hole& hole : writer.holes()) {
    whole.insert(whole.end(), writer.view().begin() + static_cast<std::ptrdiff_t>(at),
                 writer.view().begin() + static_cast<std::ptrdiff_t>(hole.position));
    whole.insert(whole.end(), hole.size, static_cast<std::uint8_t>(hole.external_id));
    at = hole.position;
  }
  whole.insert(whole.end(), writer.view().begin() + static_cast<std::ptrdiff_t>(at), writer.view().end());
  Reader reader(whole);
  reader.number<std::int32_t>("size");
  EXPECT_EQ(decode_response_header(reader, 1, 12), 99);
  FetchResponse back;
  ASSERT_TRUE(decode(reader, 12, back)) << reader.reason();
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_EQ(back.responses[0].partitions[0].records.size(), 1000U);
  EXPECT_EQ(back.responses[0].partitions[1].records.bytes[23], 18);
}

TEST(Frame, WhatCannotBeWrittenLeavesNothingBehind) {
  Writer writer;
  writer.number(std::int32_t{-1});
  FetchRequest request;
  request.replica_state.replica_epoch = 4;  // since version 15, and not to be dropped
  EXPECT_FALSE(append_request(writer, {.api_key = 1, .api_version = 12, .correlation_id = 1}, request));
  EXPECT_EQ(writer.error(), "cannot write FetchRequest.replica_state, which version 12 does not carry");
  EXPECT_EQ(writer.size(), 4U);
  EXPECT_TRUE(append_request(writer, {.api_key = 1, .api_version = 15, .correlation_id = 1}, request));
  EXPECT_TRUE(writer.ok());
  EXPECT_FALSE(append_request(writer, {.api_key = 1, .api_version = 99, .correlation_id = 1}, request));
  EXPECT_EQ(writer.error(), "cannot write FetchRequest in version 99, which it does not have");
}

TEST(Api, EveryKeyIsThere) {
  ASSERT_EQ(apis().size(), 93U);
  for (std::size_t key = 0; key < apis().size(); ++key)
    EXPECT_EQ(apis()[key].key, static_cast<std::int16_t>(key));
  EXPECT_EQ(find_api(18)->name, "ApiVersions");
  EXPECT_EQ(find_api(0)->flexible_since, 9);
  EXPECT_TRUE(find_api(1)->has(18));
  EXPECT_FALSE(find_api(1)->has(19));
  EXPECT_FALSE(find_api(1)->has(-1));
  EXPECT_EQ(find_api(-1), nullptr);
  EXPECT_EQ(find_api(93), nullptr);
  EXPECT_EQ(find_api(17)->flexible_since, 2) << "never: one behind the last version";
}

TEST(Errors, KnowTheirNamesAndWhatToDo) {
  EXPECT_EQ(name(ErrorCode::kNotLeaderOrFollower), "NOT_LEADER_OR_FOLLOWER");
  EXPECT_EQ(static_cast<int>(ErrorCode::kShareSessionLimitReached), 133);
  EXPECT_TRUE(retriable(ErrorCode::kNotLeaderOrFollower));
  EXPECT_TRUE(stale_metadata(ErrorCode::kNotLeaderOrFollower));
  EXPECT_TRUE(retriable(ErrorCode::kNotEnoughReplicas));
  EXPECT_FALSE(stale_metadata(ErrorCode::kNotEnoughReplicas));
  EXPECT_FALSE(retriable(ErrorCode::kInvalidTopicException));
  for (const int unknown : {-2, 134, 32767, -32768}) {
    EXPECT_EQ(name(static_cast<ErrorCode>(unknown)), "UNKNOWN_SERVER_ERROR");
  }
}

TEST(RecordFrame, AnUnknownTypeKeepsItsBody) {
  const Bytes value = {1, 0x90, 0x4e, 3, 'x', 'y'};
  Reader reader(value);
  const std::optional<MetadataRecord> record = read_metadata_record(reader);
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->header, (MetadataRecordHeader{.type = 10000, .version = 3}));
  EXPECT_EQ(as_text(record->body), "xy");
}

TEST(RecordFrame, OtherFramesAreRefused) {
  for (const Bytes& value :
       {Bytes{2, 0, 0}, Bytes{0, 0, 0}, Bytes{}, Bytes{1, 0}, Bytes{1, 0x80, 0x80, 2, 0}}) {
    Reader reader(value);
    EXPECT_FALSE(read_metadata_record(reader).has_value());
    EXPECT_NE(reader.reason(), "");
  }
}

TEST(RecordFrame, MetadataRecordsKeepTagsThatNobodyKnows) {
  RegisterBrokerRecord record;
  record.broker_id = 3;
  const Bytes future = {9, 9};
  record.unknown_tags = {{.tag = 77, .bytes = future}};
  Writer writer;
  append_metadata_record(writer, 1, record);
  Reader reader(writer.view());
  const std::optional<MetadataRecord> frame = read_metadata_record(reader);
  ASSERT_TRUE(frame.has_value());
  RegisterBrokerRecord back;
  Reader body(frame->body);
  ASSERT_TRUE(decode(body, frame->header.version, back));
  EXPECT_EQ(back, record);
  EXPECT_EQ(encoded_size(1, record), frame->body.size());
}

TEST(RecordFrame, CoordinatorKeysAndValues) {
  Writer writer;
  append_coordinator_key(writer, OffsetCommitKey{.group = "g", .topic = "t", .partition = 1});
  EXPECT_EQ(writer.to_bytes(), (Bytes{0, 1, 0, 1, 'g', 0, 1, 't', 0, 0, 0, 1}));
  writer.clear();
  append_coordinator_value(
      writer, 3, OffsetCommitValue{.offset = 5, .leader_epoch = 1, .metadata = "", .commit_timestamp = 2});
  Reader reader(writer.view());
  EXPECT_EQ(read_coordinator_prefix(reader), 3);
  OffsetCommitValue value;
  ASSERT_TRUE(decode(reader, 3, value));
  EXPECT_EQ(value.offset, 5);
}

}  // namespace
}  // namespace moldau::wire
