// Golden data for tests: vectors recorded from Apache Kafka, one JSON object per line, or tab-separated
// tables. They lie in tests/golden (compressed), or where the environment's MOLDAU_GOLDEN points: a folder of
// the same layout, plain or compressed. A missing file fails the test by a CHECK that names it: a test that
// silently reads nothing proves nothing.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace moldau::golden {

// The folder in use, without a final slash.
std::string root();

// The whole text of root()/name, uncompressed. `name` is without ".gz": "tables/crc.tsv".
std::string text(std::string_view name);

// Calls `use` for each line of "name.jsonl", or of all "name/*.jsonl" in the order of their names; returns
// how many there were, at least one. `name` is without extension: "frames", "messages",
// "payloads/coordinators".
std::size_t for_each(std::string_view name, const std::function<void(const boost::json::object&)>& use);

// The rows of "name.tsv" without the heading (lines that start with #), each cut at its tabs.
std::vector<std::vector<std::string>> table(std::string_view name);

Bytes from_hex(std::string_view hex);
std::string to_hex(ByteView bytes);
std::string to_base64(ByteView bytes);

// Members of a line, CHECKed to be there and of that type.
std::string_view string(const boost::json::object& line, std::string_view key);
std::int64_t number(const boost::json::object& line, std::string_view key);
bool boolean(const boost::json::object& line, std::string_view key);
Bytes hex(const boost::json::object& line, std::string_view key);

}  // namespace moldau::golden
