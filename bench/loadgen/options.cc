#include "loadgen/options.h"

#include <fmt/format.h>

namespace moldau::bench {

std::vector<std::string> topic_names(const Options& options) {
  if (options.topics == 1) return {options.topic};
  std::vector<std::string> names;
  for (int i = 0; i < options.topics; ++i) names.push_back(fmt::format("{}-{:04}", options.topic, i));
  return names;
}

}  // namespace moldau::bench
