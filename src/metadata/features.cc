#include "metadata/features.h"

#include <algorithm>
#include <array>

namespace moldau::metadata {
namespace {

// As Kafka 4.3.1 registers them; `fresh` as its format step sets them.
constexpr std::array kFeatures = {
    SupportedFeature{"eligible.leader.replicas.version", 0, 1, 1},
    SupportedFeature{"group.version", 0, 1, 1},
    SupportedFeature{kKraftVersion, 0, 1, 0},  // lives in the quorum's control records, not in the features
    SupportedFeature{kMetadataVersion, kMinMetadataVersion, kLatestMetadataVersion, kLatestMetadataVersion},
    SupportedFeature{"share.version", 0, 1, 1},
    SupportedFeature{"streams.version", 0, 1, 1},
    SupportedFeature{"transaction.version", 0, 2, 2},
};

constexpr std::array<std::string_view, kLatestMetadataVersion> kNames = {
    "3.0-IV1", "3.1-IV0", "3.2-IV0", "3.3-IV0", "3.3-IV1", "3.3-IV2", "3.3-IV3", "3.4-IV0",
    "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0", "3.7-IV1",
    "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0", "4.0-IV1", "4.0-IV2",
    "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0"};

// Levels at which something was added to the records.
constexpr std::int16_t kControlledShutdown = 7, kMigration = 8, kDirectories = 17, kElr = 23, kCordoned = 30;

}  // namespace

std::span<const SupportedFeature> supported_features() { return kFeatures; }

const SupportedFeature* find_feature(std::string_view name) {
  const auto found = std::ranges::find(kFeatures, name, &SupportedFeature::name);
  return found != kFeatures.end() ? &*found : nullptr;
}

std::optional<std::string_view> metadata_version_name(std::int16_t level) {
  if (level < 1 || level > kLatestMetadataVersion) return std::nullopt;
  return kNames[static_cast<std::size_t>(level - 1)];
}

std::optional<std::int16_t> metadata_version_level(std::string_view name) {
  std::optional<std::int16_t> newest;
  for (std::int16_t level = 1; level <= kLatestMetadataVersion; ++level) {
    const std::string_view full = kNames[static_cast<std::size_t>(level - 1)];
    if (full == name || full.substr(0, full.find('-')) == name) newest = level;
  }
  return newest;
}

std::int16_t register_broker_record_version(std::int16_t metadata_version) {
  if (metadata_version >= kCordoned) return 4;
  if (metadata_version >= kDirectories) return 3;
  if (metadata_version >= kMigration) return 2;
  return metadata_version >= kControlledShutdown ? 1 : 0;
}

std::int16_t partition_record_version(std::int16_t metadata_version) {
  if (metadata_version >= kElr) return 2;
  return metadata_version >= kDirectories ? 1 : 0;
}

bool directories_supported(std::int16_t metadata_version) { return metadata_version >= kDirectories; }

bool controller_registration_supported(std::int16_t metadata_version) { return metadata_version >= 15; }

}  // namespace moldau::metadata
