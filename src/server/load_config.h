// From argv to a broker's configuration, or to the end of the process: the first thing main() does.
#pragma once

#include <expected>
#include <iosfwd>
#include <span>
#include <string>

#include "config/load.h"
#include "server/command_line.h"

namespace moldau::server {

// The process shall end with this code: 0 after --help, --version and a good --check; 1 after a message on
// `err`.
struct Exit {
  int code;

  bool operator==(const Exit&) const = default;
};

// Reads the file that the command line names, and checks everything that can be checked without touching the
// machine. kNotFound, kIo: the file; kInvalid: its contents. One message, that names file, line, key and what
// was expected.
Result<config::Loaded> load_config(const CommandLine& line);

// Parses `arguments` (without the program's name), prints what is to be printed, and loads. Notices are left
// to the caller, who has a log; --check prints them on `out`.
std::expected<config::Loaded, Exit> start_up(std::span<const std::string> arguments, std::ostream& out,
                                             std::ostream& err);

}  // namespace moldau::server
