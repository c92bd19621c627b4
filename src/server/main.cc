// moldau-server: reads its properties, starts one node, waits for a signal, stops it.
// Exit codes: 0 after a clean stop, 1 after one message that says what is wrong.
#include <csignal>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "server/load_config.h"
#include "server/node.h"

namespace moldau::server {
namespace {

constexpr std::string_view kServer = "kafka.server.KafkaServer";

// The signals that stop us come only through wait(); a peer that is gone must not kill us.
sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

// Serves until a signal comes; returns it.
int serve(Node& node, const sigset_t& signals) {
  constexpr timespec kTick{.tv_sec = 1, .tv_nsec = 0};
  for (;;) {
    const int signal = sigtimedwait(&signals, nullptr, &kTick);
    if (signal > 0) return signal;
    node.tick();
  }
}

void tell_notices(const config::Loaded& loaded, Logger& log) {
  for (const config::Notice& notice : loaded.notices) {
    log.write(notice.level == config::Notice::Level::kWarning ? env::Level::kWarn : env::Level::kInfo,
              kServer, notice.text);
  }
}

// The lines that test harnesses and scripts look for, then what a person wants to know.
void tell_started(const Node& node, Logger& log) {
  const std::string id = std::to_string(node.report().node.value);
  std::string addresses, directories;
  for (const std::string& address : node.addresses()) addresses += (addresses.empty() ? "" : ", ") + address;
  for (const std::string& directory : node.config().log_dirs)
    directories += (directories.empty() ? "" : ", ") + std::filesystem::absolute(directory).string();
  log.info(kServer, "listening on " + addresses + "; data in " + directories);
  if (!node.addresses().empty()) {
    const std::string& first = node.addresses().front();
    const std::string port = first.substr(first.rfind(':') + 1);
    log.info(kServer, "try: echo hello | kcat -b localhost:" + port +
                          " -P -t greetings && kcat -b localhost:" + port + " -C -t greetings -e");
  }
  if (node.config().has_roles) {
    log.info("kafka.server.KafkaRaftServer", "[KafkaRaftServer nodeId=" + id + "] Kafka Server started");
  } else {
    log.info(kServer, "[KafkaServer id=" + id + "] started");
  }
}

int run(config::Loaded loaded) {
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  Logger log;
  tell_notices(loaded, log);
  Node node(std::move(loaded), log);
  if (const Status started = node.start(); !started) {
    log.error(kServer, "cannot start: " + started.error().message);
    return 1;
  }
  tell_started(node, log);
  const int signal = serve(node, signals);
  log.info(kServer, "shutting down on " + std::string(signal == SIGINT    ? "SIGINT"
                                                      : signal == SIGTERM ? "SIGTERM"
                                                                          : "SIGHUP"));
  if (const Status stopped = node.stop(); !stopped) {
    log.error(kServer, "not stopped cleanly: " + stopped.error().message);
    return 1;
  }
  log.info(kServer, "shut down completed");
  return 0;
}

}  // namespace
}  // namespace moldau::server

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  auto loaded = moldau::server::start_up(arguments, std::cout, std::cerr);
  return loaded ? moldau::server::run(std::move(*loaded)) : loaded.error().code;
}
