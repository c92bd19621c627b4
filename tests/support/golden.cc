#include "tests/support/golden.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <cstdlib>
#include <filesystem>
#include <zlib.h>

#include "base/check.h"

namespace moldau::golden {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

// Reads a gzip file; zlib hands plain files through as they are.
std::string read_file(const std::string& path) {
  const gzFile file = gzopen(path.c_str(), "rb");
  CHECK(file != nullptr, "no golden file " + path);
  std::string content;
  std::vector<char> block(std::size_t{1} << 20);
  int got = 0;
  while ((got = gzread(file, block.data(), static_cast<unsigned>(block.size()))) > 0) {
    content.append(block.data(), static_cast<std::size_t>(got));
  }
  CHECK(got == 0, "cannot read golden file " + path);
  gzclose(file);
  return content;
}

std::vector<std::string> lines_of(const std::string& content) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < content.size();) {
    const std::size_t end = std::min(content.find('\n', at), content.size());
    if (end > at) lines.push_back(content.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// The file `name`, compressed or not, or "" if there is none.
std::string find_file(const std::string& name) {
  for (const std::string& path : {root() + "/" + name + ".gz", root() + "/" + name}) {
    if (fs::is_regular_file(path)) return path;
  }
  return "";
}

std::vector<std::string> files_of(std::string_view name) {
  if (std::string one = find_file(std::string(name) + ".jsonl"); !one.empty()) return {one};
  std::vector<std::string> files;
  const std::string folder = root() + "/" + std::string(name);
  CHECK(fs::is_directory(folder), "no golden file or folder " + folder);
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string path = entry.path().string();
    if (path.ends_with(".jsonl") || path.ends_with(".jsonl.gz")) files.push_back(path);
  }
  std::ranges::sort(files);
  return files;
}

const json::value& member(const json::object& line, std::string_view key) {
  const json::value* value = line.if_contains(key);
  CHECK(value != nullptr, "no member " + std::string(key));
  return *value;
}

int hex_digit(char c) {
  const std::string_view digits = "0123456789abcdef";
  const std::size_t at = digits.find(c);
  CHECK(at != std::string_view::npos, "not a hex digit");
  return static_cast<int>(at);
}

}  // namespace

std::string root() {
  const char* other = std::getenv("MOLDAU_GOLDEN");
  return other != nullptr && *other != '\0' ? other : MOLDAU_SOURCE_DIR "/tests/golden";
}

std::string text(std::string_view name) {
  const std::string path = find_file(std::string(name));
  CHECK(!path.empty(), "no golden file " + root() + "/" + std::string(name));
  return read_file(path);
}

std::size_t for_each(std::string_view name, const std::function<void(const json::object&)>& use) {
  std::size_t count = 0;
  for (const std::string& file : files_of(name)) {
    for (const std::string& line : lines_of(read_file(file))) {
      use(json::parse(line).as_object());
      ++count;
    }
  }
  CHECK(count > 0, "golden data " + std::string(name) + " is empty");
  return count;
}

std::vector<std::vector<std::string>> table(std::string_view name) {
  std::vector<std::vector<std::string>> rows;
  for (const std::string& line : lines_of(text(std::string(name) + ".tsv"))) {
    if (line.starts_with('#')) continue;
    std::vector<std::string>& row = rows.emplace_back();
    for (std::size_t at = 0; at <= line.size();) {
      const std::size_t end = std::min(line.find('\t', at), line.size());
      row.push_back(line.substr(at, end - at));
      at = end + 1;
    }
  }
  CHECK(!rows.empty(), "golden table " + std::string(name) + " is empty");
  return rows;
}

Bytes from_hex(std::string_view hex) {
  CHECK(hex.size() % 2 == 0, "half a byte of hex");
  Bytes bytes;
  bytes.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(hex_digit(hex[i]) << 4 | hex_digit(hex[i + 1])));
  }
  return bytes;
}

std::string to_hex(ByteView bytes) {
  std::string hex;
  for (const std::uint8_t byte : bytes) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

std::string to_base64(ByteView bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < have ? bytes[i + k] : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += k <= have ? kAlphabet[bits >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::string_view string(const json::object& line, std::string_view key) {
  return member(line, key).as_string();
}
std::int64_t number(const json::object& line, std::string_view key) { return member(line, key).as_int64(); }
bool boolean(const json::object& line, std::string_view key) { return member(line, key).as_bool(); }
Bytes hex(const json::object& line, std::string_view key) { return from_hex(string(line, key)); }

}  // namespace moldau::golden
