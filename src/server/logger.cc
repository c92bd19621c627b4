#include "server/logger.h"

#include <algorithm>
#include <fmt/format.h>
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

// What clients send must not make lines of its own, nor reach a terminal as commands.
std::string on_one_line(std::string text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (std::ranges::none_of(text, is_control)) return text;
  std::string shown;
  for (const char c : text)
    shown += is_control(c) ? fmt::format("\\x{:02x}", static_cast<unsigned char>(c)) : std::string(1, c);
  return shown;
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
  spdlog::log(to_spdlog(level), "{} {} ({})", kNames[static_cast<std::size_t>(level)],
              on_one_line(std::move(text)), logger);
}

void Logger::flush() { spdlog::default_logger()->flush(); }

net::Log Logger::network() {
  return [this](net::LogLevel level, const std::string& line) {
    write(from_net(level), "kafka.network.SocketServer", line);
  };
}

}  // namespace moldau::server
