// Takes connections from one listening socket and spreads them: each goes to the loop that has the fewest,
// and among equals to the acceptor's own. (SO_REUSEPORT would let the kernel's hash decide: with a handful of
// connections, half of the time unevenly.)
//
//      accepting ──no descriptors left──▶ pausing ──timer──▶ accepting
//          ├─────max.connections────────▶ full ────room─────▶ accepting
//          └─creation rate─▶ pausing ──timer──▶ accepting
//
// Loop thread of its home only, but for the constructor and room_again().
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "net/connection_limits.h"
#include "net/listener.h"
#include "net/nudge.h"
#include "net/worker.h"

namespace moldau::net {

using Workers = std::vector<std::unique_ptr<Worker>>;

class Acceptor final : public Watcher, private env::Timer {
 public:
  Acceptor(Listener listener, Worker& home, const Workers& workers, ConnectionLimits& limits,
           std::atomic<std::uint64_t>& next_id, std::uint64_t descriptors);

  void start();
  void stop();
  void room_again() { room_nudge_.send(); }  // any thread
  Worker& home() { return home_; }
  const Listener& listener() const { return listener_; }

  void ready(std::uint32_t events) override;

 private:
  void expired() override { resume(); }
  bool may_accept();
  bool descriptors_left();
  bool accept_one();
  void hand_over(int fd, const sockaddr_storage& peer);
  bool out_of_resources(int error);
  void pause();
  void resume();
  Worker& choose() const;

  Listener listener_;
  Worker& home_;
  const Workers& workers_;
  ConnectionLimits& limits_;
  std::atomic<std::uint64_t>& next_id_;
  const std::uint64_t descriptors_;
  Nudge room_nudge_;
  bool stopped_ = false;
  bool paused_ = false;
  bool told_ = false;    // that descriptors have run out
  bool scarce_ = false;  // they nearly have: the last one was close to the bound
};

}  // namespace moldau::net
