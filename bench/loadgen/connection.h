// One TCP connection to the broker, non-blocking: a queue of bytes to send, and whole reply frames out of
// what arrives. Frames are sent by reference (a Frame given to send() lives until it has been sent), so a 128
// KiB batch is encoded once however often it is sent. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <sys/uio.h>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "loadgen/frames.h"

namespace moldau::bench {

struct Address {
  std::string host = "127.0.0.1";  // IPv4, dotted
  int port = 9092;
};

class Connection {
 public:
  // Starts to connect and does not wait; a refusal shows at the first flush() or receive().
  static Result<Connection> start(const Address& address);
  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&&) = delete;
  ~Connection();

  int fd() const { return fd_; }
  void send(const Frame& frame);
  void send(Bytes frame);
  // Writes what the socket takes now.
  Status flush();
  bool has_output() const { return !output_.empty(); }
  std::size_t queued_bytes() const { return queued_bytes_; }

  // Reads what has arrived and calls visit(ByteView reply_without_size) for each whole frame.
  // An Error when the broker closed the connection or sent a size below 4.
  template <typename Visit>
  Status receive(Visit visit);

 private:
  struct Piece {
    ByteView view;
    Bytes owned;  // what `view` shows, when the connection keeps it
  };
  explicit Connection(int fd) : fd_(fd) {}

  Status read_some();
  Result<ByteView> next_frame();  // empty: no whole frame yet
  void push(ByteView view);
  std::size_t gather(iovec* vectors, std::size_t limit) const;
  void drop_sent(std::size_t bytes);

  int fd_;
  std::deque<Piece> output_;
  std::size_t front_sent_ = 0;  // bytes of the first piece that are out
  std::size_t queued_bytes_ = 0;
  Bytes input_;  // [begin_, end_) has arrived and is not yet visited
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

template <typename Visit>
Status Connection::receive(Visit visit) {
  TRY(read_some());
  for (;;) {
    TRY_ASSIGN(frame, next_frame());
    if (frame.empty()) return {};
    visit(ByteView(frame));
  }
}

// Connects, sends, and waits for each reply in turn: for setting up and checking, never in a measured run.
class BlockingClient {
 public:
  static Result<BlockingClient> connect(const Address& address);
  // The reply frame without its size. Fails after 60 s without one.
  Result<Bytes> call(Bytes request);

 private:
  explicit BlockingClient(Connection connection) : connection_(std::move(connection)) {}
  Connection connection_;
};

}  // namespace moldau::bench
