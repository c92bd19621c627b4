// std::ranges::contains, which libstdc++ 12 does not have yet.
#pragma once

#include <algorithm>
#include <functional>
#include <ranges>

namespace moldau::config {

template <std::ranges::input_range Range, typename T, typename Projection = std::identity>
constexpr bool contains(Range&& range, const T& value, Projection projection = {}) {
  return std::ranges::find(range, value, projection) != std::ranges::end(range);
}

}  // namespace moldau::config
