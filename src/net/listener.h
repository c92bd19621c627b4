// Sockets that listen, and what to say when they cannot.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/options.h"

namespace moldau::net {

// Owns the descriptor.
class Listener {
 public:
  Listener(int fd, ListenerSpec spec, BoundListener bound)
      : fd_(fd), spec_(std::move(spec)), bound_(std::move(bound)) {}
  ~Listener() { close(); }
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;

  int fd() const { return fd_; }
  const ListenerSpec& spec() const { return spec_; }
  const BoundListener& bound() const { return bound_; }
  bool is_wildcard() const { return is_wildcard_; }
  void close();

 private:
  friend Result<Listener> listen_on(const ListenerSpec& spec, const Options& options, bool v6_only);
  int fd_;
  ListenerSpec spec_;
  BoundListener bound_;
  bool is_wildcard_ = false;
};

// Listens on one address. Accepted sockets inherit what is set here: no Nagle, keep-alive, buffer sizes.
// kBusy: the port is used (and by whom, if that can be seen); kInvalid: host or port; kIo: the rest.
Result<Listener> listen_on(const ListenerSpec& spec, const Options& options, bool v6_only);

// All of them or none.
Result<std::vector<Listener>> listen_on_all(std::span<const ListenerSpec> specs, const Options& options);

}  // namespace moldau::net
