#include "log/partition_name.h"

#include <charconv>

namespace moldau::log {
namespace {

constexpr std::size_t kLongestName = 255;  // of most file systems

constexpr struct {
  FolderKind kind;
  std::string_view suffix;
} kSuffixes[] = {
    {FolderKind::kDelete, "-delete"}, {FolderKind::kFuture, "-future"}, {FolderKind::kStray, "-stray"}};

std::string hex(const Uuid& id) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : id.bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<TopicPartition> parse_partition(std::string_view name) {
  const std::size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  const std::string_view digits = name.substr(dash + 1);
  std::int32_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || number < 0) return std::nullopt;
  return TopicPartition{std::string(name.substr(0, dash)), PartitionIndex{number}};
}

}  // namespace

std::string TopicPartition::to_string() const { return topic + "-" + std::to_string(partition.value); }

std::optional<FolderName> parse_folder_name(std::string_view name) {
  FolderKind kind = FolderKind::kCurrent;
  for (const auto& known : kSuffixes) {
    if (!name.ends_with(known.suffix)) continue;
    const std::size_t dot = name.rfind('.');
    if (dot == std::string_view::npos) break;  // a topic called "a-delete" has none
    kind = known.kind;
    name = name.substr(0, dot);
    break;
  }
  auto partition = parse_partition(name);
  if (!partition) return std::nullopt;
  return FolderName{std::move(*partition), kind};
}

std::string folder_name(const TopicPartition& partition, FolderKind kind, const Uuid& unique) {
  if (kind == FolderKind::kCurrent) return partition.to_string();
  std::string tail = "-" + std::to_string(partition.partition.value) + "." + hex(unique);
  for (const auto& known : kSuffixes)
    if (known.kind == kind) tail += known.suffix;
  return partition.topic.substr(0, kLongestName - tail.size()) + tail;
}

}  // namespace moldau::log
