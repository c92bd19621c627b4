// max.connections, max.connections.per.ip and its overrides: who may come in. As Kafka does it
// (ConnectionQuotas): a full broker leaves newcomers in the listen queue until somebody goes; too many of one
// address are let in and put out at once. Any thread; asked once a connection.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <unordered_map>

#include "base/result.h"
#include "net/address.h"
#include "net/options.h"

namespace moldau::net {

class ConnectionLimits {
 public:
  // Resolves the hosts of the overrides. `room_again`: called, on the thread that gave back, when there is
  // room again after has_room() said no.
  static Result<std::unordered_map<IpAddress, std::int32_t>> resolve_overrides(const Options& options);
  ConnectionLimits(const Options& options, std::unordered_map<IpAddress, std::int32_t> overrides,
                   std::function<void()> room_again);

  bool has_room();
  // Counts one more. False: `address` has as many as it may have; not counted.
  bool take(const IpAddress& address);
  void give_back(const IpAddress& address);

  std::int32_t limit_of(const IpAddress& address) const;
  std::uint64_t refused() const;

 private:
  const std::int32_t max_connections_;
  const std::int32_t max_per_ip_;
  const std::unordered_map<IpAddress, std::int32_t> overrides_;
  const std::function<void()> room_again_;
  mutable std::mutex mutex_;
  std::unordered_map<IpAddress, std::int32_t> of_ip_;
  std::int64_t total_ = 0;
  std::uint64_t refused_ = 0;
  bool waited_for_ = false;
};

}  // namespace moldau::net
