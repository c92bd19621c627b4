#include "server/load_config.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <ostream>

namespace moldau::server {
namespace {

constexpr std::size_t kLargestFile = 16
                                     << 20;  // far beyond any properties file: somebody named a log segment

std::unexpected<Error> unreadable(const std::string& path, ErrorKind kind, const std::string& why) {
  return fail(kind, "cannot read the properties file " + path + ": " + why);
}

Result<std::string> read_file(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return unreadable(path, errno == ENOENT ? ErrorKind::kNotFound : ErrorKind::kIo, std::strerror(errno));
  std::string text;
  std::array<char, 4096> part;
  errno = 0;
  do {
    file.read(part.data(), part.size());
    text.append(part.data(), static_cast<std::size_t>(file.gcount()));
  } while (file && text.size() <= kLargestFile);
  if (file.bad() || (text.empty() && errno != 0))
    return unreadable(path, ErrorKind::kIo, std::strerror(errno));
  if (text.size() > kLargestFile) return unreadable(path, ErrorKind::kInvalid, "it is larger than 16 MiB");
  if (text.contains('\0')) return unreadable(path, ErrorKind::kInvalid, "it is not text");
  return text;
}

void print(const config::Loaded& loaded, std::ostream& out) {
  for (const config::Notice& notice : loaded.notices)
    out << (notice.level == config::Notice::Level::kWarning ? "WARN " : "INFO ") << notice.text << "\n";
}

}  // namespace

Result<config::Loaded> load_config(const CommandLine& line) {
  TRY_ASSIGN(text, read_file(line.properties));
  return config::load(line.properties, text, line.overrides);
}

std::expected<config::Loaded, Exit> start_up(std::span<const std::string> arguments, std::ostream& out,
                                             std::ostream& err) {
  const auto line = parse_command_line(arguments);
  if (!line) {
    err << line.error().message << "\n";
    return std::unexpected(Exit{1});
  }
  if (line->action == CommandLine::Action::kTell) {
    out << line->text;
    return std::unexpected(Exit{0});
  }
  auto loaded = load_config(*line);
  if (!loaded) {
    err << loaded.error().message << "\n";
    return std::unexpected(Exit{1});
  }
  if (line->action == CommandLine::Action::kRun) return *std::move(loaded);
  print(*loaded, out);
  return std::unexpected(Exit{0});
}

}  // namespace moldau::server
