#include "net/acceptor.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <utility>

#include "base/check.h"

namespace moldau::net {
namespace {

constexpr int kAcceptedPerTurn = 64;
constexpr std::uint64_t kScarce = 16;  // more than other loops may accept between two of ours
constexpr env::Duration kRetryAfter = std::chrono::milliseconds(100);

}  // namespace

Acceptor::Acceptor(Listener listener, Worker& home, const Workers& workers, ConnectionLimits& limits,
                   std::atomic<std::uint64_t>& next_id, std::uint64_t descriptors)
    : listener_(std::move(listener)),
      home_(home),
      workers_(workers),
      limits_(limits),
      next_id_(next_id),
      descriptors_(descriptors),
      room_nudge_(home.loop(), [this] { resume(); }) {}

void Acceptor::start() {
  const bool watched = home_.loop().watch(listener_.fd(), EPOLLIN, *this);
  CHECK(watched, "the system's limit of watched descriptors is reached (fs.epoll.max_user_watches)");
}

void Acceptor::stop() {
  stopped_ = true;
  home_.loop().cancel(*this);
  listener_.close();
}

void Acceptor::ready(std::uint32_t) {
  for (int i = 0; i < kAcceptedPerTurn && !stopped_ && !paused_; ++i) {
    if (!accept_one()) return;
  }
}

bool Acceptor::may_accept() {
  const env::Instant now = home_.loop().now();
  const ConnectionLimits::Admission may = limits_.ask(listener_.spec(), now);
  if (!may.full && may.wait <= env::Duration::zero()) return true;
  pause();
  if (!may.full) home_.loop().schedule(*this, now + may.wait);
  return false;
}

// The system gives the lowest free number. So one near the bound says how many are in use; only then is one
// taken for a try before each connection.
bool Acceptor::descriptors_left() {
  if (!scarce_) return true;
  const int next = ::fcntl(listener_.fd(), F_DUPFD_CLOEXEC, 0);
  if (next < 0) return false;
  ::close(next);
  return static_cast<std::uint64_t>(next) < descriptors_;
}

bool Acceptor::accept_one() {
  if (!may_accept()) return false;
  if (!descriptors_left()) return !out_of_resources(EMFILE);
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  const int fd =
      accept4(listener_.fd(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    scarce_ = static_cast<std::uint64_t>(fd) + kScarce >= descriptors_;
    if (std::exchange(told_, false)) {
      home_.log(LogLevel::kInfo, "Accepting connections on listener " + listener_.spec().name + " again");
    }
    hand_over(fd, peer);
    return true;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
  if (errno == EINTR || errno == ECONNABORTED) return true;
  return !out_of_resources(errno);
}

// Most often EMFILE or ENFILE; waiting is right for whatever else there is (ENOBUFS, ENOMEM, EPERM).
bool Acceptor::out_of_resources(int error) {
  if (!std::exchange(told_, true)) {
    home_.log(LogLevel::kError, "Cannot accept connections on listener " + listener_.spec().name + ": " +
                                    std::strerror(error) +
                                    " (raise the limit of open files, ulimit -n); retrying until it works");
  }
  pause();
  home_.loop().schedule(*this, home_.loop().now() + kRetryAfter);
  return true;
}

void Acceptor::hand_over(int fd, const sockaddr_storage& peer) {
  const Endpoint from = endpoint_of(peer);
  if (!limits_.take(listener_.spec(), from.address, home_.loop().now())) {
    home_.log(LogLevel::kInfo, "Refused a connection from /" + from.address.to_string() + " on listener " +
                                   listener_.spec().name + ": it has as many as it may have, " +
                                   std::to_string(limits_.limit_of(from.address)) +
                                   " (max.connections.per.ip)");
    ::close(fd);
    return;
  }
  Accepted accepted{
      .fd = fd, .info = {}, .address = from.address, .exempt = listener_.spec().exempt_from_max_connections};
  accepted.info.id = next_id_.fetch_add(1, std::memory_order_relaxed);
  accepted.info.listener = listener_.spec().name;
  accepted.info.client_host = "/" + from.address.to_string();
  accepted.info.client_port = from.port;
  accepted.info.local_address = listener_.bound().address;
  accepted.info.local_port = listener_.bound().port;
  if (listener_.is_wildcard()) {
    sockaddr_storage local{};
    socklen_t size = sizeof local;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) == 0) {
      accepted.info.local_address = endpoint_of(local).address.to_string();
    }
  }
  choose().adopt(std::move(accepted));
}

Worker& Acceptor::choose() const {
  Worker* best = &home_;
  for (const auto& worker : workers_) {
    if (worker->load() < best->load()) best = worker.get();
  }
  return *best;
}

void Acceptor::pause() {
  if (std::exchange(paused_, true)) return;
  home_.loop().change(listener_.fd(), 0, *this);
}

void Acceptor::resume() {
  if (stopped_ || !std::exchange(paused_, false)) return;
  home_.loop().change(listener_.fd(), EPOLLIN, *this);
}

}  // namespace moldau::net
