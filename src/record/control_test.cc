#include "record/control.h"

#include <gtest/gtest.h>
#include <map>

#include "record/test_batches.h"
#include "tests/support/golden.h"
#include "wire/gen/control_records.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace moldau::record {
namespace {

const std::map<std::string_view, ControlType> kTypes{
    {"ABORT", ControlType::kAbort},
    {"COMMIT", ControlType::kCommit},
    {"LEADER_CHANGE", ControlType::kLeaderChange},
    {"SNAPSHOT_HEADER", ControlType::kSnapshotHeader},
    {"SNAPSHOT_FOOTER", ControlType::kSnapshotFooter},
    {"KRAFT_VERSION", ControlType::kKRaftVersion},
    {"KRAFT_VOTERS", ControlType::kKRaftVoters},
};

// Decodes the value as the message of its type and encodes it again.
template <typename Message>
Bytes through(ByteView value) {
  Message message;
  wire::Reader reader(value);
  EXPECT_TRUE(wire::decode(
      reader, Message::kMaxVersion > 0 ? load_be<std::int16_t>(value.data()) : std::int16_t{0}, message));
  wire::Writer writer;
  wire::encode(writer, Message::kMaxVersion > 0 ? message.version : std::int16_t{0}, message);
  return writer.to_bytes();
}

Bytes value_of(ControlType type, ByteView value) {
  switch (type) {
    case ControlType::kLeaderChange:
      return through<wire::LeaderChangeMessage>(value);
    case ControlType::kSnapshotHeader:
      return through<wire::SnapshotHeaderRecord>(value);
    case ControlType::kSnapshotFooter:
      return through<wire::SnapshotFooterRecord>(value);
    case ControlType::kKRaftVersion:
      return through<wire::KRaftVersionRecord>(value);
    case ControlType::kKRaftVoters:
      return through<wire::VotersRecord>(value);
    default:
      ADD_FAILURE() << "no message of this type";
      return {};
  }
}

Bytes written_again(const BatchHeader& header, const Record& record) {
  const ControlType type = *control_type(record.key);
  if (const auto marker = end_txn_marker(record))
    return end_txn_batch(*marker, header.producer_id, header.producer_epoch, record.offset, record.timestamp,
                         header.partition_leader_epoch);
  return control_batch(type, value_of(type, *record.value), record.offset, record.timestamp,
                       header.partition_leader_epoch);
}

TEST(Control, BatchesAreKafkasByteForByte) {
  golden::for_each("batches/controls", [](const boost::json::object& line) {
    SCOPED_TRACE(golden::string(line, "case"));
    const Bytes bytes = golden::hex(line, "hex");
    const auto& described = line.at("batches").as_array().at(0).at("records").as_array().at(0).as_object();
    BatchIterator batches(bytes);
    const auto batch = batches.next();
    ASSERT_TRUE(batch && batch->header().control());
    Decompressor decompressor;
    RecordIterator records(*batch, decompressor);
    const auto record = records.next();
    ASSERT_TRUE(record);
    EXPECT_EQ(control_type(record->key), kTypes.at(golden::string(described, "controlType")));
    EXPECT_EQ(golden::to_hex(written_again(batch->header(), *record)), golden::to_hex(bytes));
  });
}

TEST(Control, KeysOfOtherKinds) {
  const auto type = [](std::initializer_list<std::uint8_t> bytes) { return control_type(Bytes(bytes)); };
  EXPECT_EQ(type({0, 0, 0, 1}), ControlType::kCommit);
  EXPECT_EQ(type({0, 9, 0, 1, 5}), ControlType::kCommit);  // a later version may be longer
  EXPECT_EQ(type({0, 0, 0, 7}), ControlType::kUnknown);
  EXPECT_EQ(type({0, 0, 0xff, 0xfe}), ControlType::kUnknown);
  EXPECT_EQ(type({0xff, 0xff, 0, 1}), std::nullopt);
  EXPECT_EQ(type({0, 0, 0}), std::nullopt);
  EXPECT_EQ(control_type(std::nullopt), std::nullopt);
}

TEST(Control, MarkersThatAreNone) {
  const auto key = control_key(ControlType::kCommit), other = control_key(ControlType::kLeaderChange);
  const Bytes value{0, 0, 0, 0, 0, 7}, negative{0xff, 0xff, 0, 0, 0, 7};
  Record record{.offset = {}, .key = key, .value = value, .headers = {}};
  EXPECT_EQ(end_txn_marker(record), (EndTxnMarker{ControlType::kCommit, 7}));
  record.value = ByteView(value).first(5);
  EXPECT_EQ(end_txn_marker(record), std::nullopt);
  record.value = negative;
  EXPECT_EQ(end_txn_marker(record), std::nullopt);
  record.value = std::nullopt;
  EXPECT_EQ(end_txn_marker(record), std::nullopt);
  record = {.offset = {}, .key = other, .value = value, .headers = {}};
  EXPECT_EQ(end_txn_marker(record), std::nullopt);
}

}  // namespace
}  // namespace moldau::record
