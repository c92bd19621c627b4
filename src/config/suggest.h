// "Did you mean …?": the known name nearest to an unknown one.
#pragma once

#include <optional>
#include <string_view>

namespace moldau::config {

// How many letters must be inserted, dropped, changed or swapped with their neighbour to make b of a, as far
// as `limit`; beyond it, limit + 1.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit);

// The broker configuration nearest to `name`, if it is near: within a third of its length, at most 4 edits.
// Names of the newest version win over retired ones at the same distance.
std::optional<std::string_view> nearest_broker_config(std::string_view name);

}  // namespace moldau::config
