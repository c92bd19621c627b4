#include "net/listener.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "net/address.h"
#include "net/port_owner.h"

namespace moldau::net {
namespace {

struct Target {
  sockaddr_storage address{};
  socklen_t size = 0;
};

Target target_of(const IpAddress& address, std::uint16_t port) {
  Target target;
  if (address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.bytes.data() + 12, 4);
    std::memcpy(&target.address, &v4, target.size = sizeof v4);
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, address.bytes.data(), 16);
    std::memcpy(&target.address, &v6, target.size = sizeof v6);
  }
  return target;
}

std::string hint(int error, const ListenerSpec& spec) {
  switch (error) {
    case EADDRINUSE: {
      const std::string owner = port_owner(spec.port);
      return "; the port is used by " + (owner.empty() ? "another process" : owner);
    }
    case EACCES:
      return "; ports below 1024 need privileges (CAP_NET_BIND_SERVICE)";
    case EADDRNOTAVAIL:
      return "; this machine has no such address (listeners names where to listen, advertised.listeners what "
             "clients are told)";
    default:
      return {};
  }
}

Error cannot_listen(const ListenerSpec& spec, int error) {
  const ErrorKind kind = error == EADDRINUSE                         ? ErrorKind::kBusy
                         : error == EACCES || error == EADDRNOTAVAIL ? ErrorKind::kInvalid
                                                                     : ErrorKind::kIo;
  return {kind, "listener " + spec.name + " cannot listen on " + (spec.host.empty() ? "*" : spec.host) + ":" +
                    std::to_string(spec.port) + ": " + std::strerror(error) + hint(error, spec)};
}

void set(int fd, int level, int name, int value) { setsockopt(fd, level, name, &value, sizeof value); }

void configure(int fd, const Options& options, bool v4, bool v6_only) {
  set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (!v4) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6_only ? 1 : 0);
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (options.socket_send_buffer_bytes >= 0) set(fd, SOL_SOCKET, SO_SNDBUF, options.socket_send_buffer_bytes);
  if (options.socket_receive_buffer_bytes >= 0)
    set(fd, SOL_SOCKET, SO_RCVBUF, options.socket_receive_buffer_bytes);
}

// A listening descriptor, or the errno.
std::expected<int, int> open_socket(const IpAddress& address, const ListenerSpec& spec,
                                    const Options& options, bool v6_only) {
  const bool v4 = address.is_v4();
  const int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::unexpected(errno);
  configure(fd, options, v4, v6_only);
  const Target target = target_of(address, spec.port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&target.address), target.size) != 0 ||
      listen(fd, options.socket_listen_backlog_size) != 0) {
    const int error = errno;
    ::close(fd);
    return std::unexpected(error);
  }
  return fd;
}

Endpoint local_endpoint(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return endpoint_of(address);
}

bool is_v4_host(const std::string& host) { return !host.empty() && host.find(':') == std::string::npos; }

}  // namespace

Listener::Listener(Listener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      spec_(std::move(other.spec_)),
      bound_(std::move(other.bound_)),
      is_wildcard_(other.is_wildcard_) {}

void Listener::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Result<Listener> listen_on(const ListenerSpec& spec, const Options& options, bool v6_only) {
  IpAddress address;  // ::
  if (!spec.host.empty()) {
    auto found = resolve(spec.host);
    if (!found) return fail(ErrorKind::kInvalid, "listener " + spec.name + ": " + found.error().message);
    address = found->front();
  }
  auto fd = open_socket(address, spec, options, v6_only);
  if (!fd && spec.host.empty() && (fd.error() == EAFNOSUPPORT || fd.error() == EADDRNOTAVAIL)) {
    address = IpAddress::any_v4();  // a machine without IPv6
    fd = open_socket(address, spec, options, false);
  }
  if (!fd) return std::unexpected(cannot_listen(spec, fd.error()));
  const Endpoint local = local_endpoint(*fd);
  Listener listener(*fd, spec, {spec.name, local.address.to_string(), local.port});
  listener.is_wildcard_ = address == IpAddress() || address == IpAddress::any_v4();
  return listener;
}

Result<std::vector<Listener>> listen_on_all(std::span<const ListenerSpec> specs, const Options& options) {
  std::vector<Listener> listeners;
  for (const ListenerSpec& spec : specs) {
    // An IPv6 wildcard takes IPv4 too, unless another listener has that port for IPv4 (KIP-797).
    const bool v6_only = std::ranges::any_of(
        specs, [&](const ListenerSpec& other) { return is_v4_host(other.host) && other.port == spec.port; });
    auto listener = listen_on(spec, options, v6_only);
    if (!listener) return std::unexpected(listener.error());
    listeners.push_back(std::move(*listener));
  }
  return listeners;
}

}  // namespace moldau::net
