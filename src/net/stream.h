// The bytes of a connection, in and out, without waiting: the place where TLS goes beside the plain socket.
// Knows no frames. Loop thread only.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <sys/uio.h>

#include "env/connection.h"

namespace moldau::net {

class Stream {
 public:
  enum class State : std::uint8_t {
    kDone,        // `bytes` moved (> 0)
    kWouldBlock,  // nothing now; the loop will tell
    kEnd,         // reading: the peer will send no more; sending a file: it ends before its slice
    kBroken,      // the connection is gone; `reason` says why
  };
  struct Outcome {
    State state;
    std::size_t bytes = 0;
    int reason = 0;     // errno
    bool full = false;  // writing: less than asked for, and no more fits; the loop will tell
  };

  virtual ~Stream() = default;
  virtual Outcome read(std::span<const iovec> into) = 0;
  // `more`: other bytes follow at once.
  virtual Outcome write(std::span<const iovec> from, bool more) = 0;
  virtual bool sends_files() const = 0;  // otherwise send_file is never called
  virtual Outcome send_file(const env::FileSlice& slice, std::uint64_t at_most) = 0;
  virtual void close() = 0;
};

// A plain TCP socket (non-blocking). Owns the descriptor.
class SocketStream final : public Stream {
 public:
  explicit SocketStream(int fd) : fd_(fd) {}
  ~SocketStream() override { close(); }
  SocketStream(const SocketStream&) = delete;
  SocketStream& operator=(const SocketStream&) = delete;

  Outcome read(std::span<const iovec> into) override;
  Outcome write(std::span<const iovec> from, bool more) override;
  bool sends_files() const override { return true; }
  Outcome send_file(const env::FileSlice& slice, std::uint64_t at_most) override;
  void close() override;

 private:
  int fd_;
};

}  // namespace moldau::net
