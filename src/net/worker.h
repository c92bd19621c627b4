// One loop with its thread and the connections that live on it. Everything a connection needs beside its
// socket.
//
// Made and destroyed by the server's owner; adopt() and stop_* from any thread; the rest on the loop's
// thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "env/connection.h"
#include "net/buffer_pool.h"
#include "net/connection_limits.h"
#include "net/event_loop.h"
#include "net/file_warmth.h"
#include "net/log.h"
#include "net/nudge.h"
#include "net/options.h"
#include "net/starvation_watch.h"

namespace moldau::net {

class SocketConnection;

// A connection that has been accepted and counted, on its way to its loop.
struct Accepted {
  int fd = -1;
  env::ConnectionInfo info;
  IpAddress address;
  bool exempt = false;  // its listener, from max.connections
};

class Worker {
 public:
  Worker(const Options& options, const env::Clock& clock, std::unique_ptr<env::Random> random,
         std::shared_ptr<ReceiveBudget> budget, Holders& holders, ConnectionLimits& limits, Log log);
  ~Worker();

  void start(env::RequestHandler& handler, unsigned number);  // starts the thread
  void join();                                                // after loop().stop()
  // Runs `f` on the loop. Any thread.
  void call(std::function<void()> f);
  // Any thread; counts at once, so that load() is right for the next choice.
  void adopt(Accepted&& accepted);
  // Connections here or on their way. Any thread.
  std::uint32_t load() const { return load_.load(std::memory_order_relaxed); }
  std::uint64_t cpu_ns() const;  // of the thread, so far; any thread
  Nudge& room_nudge() { return room_nudge_; }
  Nudge& excess_nudge() { return excess_nudge_; }

  // Loop thread. No new requests; connections end when theirs are answered. `draining` (if any) is told of
  // each, `drained` is called when none is left.
  void drain(const std::function<void(env::Connection&)>& draining, std::function<void()> drained);
  void end_all(const std::string& why);

  EventLoop& loop() { return loop_; }
  BufferPool& pool() { return pool_; }
  FileWarmth& warmth() { return warmth_; }
  const Options& options() const { return options_; }
  env::RequestHandler& handler() { return *handler_; }
  LoopCounters& counters() { return loop_.counters(); }
  void log(LogLevel level, const std::string& line) const { log_(level, line); }

  // For connections. The connection gets a turn when there is room; before it waits, it looks once more.
  void wait_for_room(SocketConnection& connection);
  void ended(SocketConnection& connection, const IpAddress& address);

 private:
  void take_over(Accepted&& accepted);
  void look_for_room();
  void close_excess();

  const Options& options_;
  ConnectionLimits& limits_;
  Log log_;
  std::shared_ptr<ReceiveBudget> budget_;
  env::RequestHandler* handler_ = nullptr;
  EventLoop loop_;
  BufferPool pool_;
  FileWarmth warmth_;
  Nudge room_nudge_, excess_nudge_;
  std::vector<SocketConnection*> connections_;  // each knows its place
  std::vector<SocketConnection*> wait_for_room_;
  StarvationWatch starvation_watch_;
  std::function<void()> drained_;
  std::atomic<std::uint32_t> load_{0};
  std::thread thread_;
};

}  // namespace moldau::net
