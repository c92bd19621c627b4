// Which protocols of groups this broker speaks: group.coordinator.rebalance.protocols. Any thread.
#pragma once

#include <string_view>

#include "broker/services.h"
#include "config/contains.h"

namespace moldau::broker {

inline bool speaks_group_protocol(const Services& services, std::string_view protocol) {
  return config::contains(services.settings.get()->values.list("group.coordinator.rebalance.protocols"),
                          protocol);
}

}  // namespace moldau::broker
