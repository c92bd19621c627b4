// What the shell and the core say to one another about a client's connection. Bytes in, bytes and file slices
// out. Implemented by src/net (sockets) and src/sim (virtual ones); the broker sees only this.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "env/filesystem.h"
#include "env/loop.h"

namespace moldau::env {

// Bytes that lie in a file. Keeps the file open, so deletion of its segment does not disturb a reply under
// way.
struct FileSlice {
  std::shared_ptr<File> file;
  std::uint64_t position = 0;
  std::uint64_t length = 0;
};

// Bytes held alive by somebody (a pooled buffer, a cached reply).
struct SharedBytes {
  std::shared_ptr<const void> keep;
  ByteView bytes;
};

// A frame to send, its length prefix included, as pieces in order. Empty: the slot is done without a reply
// (acks=0).
struct Outbound {
  std::vector<std::variant<Bytes, SharedBytes, FileSlice>> pieces;
};

// A frame received, without its length prefix. `bytes` may be patched in place by the one who got it, and
// stay valid while `keep` lives. Holding `keep` long holds receive memory: copy what outlives the request.
struct Inbound {
  std::shared_ptr<void> keep;
  MutableBytes bytes;
};

struct ConnectionInfo {
  std::uint64_t id = 0;
  std::string listener;     // listener name, "PLAINTEXT"
  std::string client_host;  // "/127.0.0.1", as Kafka prints a host
  std::uint16_t client_port = 0;
  std::string local_address;  // the address it was accepted on, "127.0.0.1"
  std::uint16_t local_port = 0;
};

class Connection {
 public:
  virtual ~Connection() = default;
  virtual const ConnectionInfo& info() const = 0;
  virtual Loop& loop() = 0;
  // The answer to the request of `slot`; exactly once for each slot, in any order: the connection sends in
  // slot order. Ignored when the connection is gone. Loop thread only.
  virtual void reply(std::uint64_t slot, Outbound&& outbound) = 0;
  // Closes after the replies of earlier slots have left; `why` goes to the log. Loop thread only.
  virtual void close(std::string why) = 0;

  // The RequestHandler's own: what it wants to know of this connection. Loop thread only.
  std::shared_ptr<void> handler_state;
};

// The broker, for those who bring it requests. All calls come on the connection's loop.
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  virtual void opened(const std::shared_ptr<Connection>& connection) = 0;
  // Slots of one connection count up from 0. A connection hands in requests without waiting for earlier
  // replies.
  virtual void request(const std::shared_ptr<Connection>& connection, std::uint64_t slot,
                       Inbound&& frame) = 0;
  virtual void closed(const std::shared_ptr<Connection>& connection) = 0;
};

}  // namespace moldau::env
