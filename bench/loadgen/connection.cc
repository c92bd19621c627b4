#include "loadgen/connection.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/tcp.h>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace moldau::bench {
namespace {

constexpr std::size_t kMaxVectors = 64;
constexpr std::size_t kReadBytes = 64 << 10;
constexpr int kReplyTimeoutMs = 60'000;

Error socket_error(const char* what) {
  return {ErrorKind::kIo, std::string(what) + ": " + std::strerror(errno)};
}

}  // namespace

Result<Connection> Connection::start(const Address& address) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(address.port));
  if (inet_pton(AF_INET, address.host.c_str(), &to.sin_addr) != 1)
    return fail(ErrorKind::kInvalid, "expected an IPv4 address, found '" + address.host + "'");
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::unexpected(socket_error("cannot open a socket"));
  Connection connection(fd);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS)
    return std::unexpected(socket_error("cannot connect"));
  return connection;
}

Connection::Connection(Connection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      output_(std::move(other.output_)),
      front_sent_(other.front_sent_),
      queued_bytes_(other.queued_bytes_),
      input_(std::move(other.input_)),
      begin_(other.begin_),
      end_(other.end_) {}

Connection::~Connection() {
  if (fd_ >= 0) close(fd_);
}

void Connection::push(ByteView view) {
  if (view.empty()) return;
  output_.push_back({view, {}});
  queued_bytes_ += view.size();
}

void Connection::send(const Frame& frame) {
  std::size_t from = 0;
  for (const std::size_t cut : frame.cuts) {
    push(ByteView(frame.text).subspan(from, cut - from));
    push(frame.batch);
    from = cut;
  }
  push(ByteView(frame.text).subspan(from));
}

void Connection::send(Bytes frame) {
  const ByteView view = frame;  // a moved vector keeps its buffer
  queued_bytes_ += view.size();
  output_.push_back({view, std::move(frame)});
}

std::size_t Connection::gather(iovec* vectors, std::size_t limit) const {
  std::size_t count = 0;
  std::size_t skip = front_sent_;
  for (const Piece& piece : output_) {
    if (count == limit) break;
    const ByteView rest = piece.view.subspan(std::exchange(skip, 0));
    vectors[count++] = {const_cast<std::uint8_t*>(rest.data()), rest.size()};
  }
  return count;
}

void Connection::drop_sent(std::size_t bytes) {
  queued_bytes_ -= bytes;
  bytes += front_sent_;
  while (!output_.empty() && bytes >= output_.front().view.size()) {
    bytes -= output_.front().view.size();
    output_.pop_front();
  }
  front_sent_ = bytes;
}

Status Connection::flush() {
  while (!output_.empty()) {
    std::array<iovec, kMaxVectors> vectors;
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = gather(vectors.data(), vectors.size());
    const ssize_t sent = sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) return {};
    if (sent < 0) return std::unexpected(socket_error("cannot send"));
    drop_sent(static_cast<std::size_t>(sent));
  }
  return {};
}

Status Connection::read_some() {
  if (input_.size() - end_ < kReadBytes / 2) {
    if (end_ > begin_) std::memmove(input_.data(), input_.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
    std::size_t wanted = end_ + kReadBytes;
    if (end_ >= 4)
      wanted = std::max(wanted, std::size_t{4} + load_be<std::uint32_t>(input_.data()) + kReadBytes);
    if (wanted > input_.size()) input_.resize(wanted);
  }
  const ssize_t got = recv(fd_, input_.data() + end_, input_.size() - end_, 0);
  if (got == 0) return fail(ErrorKind::kIo, "the broker closed the connection");
  if (got < 0 && errno != EAGAIN) return std::unexpected(socket_error("cannot receive"));
  if (got > 0) end_ += static_cast<std::size_t>(got);
  return {};
}

Result<ByteView> Connection::next_frame() {
  if (end_ - begin_ < 4) return ByteView{};
  const auto size = load_be<std::int32_t>(input_.data() + begin_);
  if (size < 4)
    return fail(ErrorKind::kCorrupt, "expected a reply of at least 4 bytes, found " + std::to_string(size));
  const std::size_t whole = 4 + static_cast<std::size_t>(size);
  if (end_ - begin_ < whole) return ByteView{};
  const ByteView frame(input_.data() + begin_ + 4, static_cast<std::size_t>(size));
  begin_ += whole;
  return frame;
}

Result<BlockingClient> BlockingClient::connect(const Address& address) {
  TRY_ASSIGN(connection, Connection::start(address));
  return BlockingClient(std::move(connection));
}

Result<Bytes> BlockingClient::call(Bytes request) {
  connection_.send(std::move(request));
  std::optional<Bytes> reply;
  while (!reply) {
    pollfd wait{connection_.fd(), static_cast<short>(connection_.has_output() ? POLLIN | POLLOUT : POLLIN),
                0};
    if (poll(&wait, 1, kReplyTimeoutMs) == 0)
      return fail(ErrorKind::kIo, "expected a reply within 60 s, found none");
    TRY(connection_.flush());
    TRY(connection_.receive([&](ByteView frame) { reply = Bytes(frame.begin(), frame.end()); }));
  }
  return std::move(*reply);
}

}  // namespace moldau::bench
