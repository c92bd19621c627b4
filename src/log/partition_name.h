// The name of a partition and of the folders that hold one (org.apache.kafka.storage.internals.log.LocalLog):
//
//   <topic>-<partition>                        the log
//   <topic>-<partition>.<32 hex digits>-delete waits for its removal
//   <topic>-<partition>.<32 hex digits>-future a copy being made in another log directory
//   <topic>-<partition>.<32 hex digits>-stray  belongs to no topic that we know; kept for a person to look at
//
// Plain values; any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/uuid.h"

namespace moldau::log {

struct TopicPartition {
  std::string topic;
  PartitionIndex partition;

  auto operator<=>(const TopicPartition&) const = default;
  std::string to_string() const;  // "topic-3"
};

enum class FolderKind : std::uint8_t { kCurrent, kDelete, kFuture, kStray };

struct FolderName {
  TopicPartition partition;
  FolderKind kind = FolderKind::kCurrent;
};

// nullopt if `name` is no partition's folder.
std::optional<FolderName> parse_folder_name(std::string_view name);

// The folder name of `partition`; `unique` is used unless kind is kCurrent. Cut to 255 bytes as Kafka does.
std::string folder_name(const TopicPartition& partition, FolderKind kind, const Uuid& unique = {});

}  // namespace moldau::log

template <>
struct std::hash<moldau::log::TopicPartition> {
  std::size_t operator()(const moldau::log::TopicPartition& p) const noexcept {
    return std::hash<std::string>{}(p.topic) * 31 + std::hash<moldau::PartitionIndex>{}(p.partition);
  }
};
