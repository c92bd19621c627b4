#include "log/checkpoint.h"

#include <charconv>
#include <map>
#include <optional>

namespace moldau::log {
namespace {

// The lines of a text, counted, with errors that name their place.
class Lines {
 public:
  Lines(std::string_view text, const std::string& path) : rest_(text), path_(path) {}

  std::optional<std::string_view> next() {
    if (rest_.empty()) return std::nullopt;
    ++number_;
    const std::size_t end = rest_.find('\n');
    std::string_view line = rest_.substr(0, end);
    rest_ = end == std::string_view::npos ? std::string_view{} : rest_.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }
  std::unexpected<Error> wrong(std::string_view expected, std::optional<std::string_view> found) const {
    return fail(ErrorKind::kCorrupt, path_ + ":" + std::to_string(found ? number_ : number_ + 1) +
                                         ": expected " + std::string(expected) + ", found " +
                                         (found ? "\"" + std::string(*found) + "\"" : "the end of the file"));
  }
  Result<std::int64_t> number(std::string_view expected) {
    const auto line = next();
    std::int64_t value = 0;
    if (!line || !to_number(*line, value)) return wrong(expected, line);
    return value;
  }
  static bool to_number(std::string_view text, std::int64_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size() && !text.empty();
  }

 private:
  std::string_view rest_;
  const std::string& path_;
  int number_ = 0;
};

// Cuts the text behind the last space off `line`, as a number.
bool take_number(std::string_view& line, std::int64_t& out) {
  const std::size_t space = line.rfind(' ');
  if (space == std::string_view::npos || !Lines::to_number(line.substr(space + 1), out)) return false;
  line = line.substr(0, space);
  return true;
}

Result<OffsetMap> parse_entries(Lines& lines) {
  TRY_ASSIGN(count, lines.number("the number of entries"));
  std::map<TopicPartition, Offset> offsets;  // Kafka writes them in any order
  for (std::int64_t i = 0; i < count; ++i) {
    const auto line = lines.next();
    std::string_view topic = line.value_or("");
    std::int64_t offset = 0, partition = 0;
    if (!line || !take_number(topic, offset) || !take_number(topic, partition) || partition < 0 ||
        partition > INT32_MAX || topic.empty())
      return lines.wrong("topic, partition and offset", line);
    offsets[{std::string(topic), PartitionIndex{static_cast<std::int32_t>(partition)}}] = Offset{offset};
  }
  if (const auto more = lines.next())
    return lines.wrong("no more than " + std::to_string(count) + " entries", more);
  return OffsetMap(boost::container::ordered_unique_range, offsets.begin(), offsets.end());
}

Status expect_version(Lines& lines) {
  TRY_ASSIGN(version, lines.number("a version"));
  if (version != 0) return lines.wrong("version 0", std::to_string(version));
  return {};
}

std::string format_entries(const OffsetMap& offsets) {
  std::string text = std::to_string(offsets.size()) + "\n";
  for (const auto& [partition, offset] : offsets) {
    text += partition.topic;
    text += ' ';
    text += std::to_string(partition.partition.value);
    text += ' ';
    text += std::to_string(offset.value);
    text += '\n';
  }
  return text;
}

}  // namespace

Result<OffsetMap> parse_offsets(std::string_view text, const std::string& path) {
  Lines lines(text, path);
  TRY(expect_version(lines));
  return parse_entries(lines);
}

std::string format_offsets(const OffsetMap& offsets) { return "0\n" + format_entries(offsets); }

Result<OffsetMap> load_offsets(env::FileSystem& fs, const std::string& path) {
  if (!fs.exists(path)) return OffsetMap{};
  TRY_ASSIGN(content, fs.read_file(path));
  return parse_offsets(as_text(content), path);
}

Status store_offsets(env::FileSystem& fs, const std::string& path, const OffsetMap& offsets) {
  return fs.replace_file(path, as_bytes(format_offsets(offsets)));
}

Result<WrittenOffsets> parse_written(std::string_view text, const std::string& path) {
  Lines lines(text, path);
  TRY(expect_version(lines));
  const auto boot = lines.next();
  if (!boot) return lines.wrong("a boot id", boot);
  TRY_ASSIGN(offsets, parse_entries(lines));
  return WrittenOffsets{std::string(*boot), std::move(offsets)};
}

std::string format_written(const WrittenOffsets& written) {
  return "0\n" + written.boot_id + "\n" + format_entries(written.offsets);
}

Result<std::vector<EpochEntry>> parse_epochs(std::string_view text, const std::string& path) {
  Lines lines(text, path);
  TRY(expect_version(lines));
  TRY_ASSIGN(count, lines.number("the number of entries"));
  std::vector<EpochEntry> epochs;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto line = lines.next();
    std::string_view first = line.value_or("");
    std::int64_t offset = 0, epoch = 0;
    if (!line || !take_number(first, offset) || !Lines::to_number(first, epoch) || epoch < 0 ||
        epoch > INT32_MAX || offset < 0)
      return lines.wrong("epoch and offset", line);
    epochs.push_back({LeaderEpoch{static_cast<std::int32_t>(epoch)}, Offset{offset}});
  }
  // A piece of a file, cut within its last number, would tell of another offset.
  if (!text.ends_with('\n')) return lines.wrong("the end of the line", std::nullopt);
  return epochs;
}

std::string format_epochs(std::span<const EpochEntry> epochs) {
  std::string text = "0\n" + std::to_string(epochs.size()) + "\n";
  for (const EpochEntry& entry : epochs)
    text += std::to_string(entry.epoch.value) + " " + std::to_string(entry.start.value) + "\n";
  return text;
}

Result<Uuid> parse_partition_metadata(std::string_view text, const std::string& path) {
  Lines lines(text, path);
  const auto version = lines.next();
  if (version != "version: 0") return lines.wrong("\"version: 0\"", version);
  const auto line = lines.next();
  constexpr std::string_view kKey = "topic_id: ";
  const auto id = line && line->starts_with(kKey) ? Uuid::parse(line->substr(kKey.size())) : std::nullopt;
  if (!id) return lines.wrong("\"topic_id: \" and an id of 22 characters", line);
  return *id;
}

bool is_torn_metadata(std::string_view text) {
  const std::string whole = format_partition_metadata({});
  const std::size_t id_at = whole.size() - Uuid{}.to_string().size();
  if (text.find_first_not_of('\0') == std::string_view::npos) return true;
  return text.size() < whole.size() && whole.starts_with(text.substr(0, id_at));
}

std::string format_partition_metadata(const Uuid& topic_id) {
  return "version: 0\ntopic_id: " + topic_id.to_string();
}

}  // namespace moldau::log
