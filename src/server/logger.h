// The log of the process, through spdlog, in the layout of Kafka's log4j files:
//   [2026-11-22 05:00:00,123] INFO Loading logs. (kafka.log.LogManager)
// Any thread.
#pragma once

#include "env/event_log.h"
#include "net/log.h"

namespace moldau::server {

class Logger final : public env::EventLog {
 public:
  Logger();  // to stdout
  void write(env::Level level, std::string_view logger, std::string text) override;
  void flush();

  void info(std::string_view logger, std::string text) { write(env::Level::kInfo, logger, std::move(text)); }
  void warn(std::string_view logger, std::string text) { write(env::Level::kWarn, logger, std::move(text)); }
  void error(std::string_view logger, std::string text) {
    write(env::Level::kError, logger, std::move(text));
  }

  // For the network layer.
  net::Log network();
};

}  // namespace moldau::server
