// meta.properties: whose log directory this is (org.apache.kafka.metadata.properties.MetaProperties). Java
// properties text:
//
//   version 0 (0.9 to ZooKeeper's end)   version=0  broker.id=1  cluster.id=…       (cluster.id since 0.10.1)
//   version 1 (KRaft, 3.0)               version=1  node.id=1    cluster.id=…  directory.id=… (since 3.7)
//
// Keys that we do not know are kept. Plain values; any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "base/uuid.h"
#include "env/filesystem.h"

namespace moldau::log {

inline constexpr const char* kMetaPropertiesName = "meta.properties";

struct MetaProperties {
  int version = 1;
  std::optional<std::string> cluster_id;
  std::optional<BrokerId> node_id;
  std::optional<Uuid> directory_id;
  std::map<std::string, std::string> others;

  bool operator==(const MetaProperties&) const = default;
};

// kInvalid names `path`, the key, what was expected and found; kUnsupported: a version newer than 1.
Result<MetaProperties> parse_meta_properties(std::string_view text, const std::string& path);
// Version 1, sorted keys.
std::string format_meta_properties(const MetaProperties& properties);

// nullopt if the directory has none.
Result<std::optional<MetaProperties>> load_meta_properties(env::FileSystem& fs, const std::string& directory);
Status store_meta_properties(env::FileSystem& fs, const std::string& directory,
                             const MetaProperties& properties);

}  // namespace moldau::log
