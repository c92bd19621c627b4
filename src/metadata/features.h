// The features that a cluster may finalize (KIP-584), and how far this release goes with each.
// The levels of metadata.version carry names: 30 is "4.3-IV0". Constants; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace moldau::metadata {

inline constexpr std::string_view kMetadataVersion = "metadata.version";
inline constexpr std::string_view kKraftVersion = "kraft.version";

inline constexpr std::int16_t kMinMetadataVersion = 7;      // 3.3-IV3, the oldest that 4.x can still read
inline constexpr std::int16_t kLatestMetadataVersion = 30;  // 4.3-IV0

struct SupportedFeature {
  std::string_view name;
  std::int16_t min, max;
  std::int16_t fresh;  // the level that a fresh cluster is given; 0: none
};

// Sorted by name. What brokers and controllers register and ApiVersions tells.
std::span<const SupportedFeature> supported_features();
const SupportedFeature* find_feature(std::string_view name);

// "4.3-IV0" of 30; nothing below 1 or above what is known.
std::optional<std::string_view> metadata_version_name(std::int16_t level);
// 30 of "4.3-IV0" or "4.3".
std::optional<std::int16_t> metadata_version_level(std::string_view name);

// What a log at a metadata.version may hold (MetadataVersion.java).
std::int16_t register_broker_record_version(std::int16_t metadata_version);
std::int16_t partition_record_version(std::int16_t metadata_version);  // of PartitionChangeRecord, too
bool directories_supported(std::int16_t metadata_version);             // KIP-858
bool controller_registration_supported(std::int16_t metadata_version);

}  // namespace moldau::metadata
