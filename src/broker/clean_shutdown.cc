#include "broker/clean_shutdown.h"

#include <charconv>

namespace moldau::broker {
namespace {

constexpr std::string_view kName = "/.kafka_cleanshutdown";
constexpr std::string_view kField = "\"brokerEpoch\":";
constexpr std::uint64_t kLargest = 4096;

std::int64_t epoch_in(std::string_view text) {
  const std::size_t at = text.find(kField);
  if (at == std::string_view::npos) return -1;
  text.remove_prefix(at + kField.size());
  while (text.starts_with(' ')) text.remove_prefix(1);
  std::int64_t epoch = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), epoch);
  return error == std::errc{} ? epoch : -1;
}

}  // namespace

std::int64_t previous_broker_epoch(env::FileSystem& fs, const std::vector<std::string>& directories) {
  std::int64_t common = -1;
  for (std::size_t i = 0; i < directories.size(); ++i) {
    const auto content = fs.read_file(directories[i] + std::string(kName), kLargest);
    const std::int64_t epoch = content ? epoch_in(as_text(*content)) : -1;
    if (i > 0 && epoch != common) return -1;
    common = epoch;
  }
  return common;
}

}  // namespace moldau::broker
