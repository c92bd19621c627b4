// The network of a broker: listeners, loops, connections. Bytes come in here and meet an env::RequestHandler.
//
//      made ──bind()──▶ bound ──start()──▶ serving ──stop()──▶ stopped
//
// Loops exist from construction on, so that the handler can be built upon them; letters posted to them are
// read from start() on. Nothing of the handler is called before start() or after stop() returns. The handler
// and the clock outlive the server; connections and receive buffers that the handler still holds after stop()
// are harmless. All functions: the owner's thread, unless said otherwise.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "env/connection.h"
#include "net/counters.h"
#include "net/log.h"
#include "net/options.h"

namespace moldau::net {

class Acceptor;
class ConnectionLimits;
class Holders;
class Listener;
class PageCache;
class ReceiveBudget;
class Worker;

class Server {
 public:
  // Called once for each loop: its own source of randomness.
  using MakeRandom = std::function<std::unique_ptr<env::Random>()>;

  Server(Options options, const env::Clock& clock, const MakeRandom& make_random, Log log);
  ~Server();  // stops without grace

  // The loops, options.loops of them or one per core.
  std::span<env::Loop* const> loops() const { return loops_; }

  // Listens; connections wait in the queue until start(). An error names the listener, or the option, and the
  // reason.
  Status bind(std::span<const ListenerSpec> listeners);
  std::span<const BoundListener> listeners() const { return bound_; }

  // Before start(), or not at all: parts of files that are not in memory are read in by `background` before a
  // loop sends them. Both live until after stop().
  void read_cold_files_with(env::Background& background, const PageCache& cache);
  void start(env::RequestHandler& handler);
  // From now on the limits of connections (max.connections…, max.connection.creation.rate, those of
  // listeners) are these; the rest of `options` does not count. Connections above max.connections are closed,
  // those that have been idle for longest first; otherwise those that are there stay. May ask a name server;
  // an error leaves everything as it was.
  Status change_limits(const Options& options);
  // Called for each connection, on its loop, when it is read no more: what waits for nothing but time may be
  // answered at once.
  using Draining = std::function<void(env::Connection&)>;
  // Closes the listeners, reads no more requests, and waits up to `grace` until those in flight are answered
  // and their replies sent; then closes what is left and ends the threads.
  void stop(env::Duration grace, const Draining& draining = {});

  Stats stats() const;                           // sums over the loops; any thread, but not during stop()
  Stats stats_of_loop(std::size_t index) const;  // likewise

 private:
  void drain(env::Duration grace, const Draining& draining);
  void on_worker(Worker& worker, const std::function<void()>& f);

  enum class State : std::uint8_t { kMade, kBound, kServing, kStopped };

  const Options options_;
  Log log_;
  State state_ = State::kMade;
  Status overrides_status_;  // of max.connections.per.ip.overrides
  std::shared_ptr<ReceiveBudget> budget_;
  std::unique_ptr<Holders> holders_;
  std::unique_ptr<ConnectionLimits> limits_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::vector<Listener> listening_;
  std::vector<env::Loop*> loops_;
  std::vector<BoundListener> bound_;
  std::atomic<std::uint64_t> next_id_{0};
};

}  // namespace moldau::net
