#include "server/logger.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace moldau::server {
namespace {

spdlog::level::level_enum to_spdlog(env::Level level) {
  switch (level) {
    case env::Level::kDebug:
      return spdlog::level::debug;
    case env::Level::kInfo:
      return spdlog::level::info;
    case env::Level::kWarn:
      return spdlog::level::warn;
    case env::Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

env::Level from_net(net::LogLevel level) {
  switch (level) {
    case net::LogLevel::kDebug:
      return env::Level::kDebug;
    case net::LogLevel::kInfo:
      return env::Level::kInfo;
    case net::LogLevel::kWarn:
      return env::Level::kWarn;
    case net::LogLevel::kError:
      return env::Level::kError;
  }
  return env::Level::kInfo;
}

constexpr std::string_view kNames[] = {"DEBUG", "INFO", "WARN", "ERROR"};

}  // namespace

Logger::Logger() {
  auto logger = std::make_shared<spdlog::logger>("moldau", std::make_shared<spdlog::sinks::stdout_sink_mt>());
  logger->set_pattern("[%Y-%m-%d %H:%M:%S,%e] %v");
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void Logger::write(env::Level level, std::string_view logger, std::string text) {
  spdlog::log(to_spdlog(level), "{} {} ({})", kNames[static_cast<std::size_t>(level)], text, logger);
}

void Logger::flush() { spdlog::default_logger()->flush(); }

net::Log Logger::network() {
  return [this](net::LogLevel level, const std::string& line) {
    write(from_net(level), "kafka.network.SocketServer", line);
  };
}

}  // namespace moldau::server
