// The mistakes of base/fault.h by name, and the number of seeds, from 1 on, within which each must be found.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/fault.h"

namespace moldau::sim {

struct KnownFault {
  Fault fault;
  std::string_view name;
  std::uint64_t seeds;
};

std::span<const KnownFault> known_faults();
std::optional<KnownFault> fault_named(std::string_view name);

}  // namespace moldau::sim
