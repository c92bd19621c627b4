#include "net/connection_limits.h"

#include <utility>

#include "base/check.h"

namespace moldau::net {

Result<std::unordered_map<IpAddress, std::int32_t>> ConnectionLimits::resolve_overrides(
    const Options& options) {
  std::unordered_map<IpAddress, std::int32_t> resolved;
  for (const auto& [host, limit] : options.max_connections_per_ip_overrides) {
    auto addresses = resolve(host);
    if (!addresses) {
      return fail(addresses.error().kind, "max.connections.per.ip.overrides: " + addresses.error().message);
    }
    for (const IpAddress& address : *addresses) resolved[address] = limit;
  }
  return resolved;
}

ConnectionLimits::ConnectionLimits(const Options& options,
                                   std::unordered_map<IpAddress, std::int32_t> overrides,
                                   std::function<void()> room_again)
    : max_connections_(options.max_connections),
      max_per_ip_(options.max_connections_per_ip),
      overrides_(std::move(overrides)),
      room_again_(std::move(room_again)) {}

bool ConnectionLimits::has_room() {
  const std::lock_guard lock(mutex_);
  waited_for_ = total_ >= max_connections_;
  return !waited_for_;
}

bool ConnectionLimits::take(const IpAddress& address) {
  const std::lock_guard lock(mutex_);
  auto& count = of_ip_[address];
  if (count >= limit_of(address)) {
    ++refused_;
    if (count == 0) of_ip_.erase(address);
    return false;
  }
  ++count;
  ++total_;
  return true;
}

void ConnectionLimits::give_back(const IpAddress& address) {
  bool tell = false;
  {
    const std::lock_guard lock(mutex_);
    const auto found = of_ip_.find(address);
    CHECK(found != of_ip_.end() && total_ > 0);
    if (--found->second == 0) of_ip_.erase(found);
    --total_;
    if (total_ < max_connections_) tell = std::exchange(waited_for_, false);
  }
  if (tell) room_again_();
}

std::int32_t ConnectionLimits::limit_of(const IpAddress& address) const {
  const auto found = overrides_.find(address);
  return found != overrides_.end() ? found->second : max_per_ip_;
}

std::uint64_t ConnectionLimits::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

}  // namespace moldau::net
