// Every message at every version, as Kafka writes it: decode, compare the fields, encode, compare the bytes,
// cut short.
#include "tests/support/golden.h"

#include <boost/json/serialize.hpp>
#include <cmath>
#include <gtest/gtest.h>
#include <map>
#include <set>

#include "base/uuid.h"
#include "base/varint.h"
#include "wire/catalog.h"
#include "wire/frame.h"
#include "wire/reader.h"
#include "wire/record_frame.h"
#include "wire/writer.h"

namespace moldau::wire {
namespace {

namespace json = boost::json;

// Kafka's "throttleTimeMs" and our "throttle_time_ms" are one name.
std::string plain(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c != '_') out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  }
  return out;
}

json::value with_plain_names(const json::value& value) {
  if (const json::array* array = value.if_array()) {
    json::array out;
    for (const json::value& element : *array) out.push_back(with_plain_names(element));
    return out;
  }
  if (const json::object* object = value.if_object()) {
    json::object out;
    for (const auto& [name, member] : *object) out[plain(name)] = with_plain_names(member);
    return out;
  }
  return value;
}

// Numbers with a fraction are compared within what a JSON parser loses.
bool equal(const json::value& a, const json::value& b) {
  if (a.is_double() || b.is_double()) {
    const double x = a.to_number<double>();
    const double y = b.to_number<double>();
    return std::abs(x - y) <= 1e-14 * std::max(std::abs(x), std::abs(y));
  }
  if (a.is_array() && b.is_array()) {
    const json::array& x = a.get_array();
    const json::array& y = b.get_array();
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), equal);
  }
  if (a.is_object() && b.is_object()) {
    const json::object& x = a.get_object();
    const json::object& y = b.get_object();
    return x.size() == y.size() && std::ranges::all_of(x, [&](const auto& member) {
             const json::value* other = y.if_contains(member.key());
             return other != nullptr && equal(member.value(), *other);
           });
  }
  return a == b;
}

class ToJson : public Describer {
 public:
  json::value take() { return std::move(done_); }

  void begin_struct(const char* name) override { open_.push_back({name, json::object{}}); }
  void begin_array(const char* name) override { open_.push_back({name, json::array{}}); }
  void end_struct() override { close(); }
  void end_array() override { close(); }
  void null(const char* name) override { put(name, nullptr); }
  void boolean(const char* name, bool value) override { put(name, value); }
  void number(const char* name, std::int64_t value) override { put(name, value); }
  void real(const char* name, double value) override { put(name, value); }
  void text(const char* name, std::string_view value) override { put(name, json::string(value)); }
  void bytes(const char* name, ByteView value) override { put(name, json::string(golden::to_base64(value))); }
  void uuid(const char* name, const Uuid& value) override { put(name, json::string(value.to_string())); }
  void records(const char* name, const Records& value) override {
    if (value.null) return put(name, nullptr);
    put(name, json::string(golden::to_base64(value.bytes)));
  }

 private:
  void close() {
    auto [name, value] = std::move(open_.back());
    open_.pop_back();
    put(name, std::move(value));
  }
  void put(const char* name, json::value value) {
    if (open_.empty()) {
      done_ = std::move(value);
    } else if (name != nullptr) {
      open_.back().second.as_object()[plain(name)] = std::move(value);
    } else {
      open_.back().second.as_array().push_back(std::move(value));
    }
  }

  std::vector<std::pair<const char*, json::value>> open_;
  json::value done_;
};

// ListClientMetricsResources became version 0 of ListConfigResources; the bytes are the same.
std::string current_name(std::string_view name) {
  std::string out(name);
  if (out.starts_with("ListClientMetricsResources")) out.replace(0, 26, "ListConfigResources");
  return out;
}

json::object current_fields(std::string_view name, const json::object& line) {
  json::object fields = with_plain_names(line.at("json")).as_object();
  if (name != "ListClientMetricsResourcesResponse") return fields;
  json::array renamed;
  for (const json::value& resource : fields.at("clientmetricsresources").as_array()) {
    renamed.push_back(json::object{{"resourcename", resource.at("name")}});
  }
  fields.erase("clientmetricsresources");
  fields["configresources"] = renamed;
  return fields;
}

const CatalogEntry* find(std::string_view name) {
  static const std::map<std::string_view, const CatalogEntry*> kByName = [] {
    std::map<std::string_view, const CatalogEntry*> all;
    for (const CatalogEntry& entry : catalog()) all[entry.name] = &entry;
    return all;
  }();
  const auto found = kByName.find(name);
  return found == kByName.end() ? nullptr : found->second;
}

