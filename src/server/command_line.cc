#include "server/command_line.h"

#include <CLI/CLI.hpp>

namespace moldau::server {
namespace {

constexpr const char* kUsage = "usage: moldau-server server.properties [--override name=value]*";

}  // namespace

Result<CommandLine> parse_command_line(std::span<const std::string> arguments) {
  CommandLine line;
  bool check = false;
  CLI::App app("A Kafka broker. Configuration: the properties files of Kafka, 0.8 to 4.3.", "moldau-server");
  app.add_option("properties", line.properties, "the properties file to run with")->required();
  app.add_option("--override", line.overrides, "name=value: wins over the file; may be given many times")
      ->allow_extra_args(false);
  app.add_flag("--check", check, "only say whether the configuration is good");
  app.set_version_flag("--version", MOLDAU_VERSION, "print the version");

  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants them
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    line.text = app.help();
  } catch (const CLI::CallForVersion&) {
    line.text = MOLDAU_VERSION "\n";
  } catch (const CLI::ParseError& error) {
    return fail(ErrorKind::kInvalid, std::string(error.what()) + "\n" + kUsage);
  }
  if (!line.text.empty())
    line.action = CommandLine::Action::kTell;
  else if (check)
    line.action = CommandLine::Action::kCheck;
  return line;
}

}  // namespace moldau::server
