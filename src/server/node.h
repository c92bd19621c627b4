// One node of the server: files, threads, sockets and the broker, put together, started and stopped.
//
//   made ──start()──▶ serving ──stop()──▶ stopped
//
// Owned by main's thread; tick() and stop() are called from it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "config/load.h"
#include "net/page_cache.h"
#include "net/server.h"
#include "os/background.h"
#include "os/filesystem.h"
#include "server/logger.h"

namespace moldau::server {

class Node {
 public:
  Node(config::Loaded loaded, Logger& log);
  ~Node();

  // Loads what is there, listens, registers, serves. One message on failure.
  Status start();
  void tick();
  // Finishes what is under way (up to a few seconds), writes everything down.
  Status stop();

  const std::vector<std::string>& addresses() const {
    return addresses_;
  }  // "PLAINTEXT://127.0.0.1:9092", as bound
  const broker::OpenReport& report() const { return broker_->report(); }
  const config::BrokerConfig& config() const { return loaded_.config; }

 private:
  Status open_broker();
  Error with_place(Error error) const;
  Status listen();
  std::vector<metadata::Endpoint> advertised() const;
  void tell_what_was_found();
  void follow_limits();

  config::Loaded loaded_;
  Logger& log_;
  os::FileSystem fs_;
  os::Clock clock_;
  os::Entropy random_;
  std::unique_ptr<os::Background> background_;
  net::KernelPageCache page_cache_;
  std::unique_ptr<net::Server> network_;
  std::unique_ptr<broker::Broker> broker_;  // goes first: it has timers in the network's loops
  std::vector<std::string> addresses_;
  broker::SettingsPtr followed_;  // the settings whose limits the network has
};

}  // namespace moldau::server
