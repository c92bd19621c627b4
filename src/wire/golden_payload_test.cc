// What Kafka writes into its internal topics, and the numbers and ids that messages are made of.
#include <gtest/gtest.h>

#include "base/uuid.h"
#include "base/varint.h"
#include "tests/support/golden.h"
#include "wire/message_json_test.h"
#include "wire/record_frame.h"

namespace moldau::wire {
namespace {

namespace json = boost::json;

void check_body(Reader& reader, std::string_view name, std::int16_t version, const json::value& want,
                Writer& out) {
  const CatalogEntry* message = find_message(name);
  ASSERT_NE(message, nullptr) << name;
  ToJson fields;
  ASSERT_TRUE(message->run(reader, version, &fields, &out, nullptr)) << reader.reason();
  EXPECT_EQ(reader.remaining(), 0U);
  const json::value got = fields.take();
  EXPECT_TRUE(equal(got, with_plain_names(want))) << print(got) << "\nexpected " << print(want);
}

TEST(Golden, RecordsOfTheMetadataLog) {
  for (const char* file : {"payloads/cluster-metadata", "payloads/remote-log-metadata"}) {
    golden::for_each(file, [](const json::object& line) {
      SCOPED_TRACE(std::string(golden::string(line, "name")));
      const Bytes bytes = golden::hex(line, "hex");
      Reader reader(bytes);
      const std::optional<MetadataRecord> record = read_metadata_record(reader);
      ASSERT_TRUE(record.has_value()) << reader.reason();
      EXPECT_EQ(record->header.type, golden::number(line, "type"));
      EXPECT_EQ(record->header.version, golden::number(line, "version"));
      Writer out;
      write_metadata_header(out, record->header);
      Reader body(record->body);
      check_body(body, golden::string(line, "name"), record->header.version, line.at("json"), out);
      EXPECT_EQ(golden::to_hex(out.view()), golden::string(line, "hex"));
    });
  }
}

TEST(Golden, RecordsOfTheCoordinators) {
  golden::for_each("payloads/coordinators", [](const json::object& line) {
    SCOPED_TRACE(std::string(golden::string(line, "keyName")));
    const Bytes key = golden::hex(line, "keyHex");
    Reader reader(key);
    const std::int16_t type = read_coordinator_prefix(reader);
    EXPECT_EQ(type, golden::number(line, "type"));
    EXPECT_EQ(find_message(golden::string(line, "keyName"))->key, type);
    Writer out;
    out.number(type);
    check_body(reader, golden::string(line, "keyName"), 0, line.at("key"), out);
    EXPECT_EQ(golden::to_hex(out.view()), golden::string(line, "keyHex"));
    if (line.at("valueHex").is_null()) return;
    const Bytes value = golden::hex(line, "valueHex");
    Reader value_reader(value);
    const std::int16_t version = read_coordinator_prefix(value_reader);
    EXPECT_EQ(version, golden::number(line, "valueVersion"));
    out.clear();
    out.number(version);
    check_body(value_reader, golden::string(line, "valueName"), version, line.at("value"), out);
    EXPECT_EQ(golden::to_hex(out.view()), golden::string(line, "valueHex"));
  });
}

TEST(Golden, Varints) {
  for (const auto& row : golden::table("tables/varint")) {
    const auto number = static_cast<std::int32_t>(std::stol(row.at(0)));
    std::uint8_t bytes[kMaxVarintBytes];
    EXPECT_EQ(golden::to_hex({bytes, write_varint(bytes, number)}), row.at(1));
    EXPECT_EQ(golden::to_hex({bytes, write_uvarint(bytes, static_cast<std::uint32_t>(number))}), row.at(2));
    const Bytes unsigned_form = golden::from_hex(row.at(2));
    Reader reader(unsigned_form);
    EXPECT_EQ(reader.uvarint("n"), static_cast<std::uint32_t>(number));
    EXPECT_EQ(reader.remaining(), 0U);
    std::int32_t back = 0;
    EXPECT_EQ(read_varint(golden::from_hex(row.at(1)), back), row.at(1).size() / 2);
    EXPECT_EQ(back, number);
  }
  for (const auto& row : golden::table("tables/varlong")) {
    const std::int64_t number = std::stoll(row.at(0));
    std::uint8_t bytes[kMaxVarlongBytes];
    EXPECT_EQ(golden::to_hex({bytes, write_varlong(bytes, number)}), row.at(1));
    std::int64_t back = 0;
    EXPECT_EQ(read_varlong(golden::from_hex(row.at(1)), back), row.at(1).size() / 2);
    EXPECT_EQ(back, number);
  }
}

TEST(Golden, Uuids) {
  for (const auto& row : golden::table("tables/uuid")) {
    const std::optional<Uuid> uuid = Uuid::parse(row.at(1));
    ASSERT_TRUE(uuid.has_value()) << row.at(1);
    EXPECT_EQ(golden::to_hex(uuid->bytes), row.at(0));
    EXPECT_EQ(uuid->to_string(), row.at(1));
  }
}

}  // namespace
}  // namespace moldau::wire
