// The broker's process on its machine: started, stopped, killed, and started again with what its disk then
// holds.
//
//   down ──start()──▶ up ──stop() clean──▶ down
//                      ├──die(kKill): the page cache lives────▶ down
//                      └──die(kPower): unsynced sectors may go─▶ down
//
// A life is everything that a process has: loops, background jobs, connections, the broker. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "sim/background.h"
#include "sim/ledger.h"
#include "sim/loop.h"
#include "simenv/background.h"

namespace moldau::sim {

class World;

class Machine {
 public:
  explicit Machine(World& world) : world_(world) {}
  ~Machine();

  // Not up afterwards: could_not() says why.
  void start();
  void stop();  // REQUIRES: up()
  void die(Death death);
  bool up() const { return life_ != nullptr; }
  const std::string& could_not() const { return could_not_; }

  broker::Broker* broker() { return life_ ? life_->broker.get() : nullptr; }
  const std::shared_ptr<Loop>& some_loop();
  std::uint64_t lives() const { return lives_; }
  std::size_t jobs_waiting() const { return life_ ? life_->background->waiting() : 0; }

 private:
  struct Life {
    std::unique_ptr<simenv::Random> random;
    std::vector<std::shared_ptr<Loop>> loops;
    std::shared_ptr<Background> background;
    simenv::EventLog events;
    std::unique_ptr<broker::Broker> broker;
  };

  void end_life();
  void tick(std::uint64_t life);
  void drain();
  void tell_lines();
  void tell_files();

  World& world_;
  std::unique_ptr<Life> life_;
  std::uint64_t lives_ = 0, boots_ = 1;
  std::size_t told_ = 0;
  std::string could_not_;
};

}  // namespace moldau::sim
