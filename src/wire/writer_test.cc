#include "wire/writer.h"

#include <gtest/gtest.h>

#include "wire/gen/delete_topics.h"
#include "wire/gen/fetch.h"
#include "wire/gen/metadata.h"
#include "wire/gen/offset_commit.h"
#include "wire/reader.h"

namespace moldau::wire {
namespace {

TEST(Writer, GrowsAndKeepsItsMemory) {
  Writer writer;
  const std::string text(1000, 'x');
  for (int i = 0; i < 100; ++i) writer.string(true, text);
  ASSERT_EQ(writer.size(), 100 * 1002U);
  const std::uint8_t* memory = writer.view().data();
  writer.clear();
  EXPECT_EQ(writer.size(), 0U);
  writer.number(std::uint8_t{1});
  EXPECT_EQ(writer.view().data(), memory);
  const Writer moved = std::move(writer);
  EXPECT_EQ(moved.view().data(), memory);
}

TEST(Writer, DropsOnlyWhatMayBeDropped) {
  OffsetCommitRequest request;
  request.group_id = "g";
  request.member_id = "m";  // since version 1, ignorable
  Writer writer;
  encode(writer, 0, request);
  EXPECT_TRUE(writer.ok()) << writer.error();
  request.group_instance_id = "i";  // since version 7, not ignorable
  encode(writer, 6, request);
  EXPECT_EQ(writer.error(),
            "cannot write OffsetCommitRequest.group_instance_id, which version 6 does not carry");
}

TEST(Writer, RefusesNullWhereTheVersionHasNone) {
  MetadataRequest all_topics{.topics = std::nullopt};
  Writer writer;
  encode(writer, 1, all_topics);
  EXPECT_TRUE(writer.ok());
  encode(writer, 0, all_topics);
  EXPECT_EQ(writer.error(), "cannot write null as MetadataRequest.topics in version 0");
  writer.clear();
  DeleteTopicsResponse response;
  response.responses.push_back({.name = std::nullopt});
  encode(writer, 5, response);
  EXPECT_EQ(writer.error(),
            "cannot write null as DeleteTopicsResponse.DeletableTopicResult.name in version 5");
}

TEST(Writer, RefusesAStringThatNobodyWouldRead) {
  const std::string text(0x8000, 'x');
  for (const bool flexible : {true, false}) {
    Writer writer;
    writer.string(flexible, std::string_view(text).substr(1));
    EXPECT_TRUE(writer.ok());
    writer.string(flexible, text);
    EXPECT_EQ(writer.error(), "cannot write a string of 32768 bytes");
  }
}

TEST(Writer, RefusesAFrameBeyondTwoGigabytes) {
  FetchResponse response;
  response.responses.resize(2);
  for (auto& topic : response.responses)
    topic.partitions.push_back({.records = Records::external(0x7fffffff, 1)});
  Writer writer;
  const Writer::Mark start = writer.begin_frame();
  encode(writer, 4, response);
  EXPECT_FALSE(writer.end_frame(start));
  EXPECT_EQ(writer.size(), 0U);
  EXPECT_TRUE(writer.holes().empty());
  EXPECT_EQ(writer.external_size(), 0U);
}

TEST(Writer, RewindsToAMark) {
  Writer writer;
  writer.number(std::int16_t{1});
  const Writer::Mark mark = writer.mark();
  writer.records(true, Records::external(10, 3));
  writer.refuse_null("X.y", 1);
  writer.rewind(mark);
  EXPECT_EQ(writer.size(), 2U);
  EXPECT_TRUE(writer.holes().empty());
  EXPECT_TRUE(writer.ok());
}

TEST(Writer, NullForms) {
  Writer writer;
  writer.nullable_string(false, std::nullopt);
  writer.nullable_string(true, std::nullopt);
  writer.nullable_bytes(false, std::nullopt);
  writer.records(true, Records::none());
  writer.null_array(false);
  EXPECT_EQ(writer.to_bytes(), (Bytes{0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff}));
  EXPECT_EQ(size_of(false, Records::none()), 4U);
}

}  // namespace
}  // namespace moldau::wire
