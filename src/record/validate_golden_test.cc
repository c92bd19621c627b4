// Batches that Kafka was sent: its verdicts, and what it stored.
#include <gtest/gtest.h>

#include "record/test_batches.h"
#include "record/validate_fixture.h"
#include "tests/support/golden.h"

namespace moldau::record {
namespace {

using test::kHour;
using test::validate;
using test::verdict;

// Better than these two there is always something to say here; the second is the request's business, not the
// batch's.
bool leaves_the_error_open(std::string_view golden) {
  return golden == "UNKNOWN_SERVER_ERROR" || golden == "TRANSACTIONAL_ID_AUTHORIZATION_FAILED";
}

constexpr std::int64_t kRecordedAt =
    1'790'000'000'000;  // later than any good timestamp in it, before the bad one

struct Column {
  const char* name;
  ProduceRules rules;
  bool tells_records;
};

TEST(GoldenMalformed, HasKafkasVerdicts) {
  const Column columns[] = {
      {"produce9", {.produce_version = 9, .after_max_ms = kHour, .now_ms = kRecordedAt}, true},
      {"produce3", {.produce_version = 3, .after_max_ms = kHour, .now_ms = kRecordedAt}, false},
      {"produceCompacted",
       {.produce_version = 9, .compacted = true, .after_max_ms = kHour, .now_ms = kRecordedAt},
       true},
      {"produce2", {.produce_version = 2, .now_ms = kRecordedAt}, false},
      {"produce2Compacted", {.produce_version = 2, .compacted = true, .now_ms = kRecordedAt}, false},
  };
  golden::for_each("batches/malformed", [&](const boost::json::object& line) {
    for (const Column& column : columns) {
      if (!line.contains(column.name)) continue;
      SCOPED_TRACE(std::string(golden::string(line, "case")) + ": " + column.name);
      const std::string want(golden::string(line, column.name));
      const std::string got = verdict(golden::hex(line, "hex"), column.rules);
      if (leaves_the_error_open(want))
        EXPECT_NE(got, "NONE");
      else
        EXPECT_EQ(column.tells_records ? got : got.substr(0, got.find(' ')), want);
    }
  });
}

TEST(GoldenMalformed, TheSameWhenTheTopicChangesTheCodec) {
  golden::for_each("batches/malformed", [&](const boost::json::object& line) {
    if (!line.contains("produce9")) return;
    SCOPED_TRACE(golden::string(line, "case"));
    const std::string got = verdict(golden::hex(line, "hex"), {.produce_version = 9,
                                                               .compression = Compression(Codec::kZstd),
                                                               .after_max_ms = kHour,
                                                               .now_ms = kRecordedAt});
    EXPECT_EQ(got == "NONE", golden::string(line, "produce9") == "NONE") << got;
  });
}

Bytes content_of(ByteView bytes) {
  Decompressor decompressor;
  Fault fault;
  const auto content = unpack(BatchView(bytes, parse_header(bytes).header), decompressor, fault);
  EXPECT_TRUE(fault.ok()) << fault.message;
  return content ? Bytes(content->begin(), content->end()) : Bytes();
}

void expect_stored(Accepted& accepted, const boost::json::object& line) {
  const MutableBytes got = accepted.bytes();
  set_offset(got, Offset{golden::number(line, "firstOffset")});
  set_leader_epoch(got, LeaderEpoch{static_cast<std::int32_t>(golden::number(line, "leaderEpoch"))});
  const Bytes want = golden::hex(line, "hex");
  const BatchHeader wanted = parse_header(want).header;
  EXPECT_EQ(accepted.header.record_count, wanted.record_count);
  EXPECT_EQ(accepted.max_timestamp, wanted.max_timestamp);
  if (!wanted.compressed() || accepted.in_place()) {
    EXPECT_EQ(golden::to_hex(got), golden::to_hex(want));
    return;
  }
  EXPECT_EQ(content_of(got), content_of(want));
  for (std::size_t i = 0; i < at::kRecords; ++i) {
    const bool varies = (i >= at::kSize && i < at::kSize + 4) || (i >= at::kCrc && i < at::kCrc + 4);
    if (!varies) EXPECT_EQ(got[i], want[i]) << "byte " << i;
  }
}

TEST(GoldenAppend, StoresWhatKafkaStores) {
  golden::for_each("batches/append", [](const boost::json::object& line) {
    SCOPED_TRACE(std::string(golden::string(line, "case")) + " " +
                 std::string(golden::string(line, "timestampType")) + " " +
                 std::string(golden::string(line, "target")));
    Bytes from = golden::hex(line, "from");
    const ProduceRules rules{
        .produce_version = 2,
        .compression = Compression(test::codec_of(golden::string(line, "target"))),
        .timestamp_type = test::timestamp_type_of(golden::string(line, "timestampType")),
        .now_ms = golden::number(line, "now"),
    };
    auto accepted = validate(from, rules);
    EXPECT_EQ(accepted.has_value(), !line.contains("kafka"));
    if (!accepted || line.contains("kafka")) return;
    expect_stored(*accepted, line);
    const auto reading = test::read_all(accepted->bytes());
    EXPECT_TRUE(reading.ok) << reading.why;
    auto want = test::records_of(line);
    ASSERT_EQ(reading.records.size(), want.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      want[i].headers = reading.records[i].headers;  // the golden file leaves them out here
      EXPECT_EQ(reading.records[i], want[i]);
    }
  });
}

}  // namespace
}  // namespace moldau::record
