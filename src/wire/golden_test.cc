// Every message at every version, as Kafka writes it: decode, compare the fields, encode, compare the bytes,
// cut short.
#include "tests/support/golden.h"

#include <boost/json/serialize.hpp>
#include <cmath>
#include <gtest/gtest.h>
#include <set>

#include "tests/support/golden.h"
#include "wire/api.h"
#include "wire/frame.h"
#include "wire/message_json_test.h"

namespace moldau::wire {
namespace {

namespace json = boost::json;

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
  return {find_message(current_name(name)), static_cast<std::int16_t>(golden::number(line, "version")),
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
  EXPECT_TRUE(equal(got, v.fields)) << print(got) << "\nexpected " << print(v.fields);
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
    const CatalogEntry* message = find_message(current_name(name) + "Request");
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
    ASSERT_TRUE(find_message(current_name(name) + "Response")->run(back, version, nullptr, &out, nullptr))
        << back.reason();
    EXPECT_EQ(back.remaining(), 0U);
    EXPECT_TRUE(out.end_frame(start));
    EXPECT_EQ(golden::to_hex(out.view()), golden::string(line, "response"));
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
  return find_message(std::string(api->name) + "Request")
      ->run(reader, header.api_version, nullptr, nullptr, nullptr);
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

}  // namespace
}  // namespace moldau::wire
