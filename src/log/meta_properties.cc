#include "log/meta_properties.h"

#include <charconv>

#include "base/bytes.h"

namespace moldau::log {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

std::string unescaped(
    std::string_view text) {  // Java's Properties.store() escapes ':' '=' '#' '!' and spaces
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    plain += text[i];
  }
  return plain;
}

std::optional<std::int32_t> number(std::string_view text) {
  std::int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::unexpected<Error> wrong(const std::string& path, const std::string& key, std::string_view expected,
                             const std::string& found) {
  return fail(ErrorKind::kInvalid,
              path + ": " + key + ": expected " + std::string(expected) + ", found \"" + found + "\"");
}

std::map<std::string, std::string> parse_lines(std::string_view text) {
  std::map<std::string, std::string> values;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (line.empty() || line.front() == '#' || line.front() == '!') continue;
    const std::size_t equals = line.find_first_of("=:");
    const std::string key = unescaped(trimmed(line.substr(0, equals)));
    values[key] = equals == std::string_view::npos ? "" : unescaped(trimmed(line.substr(equals + 1)));
  }
  return values;
}

std::optional<std::string> take(std::map<std::string, std::string>& values, const std::string& key) {
  const auto found = values.extract(key);
  if (found.empty()) return std::nullopt;
  return std::move(found.mapped());
}

}  // namespace

Result<MetaProperties> parse_meta_properties(std::string_view text, const std::string& path) {
  auto values = parse_lines(text);
  MetaProperties properties;
  const std::string version = take(values, "version").value_or("");
  const auto parsed_version = number(version);
  if (!parsed_version || *parsed_version < 0) return wrong(path, "version", "0 or 1", version);
  if (*parsed_version > 1)
    return fail(ErrorKind::kUnsupported,
                path + ": version: expected 0 or 1, found " + version + ", written by a newer version");
  properties.version = *parsed_version;

  properties.cluster_id = take(values, "cluster.id");
  const char* const id_key = properties.version == 0 ? "broker.id" : "node.id";
  if (const auto id = take(values, id_key)) {
    const auto parsed = number(*id);
    if (!parsed) return wrong(path, id_key, "a number", *id);
    if (*parsed >= 0) properties.node_id = BrokerId{*parsed};  // -1: not assigned yet
  }
  if (const auto id = take(values, "directory.id")) {
    properties.directory_id = Uuid::parse(*id);
    if (!properties.directory_id) return wrong(path, "directory.id", "an id of 22 characters", *id);
  }
  properties.others = std::move(values);
  return properties;
}

std::string format_meta_properties(const MetaProperties& properties) {
  std::map<std::string, std::string> values = properties.others;
  values["version"] = "1";
  if (properties.cluster_id) values["cluster.id"] = *properties.cluster_id;
  if (properties.node_id) values["node.id"] = std::to_string(properties.node_id->value);
  if (properties.directory_id) values["directory.id"] = properties.directory_id->to_string();
  std::string text = "#\n";
  for (const auto& [key, value] : values) text += key + "=" + value + "\n";
  return text;
}

Result<std::optional<MetaProperties>> load_meta_properties(env::FileSystem& fs,
                                                           const std::string& directory) {
  const std::string path = directory + "/" + kMetaPropertiesName;
  if (!fs.exists(path)) return std::nullopt;
  TRY_ASSIGN(content, fs.read_file(path, 1 << 20));
  TRY_ASSIGN(properties, parse_meta_properties(as_text(content), path));
  return std::optional(std::move(properties));
}

Status store_meta_properties(env::FileSystem& fs, const std::string& directory,
                             const MetaProperties& properties) {
  return fs.replace_file(directory + "/" + kMetaPropertiesName, as_bytes(format_meta_properties(properties)));
}

}  // namespace moldau::log
