// Where the network layer's lines go: the server hands in a function that feeds its logger, tests one that
// keeps them. Called from any loop's thread, possibly at once.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace moldau::net {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError };
using Log = std::function<void(LogLevel, const std::string& line)>;

}  // namespace moldau::net
