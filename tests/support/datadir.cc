#include "tests/support/datadir.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <filesystem>
#include <set>

#include "base/check.h"
#include "tests/support/golden.h"

namespace moldau::golden {
namespace {

// One entry of a tar file: 512 bytes of header, then its content, filled up to 512 (POSIX ustar and GNU's
// long names).
struct TarEntry {
  std::string name;
  char type = 0;
  std::string_view content;
};

std::string field(std::string_view block, std::size_t at, std::size_t size) {
  std::string text(block.substr(at, size));
  return text.substr(0, text.find('\0'));
}

std::vector<TarEntry> read_tar(std::string_view tar) {
  std::vector<TarEntry> entries;
  std::string long_name;
  while (tar.size() >= 512 && tar[0] != '\0') {
    const std::string_view block = tar.substr(0, 512);
    const std::size_t size = std::stoull(field(block, 124, 12), nullptr, 8);
    TarEntry entry{field(block, 0, 100), block[156], tar.substr(512, size)};
    if (const std::string prefix = field(block, 345, 155); !prefix.empty() && field(block, 257, 6) == "ustar")
      entry.name = prefix + "/" + entry.name;
    tar.remove_prefix(512 + (size + 511) / 512 * 512);
    if (entry.type == 'L') {
      long_name = std::string(entry.content.substr(0, entry.content.find('\0')));
      continue;
    }
    if (!long_name.empty()) entry.name = std::exchange(long_name, {});
    entries.push_back(std::move(entry));
  }
  return entries;
}

// Without what all names have in front: "./", "kafka-4.3.1-a/".
std::string inner_name(std::string name, const std::string& datadir) {
  if (name.starts_with("./")) name = name.substr(2);
  if (name.starts_with(datadir + "/")) name = name.substr(datadir.size() + 1);
  while (name.ends_with('/')) name.pop_back();
  return name == datadir ? "" : name;
}

}  // namespace

std::vector<std::string> datadir_names() {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(root() + "/datadirs")) {
    std::string name = entry.path().filename().string();
    if (name.ends_with(".tar.gz")) names.insert(name.substr(0, name.size() - 7));
  }
  CHECK(!names.empty(), root() + "/datadirs");
  return {names.begin(), names.end()};
}

boost::json::object datadir_expectation(const std::string& name) {
  return boost::json::parse(text("datadirs/" + name + ".json")).as_object();
}

void unpack_datadir(const std::string& name, env::FileSystem& fs, const std::string& to) {
  CHECK(fs.create_directories(to).has_value(), to);
  const std::string tar = text("datadirs/" + name + ".tar");
  for (const TarEntry& entry : read_tar(tar)) {
    const std::string inner = inner_name(entry.name, name);
    if (inner.empty()) continue;
    const std::string path = to + "/" + inner;
    if (entry.type == '5') {
      CHECK(fs.create_directories(path).has_value(), path);
    } else if (entry.type == '0' || entry.type == '\0') {
      CHECK(fs.create_directories(path.substr(0, path.rfind('/'))).has_value(), path);
      auto file = fs.open(path, env::OpenMode::kTruncate);
      CHECK(file.has_value(), path);
      CHECK((*file)->write_at(0, as_bytes(entry.content)).has_value(), path);
      CHECK((*file)->sync().has_value(), path);
    }
  }
}

}  // namespace moldau::golden
