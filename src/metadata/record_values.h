// Parts of metadata records as an image holds them. For replay.cc alone.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "metadata/image.h"
#include "wire/gen/metadata_records.h"

namespace moldau::metadata {

inline std::vector<BrokerId> broker_ids(const std::vector<std::int32_t>& numbers) {
  std::vector<BrokerId> ids;
  ids.reserve(numbers.size());
  for (const std::int32_t number : numbers) ids.emplace_back(number);
  return ids;
}
inline std::vector<BrokerId> broker_ids(const std::optional<std::vector<std::int32_t>>& numbers) {
  return numbers ? broker_ids(*numbers) : std::vector<BrokerId>{};
}

template <typename From>
std::vector<Endpoint> endpoints(const std::vector<From>& from) {
  std::vector<Endpoint> to;
  to.reserve(from.size());
  for (const From& e : from)
    to.push_back({std::string(e.name), std::string(e.host), e.port, e.security_protocol});
  return to;
}

template <typename From>
std::vector<FeatureRange> features(const std::vector<From>& from) {
  std::vector<FeatureRange> to;
  to.reserve(from.size());
  for (const From& f : from)
    to.push_back({std::string(f.name), f.min_supported_version, f.max_supported_version});
  return to;
}

// The identity of a record that is kept by key: its type, then what a later record of it would name.
inline std::string kept_key(std::int16_t type, std::initializer_list<std::string_view> parts) {
  std::string key{static_cast<char>(type)};
  for (const std::string_view part : parts) {
    key += part;
    key += '\0';
  }
  return key;
}

inline std::string quota_key(const wire::ClientQuotaRecord& record) {
  std::vector<std::string> entity;
  for (const auto& e : record.entity)
    entity.push_back(std::string(e.entity_type) + (e.entity_name ? "=" + std::string(*e.entity_name) : "~"));
  std::ranges::sort(entity);
  std::string joined;
  for (const std::string& part : entity) joined += part + '\0';
  return kept_key(record.kKey, {joined, record.key});
}

}  // namespace moldau::metadata
