// Names that belong to other programs and are often carried along in a broker's file. From
// schema/configs.def.
#pragma once

#include <span>
#include <string_view>

namespace moldau::config {

struct ForeignName {
  std::string_view name;
  std::string_view role;  // "producer", "zookeeper server" …
};

// Ordered by name.
std::span<const ForeignName> foreign_names();

}  // namespace moldau::config
