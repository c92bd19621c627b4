#include "config/suggest.h"

#include <algorithm>
#include <vector>

#include "config/definition.h"

namespace moldau::config {

// Optimal string alignment: rows of the classic table, two of them kept for swaps.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) {
  const std::size_t difference = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
  if (difference > limit) return limit + 1;
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({change, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return std::min(last[b.size()], limit + 1);
}

std::optional<std::string_view> nearest_broker_config(std::string_view name) {
  std::size_t best = std::min<std::size_t>(4, name.size() / 3) + 1;
  const ConfigDef* nearest = nullptr;
  for (const ConfigDef& definition : definitions(Scope::kBroker)) {
    const std::size_t distance = edit_distance(name, definition.name, best);
    if (distance < best || (distance == best && nearest && nearest->retired() && !definition.retired())) {
      best = distance;
      nearest = &definition;
    }
  }
  return nearest ? std::optional(nearest->name) : std::nullopt;
}

}  // namespace moldau::config
