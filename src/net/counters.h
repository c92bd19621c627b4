// What the network layer counts. Written by one loop without locked instructions, read by anybody; sums over
// loops and rates are made by the reader. Named so that Kafka's metrics follow (socket-server-metrics,
// RequestQueueSize, MemoryPoolUsed …).
#pragma once

#include <atomic>
#include <cstdint>

namespace moldau::net {

// One writer, any number of readers.
class Counter {
 public:
  void add(std::uint64_t n) { value_.store(get() + n, std::memory_order_relaxed); }
  void subtract(std::uint64_t n) { value_.store(get() - n, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Of one loop; only that loop's thread writes.
struct alignas(64) LoopCounters {
  Counter turns;               // of the loop: waits that ended
  Counter opened;              // connections taken over
  Counter closed;              // … and ended
  Counter requests;            // frames handed to the handler
  Counter in_flight;           // of those, not yet answered in full
  Counter bytes_in;            // read from sockets
  Counter bytes_out;           // written to sockets
  Counter bytes_sent_by_file;  // the part of bytes_out that sendfile moved
  Counter reads;               // system calls
  Counter writes;
  Counter idle_closed;     // connections.max.idle.ms
  Counter excess_closed;   // over max.connections
  Counter stalled_closed;  // half a frame held memory that others waited for
  Counter refused_input;   // connections closed for what they sent
  Counter cold_reads;      // parts of files read in by background threads before they were sent
  Counter read_pauses;     // times a connection was not read because a bound was reached
};

// One moment of a loop, or of all: see Server::stats.
struct Stats {
  std::uint64_t connections = 0;  // connection-count
  std::uint64_t connections_created = 0;
  std::uint64_t connections_closed = 0;
  std::uint64_t connections_refused = 0;  // over max.connections.per.ip
  std::uint64_t idle_closed = 0;
  std::uint64_t stalled_closed = 0;
  std::uint64_t excess_closed = 0;
  std::uint64_t refused_input = 0;
  std::uint64_t requests = 0;            // request-total
  std::uint64_t requests_in_flight = 0;  // not yet answered in full: RequestQueueSize
  std::uint64_t bytes_in = 0;            // incoming-byte-total
  std::uint64_t bytes_out = 0;           // outgoing-byte-total
  std::uint64_t bytes_sent_by_file = 0;
  std::uint64_t reads = 0, writes = 0, turns = 0;
  std::uint64_t read_pauses = 0;
  std::uint64_t cold_reads = 0;
  // Of requests in memory, counted while queued.max.request.bytes is set. MemoryPoolAvgDepletedPercent is the
  // growth of depleted time over that of time.
  std::uint64_t receive_bytes_held = 0;      // MemoryPoolUsed
  std::int64_t receive_bytes_available = 0;  // MemoryPoolAvailable; below 0 by the last frame let in
  std::uint64_t receive_depleted_ms = 0;     // MemoryPoolDepletedTimeTotal
  // CPU time of the loops' threads so far: NetworkProcessorAvgIdlePercent is 1 - its growth over that of time
  // and number of loops.
  std::uint64_t cpu_ns = 0;
};

}  // namespace moldau::net
