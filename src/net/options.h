// What can be set about the network, by Kafka's names and with Kafka's defaults (SocketServerConfigs), and
// bounds of our own. A value type.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>

namespace moldau::net {

// Of one listener: listener.name.<name>.max.connections and so on.
struct ListenerLimits {
  std::int32_t max_connections = std::numeric_limits<std::int32_t>::max();
  std::int32_t max_connection_creation_rate = std::numeric_limits<std::int32_t>::max();
};

struct Options {
  unsigned loops = 0;  // threads that serve connections; 0: one per core

  std::int32_t socket_request_max_bytes = 100 << 20;
  std::int32_t max_connections = std::numeric_limits<std::int32_t>::max();
  std::int32_t max_connections_per_ip = std::numeric_limits<std::int32_t>::max();
  std::map<std::string, std::int32_t> max_connections_per_ip_overrides;  // host or address → limit
  std::int32_t max_connection_creation_rate = std::numeric_limits<std::int32_t>::max();  // a second
  std::int32_t quota_window_num = 11;  // samples that a rate is averaged over, the present one included
  std::int32_t quota_window_size_seconds = 1;             // … and the length of each
  std::map<std::string, ListenerLimits> listener_limits;  // by name; those with none have no bounds
  std::int64_t connections_max_idle_ms = 600'000;         // < 0: never
  std::int64_t queued_max_request_bytes = -1;             // <= 0: no bound
  std::int32_t socket_send_buffer_bytes = 100 << 10;      // -1: the system's default
  std::int32_t socket_receive_buffer_bytes = 100 << 10;   // -1: the system's default
  std::int32_t socket_listen_backlog_size = 50;

  std::function<void()> on_rest;  // called on each loop when nothing has come to it for some seconds
  // No connection is accepted with a descriptor of this number or a higher one: the rest is for files.
  std::uint64_t descriptors = std::numeric_limits<std::uint64_t>::max();

  // Of one connection. At either bound it is not read until replies have left.
  std::uint32_t pipelined_requests = 256;       // handed in and not yet answered in full
  std::uint64_t queued_reply_bytes = 1u << 20;  // in memory, not counting slices of files
};

// One of `listeners`: where to listen. Host empty: every address of the machine, IPv4 and IPv6.
struct ListenerSpec {
  std::string name;  // "PLAINTEXT"
  std::string host;
  std::uint16_t port = 0;                    // 0: any free one
  bool exempt_from_max_connections = false;  // Kafka's inter-broker listener, if there are others
};

// Where it does listen.
struct BoundListener {
  std::string name;
  std::string address;  // numeric
  std::uint16_t port = 0;
};

}  // namespace moldau::net