// The headers' last versions end with a tag section, which their messages do not have (schema/headers.def).
bool is_header(std::string_view name) { return name.ends_with("Header"); }

struct Vector {
  const CatalogEntry* message;
  std::int16_t version;
  std::string variant;
  Bytes bytes;
  json::object fields;
};

Vector parse(const json::object& line) {
  const std::string_view name = golden::string(line, "name");
  return {find(current_name(name)), static_cast<std::int16_t>(golden::number(line, "version")),
          std::string(golden::string(line, "variant")), golden::hex(line, "hex"), current_fields(name, line)};
}

void check_vector(const Vector& v) {
  Reader reader(v.bytes);
  ToJson fields;
  Writer writer;
  std::size_t size = 0;
  ASSERT_TRUE(v.message->run(reader, v.version, &fields, &writer, &size)) << reader.reason();
  if (is_header(v.message->name) && v.version == v.message->max_version) {
    reader.skip_tags();
    ASSERT_TRUE(reader.ok());
    writer.number(std::uint8_t{0});
    ++size;
  }
  EXPECT_EQ(reader.remaining(), 0U);
  const json::value got = fields.take();
  EXPECT_TRUE(equal(got, v.fields)) << json::serialize(got) << "\nexpected " << json::serialize(v.fields);
  if (v.variant == "unknown" && v.message->name.find("Record") == std::string_view::npos) return;
  ASSERT_TRUE(writer.ok()) << writer.error();
  EXPECT_EQ(size, writer.size());
  if (v.variant != "unknown") EXPECT_EQ(golden::to_hex(writer.view()), golden::to_hex(v.bytes));
}

// A vector that lacks its last bytes must fail, and say where.
void check_cut(const Vector& v, std::size_t size) {
  const Bytes cut(v.bytes.begin(),
                  v.bytes.begin() + static_cast<std::ptrdiff_t>(size));  // its own block: asan sees overruns
  Reader reader(cut);
  EXPECT_FALSE(v.message->run(reader, v.version, nullptr, nullptr, nullptr)) << "cut at " << size;
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_NE(reader.reason().find(v.message->name), std::string::npos) << reader.reason();
}

template <typename Check>
std::size_t for_each_vector(const Check& check) {
  return golden::for_each("messages", [&](const json::object& line) {
    const Vector v = parse(line);
    SCOPED_TRACE(std::string(golden::string(line, "name")) + " " + std::to_string(v.version) + " " +
                 v.variant);
    ASSERT_NE(v.message, nullptr);
    check(v);
  });
}

TEST(Golden, EveryMessageDecodesAndEncodesByteForByte) {
  std::set<std::pair<std::string_view, std::int16_t>> seen;
  for_each_vector([&](const Vector& v) {
    check_vector(v);
    seen.insert({v.message->name, v.version});
  });
  for (const CatalogEntry& entry : catalog()) {
    if (entry.name == "ShareGroupPartitionMetadataKey")
      continue;  // of 3.9's early access only; its value has vectors
    for (std::int16_t v = entry.min_version; v <= entry.max_version; ++v) {
      EXPECT_TRUE(seen.contains({entry.name, v})) << entry.name << " " << v << " has no vector";
    }
  }
}

TEST(Golden, AnUntouchedMessageIsKafkasDefault) {
  for_each_vector([](const Vector& v) {
    if (v.variant != "defaults" || is_header(v.message->name)) return;
    Writer writer;
    v.message->encode_default(writer, v.version);
    EXPECT_TRUE(writer.ok()) << writer.error();
    EXPECT_EQ(golden::to_hex(writer.view()), golden::to_hex(v.bytes));
  });
}

TEST(Golden, EveryMessageCutAnywhereFailsCleanly) {
  for_each_vector([](const Vector& v) {
    if (is_header(v.message->name)) return;
    for (std::size_t size = 0; size < v.bytes.size(); ++size) check_cut(v, size);
  });
}

// Any byte changed to any of a few values: the outcome is open, but nothing is read outside and nothing large
// is taken.
TEST(Golden, EveryMessageWithADamagedByteIsRefusedOrRead) {
  for_each_vector([](const Vector& v) {
    if (v.variant != "filled" || v.version != v.message->max_version) return;
    for (std::size_t at = 0; at < v.bytes.size(); ++at) {
      for (const std::uint8_t damage : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
        Bytes bytes = v.bytes;
        bytes[at] = damage;
        Reader reader(bytes);
        const bool read = v.message->run(reader, v.version, nullptr, nullptr, nullptr);
        EXPECT_EQ(read, reader.reason().empty());
      }
    }
  });
}

