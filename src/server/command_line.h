// The command line of moldau-server:
//
//   moldau-server server.properties [--override name=value]* [--check]
//   moldau-server --help | --version
//
// Kafka's options that concern its JVM (-daemon, -name X, -loggc) never arrive here:
// bin/kafka-server-start.sh takes them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace moldau::server {

struct CommandLine {
  enum class Action {
    kRun,
    kCheck,  // say whether the configuration is good, and end
    kTell,   // print `text` and end well: --help, --version
  };
  Action action = Action::kRun;
  std::string properties;              // the path as given
  std::vector<std::string> overrides;  // "name=value", in order
  std::string text;
};

// `arguments` without the program's own name. kInvalid: what is wrong, and the usage in a second line.
Result<CommandLine> parse_command_line(std::span<const std::string> arguments);

}  // namespace moldau::server
