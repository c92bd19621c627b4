#include "controller/topic_name.h"

#include <algorithm>

namespace moldau::controller {
namespace {

// As Java counts: UTF-16 units.
std::size_t utf16_length(std::string_view text) {
  std::size_t units = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0) != 0x80) units += byte >= 0xf0 ? 2 : 1;
  }
  return units;
}

bool allowed(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-';
}

}  // namespace

std::optional<std::string> invalid_topic_name(std::string_view name) {
  const std::string prefix = "Topic name is invalid: ";
  const std::string quoted = "'" + std::string(name) + "'";
  if (name.empty()) return prefix + "the empty string is not allowed";
  if (name == "." || name == "..") return prefix + quoted + " is not allowed";
  if (utf16_length(name) > kMaxTopicName)
    return prefix + "the length of " + quoted + " is longer than the max allowed length " +
           std::to_string(kMaxTopicName);
  if (!std::ranges::all_of(name, allowed))
    return prefix + quoted +
           " contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'";
  return std::nullopt;
}

bool may_collide(std::string_view name) { return name.find_first_of("._") != std::string_view::npos; }

std::string collision_key(std::string_view name) {
  std::string key(name);
  std::ranges::replace(key, '.', '_');
  return key;
}

}  // namespace moldau::controller