TEST(Golden, FramesCarryKafkasHeaders) {
  golden::for_each("frames", [](const json::object& line) {
    const auto key = static_cast<std::int16_t>(golden::number(line, "key"));
    const auto version = static_cast<std::int16_t>(golden::number(line, "version"));
    const auto correlation_id = static_cast<std::int32_t>(golden::number(line, "correlationId"));
    const std::string name(golden::string(line, "name"));
    SCOPED_TRACE(name + " " + std::to_string(version));
    EXPECT_EQ(request_header_version(key, version), golden::number(line, "requestHeader"));
    EXPECT_EQ(response_header_version(key, version), golden::number(line, "responseHeader"));

    const Bytes request = golden::hex(line, "request");
    Reader in(request);
    EXPECT_EQ(in.number<std::int32_t>("size"), static_cast<std::int32_t>(request.size() - kFrameSizeBytes));
    RequestHeader header;
    ASSERT_TRUE(decode_header(in, header));
    EXPECT_EQ(header.api_key, key);
    EXPECT_EQ(header.api_version, version);
    EXPECT_EQ(header.correlation_id, correlation_id);
    const json::value& client_id = line.at("clientId");
    ASSERT_EQ(header.client_id.has_value(), client_id.is_string());
    if (header.client_id) EXPECT_EQ(*header.client_id, std::string_view(client_id.as_string()));
    const CatalogEntry* message = find(current_name(name) + "Request");
    ASSERT_NE(message, nullptr);
    Writer out;
    Writer::Mark start = out.begin_frame();
    encode_header(out, header);
    ASSERT_TRUE(message->run(in, version, nullptr, &out, nullptr)) << in.reason();
    EXPECT_EQ(in.remaining(), 0U);
    EXPECT_TRUE(out.end_frame(start));
    EXPECT_EQ(golden::to_hex(out.view()), golden::string(line, "request"));

    const Bytes response = golden::hex(line, "response");
    Reader back(response);
    EXPECT_EQ(back.number<std::int32_t>("size"),
              static_cast<std::int32_t>(response.size() - kFrameSizeBytes));
    EXPECT_EQ(decode_response_header(back, key, version), correlation_id);
    out.clear();
    start = out.begin_frame();
    encode_response_header(out, key, version, correlation_id);
    ASSERT_TRUE(find(current_name(name) + "Response")->run(back, version, nullptr, &out, nullptr))
        << back.reason();
    EXPECT_EQ(back.remaining(), 0U);
    EXPECT_TRUE(out.end_frame(start));
    EXPECT_EQ(golden::to_hex(out.view()), golden::string(line, "response"));
  });
}

void check_body(Reader& reader, std::string_view name, std::int16_t version, const json::value& want,
                Writer& out) {
  const CatalogEntry* message = find(name);
  ASSERT_NE(message, nullptr) << name;
  ToJson fields;
  ASSERT_TRUE(message->run(reader, version, &fields, &out, nullptr)) << reader.reason();
  EXPECT_EQ(reader.remaining(), 0U);
  const json::value got = fields.take();
  EXPECT_TRUE(equal(got, with_plain_names(want)))
      << json::serialize(got) << "\nexpected " << json::serialize(want);
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
    EXPECT_EQ(find(golden::string(line, "keyName"))->key, type);
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

// What the frame means to the decoder: true if header and message can be read.
bool readable(ByteView frame) {
  Reader reader(frame);
  const auto size = reader.number<std::int32_t>("size");
  RequestHeader header;
  if (!reader.ok() || size < 0 || !decode_header(reader, header)) return false;
  const ApiInfo* api = find_api(header.api_key);
  if (api == nullptr || !api->has(header.api_version)) return false;
  return find(std::string(api->name) + "Request")->run(reader, header.api_version, nullptr, nullptr, nullptr);
}

// Kafka's verdicts on odd frames, as far as they are the decoder's: the rest (which versions a listener
// serves, frames that are too long, what a handler thinks of a value) is the broker's and the connection's.
TEST(Golden, OddRequestsAreReadOrRefusedAsByKafka) {
  const std::set<std::string_view> others = {"ApiVersions of an unknown version",
                                             "ApiVersions version -1",
                                             "Produce 2, advertised but gone",
                                             "Fetch 3",
                                             "key 4, LeaderAndIsr",
                                             "key 58, controller only",
                                             "size 104857601",
                                             "size 104857600, nothing behind"};
  golden::for_each("odd-requests", [&](const json::object& line) {
    const std::string_view name = golden::string(line, "case");
    if (others.contains(name)) return;
    EXPECT_EQ(readable(golden::hex(line, "hex")), golden::string(line, "kafka") != "closed") << name;
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
