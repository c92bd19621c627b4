// What an operator should read, from the core that has no log of its own: the server writes it with spdlog,
// the simulation keeps it for its trace. `logger` is Kafka's class for such a line ("kafka.log.LogManager").
// Any thread.
#pragma once

#include <string>
#include <string_view>

namespace moldau::env {

enum class Level { kDebug, kInfo, kWarn, kError };

class EventLog {
 public:
  virtual ~EventLog() = default;
  virtual void write(Level level, std::string_view logger, std::string text) = 0;
};

}  // namespace moldau::env
