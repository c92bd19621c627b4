#include "net/connection_limits.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace moldau::net {
Result<ConnectionLimits::Overrides> ConnectionLimits::resolve_overrides(const Options& options) {
  Overrides resolved;
  for (const auto& [host, limit] : options.max_connections_per_ip_overrides) {
    auto addresses = resolve(host);
    if (!addresses) {
      return fail(addresses.error().kind, "max.connections.per.ip.overrides: " + addresses.error().message);
    }
    for (const IpAddress& address : *addresses) resolved[address] = limit;
  }
  return resolved;
}

ConnectionLimits::ConnectionLimits(const Options& options, Overrides overrides,
                                   std::function<void()> room_again, std::function<void()> too_many)
    : room_again_(std::move(room_again)), too_many_(std::move(too_many)) {
  set(options, std::move(overrides));
}

void ConnectionLimits::set(const Options& options, Overrides overrides) {
  max_connections_ = options.max_connections;
  max_per_ip_ = options.max_connections_per_ip;
  overrides_ = std::move(overrides);
  const env::Duration sample = std::chrono::seconds(options.quota_window_size_seconds);
  rate_.set(options.max_connection_creation_rate, sample, options.quota_window_num);
  for (const auto& [name, limits] : options.listener_limits) {
    OfListener& listener = of_listener_[name];
    listener.max_connections = limits.max_connections;
    listener.rate.set(limits.max_connection_creation_rate, sample, options.quota_window_num);
  }
}

void ConnectionLimits::change(const Options& options, Overrides overrides) {
  bool tell = false;
  {
    const std::lock_guard lock(mutex_);
    set(options, std::move(overrides));
    tell = look_for_excess();
  }
  room_again_();
  if (tell) too_many_();
}

// Nobody waits for longer than one sample, as in Kafka: that is what a rate of 0 comes to.
void ConnectionLimits::Rate::set(std::int32_t per_second, env::Duration sample, std::int32_t samples) {
  per_second_ = per_second;
  each_ = per_second > 0 ? env::Duration(std::chrono::seconds(1)) / per_second : sample;
  window_ = sample * (std::max(samples, 1) - 1);
}

env::Duration ConnectionLimits::Rate::wait(env::Instant now) const {
  if (per_second_ == std::numeric_limits<std::int32_t>::max()) return {};
  return std::max(used_up_to_ - now - window_, env::Duration::zero());
}

void ConnectionLimits::Rate::count(env::Instant now) {
  if (per_second_ == std::numeric_limits<std::int32_t>::max()) return;
  used_up_to_ = std::max(used_up_to_, now) + each_;
}

ConnectionLimits::Admission ConnectionLimits::ask(const ListenerSpec& spec, env::Instant now) {
  const std::lock_guard lock(mutex_);
  const OfListener& listener = of_listener_[spec.name];
  const bool exempt = spec.exempt_from_max_connections;
  Admission may;
  may.full = listener.connections >= listener.max_connections || (!exempt && total_ >= max_connections_);
  waited_for_ |= may.full;
  may.wait = std::max(listener.rate.wait(now), exempt ? env::Duration::zero() : rate_.wait(now));
  return may;
}

bool ConnectionLimits::take(const ListenerSpec& spec, const IpAddress& address, env::Instant now) {
  bool tell = false;
  {
    const std::lock_guard lock(mutex_);
    if (!take_locked(spec, address, now)) return false;
    tell = look_for_excess();
  }
  if (tell) too_many_();
  return true;
}

bool ConnectionLimits::take_locked(const ListenerSpec& spec, const IpAddress& address, env::Instant now) {
  OfListener& listener = of_listener_[spec.name];
  listener.rate.count(now);
  if (!spec.exempt_from_max_connections) rate_.count(now);
  auto& count = of_ip_[address];
  if (count >= limit_locked(address)) {
    ++refused_;
    if (count == 0) of_ip_.erase(address);
    return false;
  }
  ++count;
  ++total_;
  listener.exempt = spec.exempt_from_max_connections;
  if (!listener.exempt) ++bound_;
  ++listener.connections;
  return true;
}

void ConnectionLimits::give_back(const std::string& listener, const IpAddress& address, bool claimed) {
  bool tell = false;
  {
    const std::lock_guard lock(mutex_);
    const auto found = of_ip_.find(address);
    CHECK(found != of_ip_.end() && total_ > 0);
    if (--found->second == 0) of_ip_.erase(found);
    --total_;
    if (claimed) --being_closed_;  // at once, or another loop's claim would count it twice
    OfListener& of = of_listener_[listener];
    --of.connections;
    if (!of.exempt) --bound_;
    tell = std::exchange(waited_for_, false);  // who still finds no room says so again
  }
  if (tell) room_again_();
}

bool ConnectionLimits::has_excess() {
  const std::lock_guard lock(mutex_);
  return look_for_excess();
}

bool ConnectionLimits::look_for_excess() {
  to_close_ = std::clamp<std::int64_t>(total_ - being_closed_ - max_connections_, 0, bound_);
  of_ = bound_;
  return to_close_ > 0;
}

std::int64_t ConnectionLimits::claim_excess(std::int64_t mine) {
  const std::lock_guard lock(mutex_);
  const std::int64_t left = total_ - being_closed_ - max_connections_;
  if (left <= 0 || to_close_ == 0) return 0;
  const std::int64_t claimed = std::min({left, mine, (to_close_ * mine + of_ - 1) / of_});
  being_closed_ += claimed;
  return claimed;
}

std::int32_t ConnectionLimits::limit_locked(const IpAddress& address) const {
  const auto found = overrides_.find(address);
  return found != overrides_.end() ? found->second : max_per_ip_;
}

std::int32_t ConnectionLimits::limit_of(const IpAddress& address) const {
  const std::lock_guard lock(mutex_);
  return limit_locked(address);
}

std::uint64_t ConnectionLimits::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

}  // namespace moldau::net
