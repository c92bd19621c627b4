// max.connections, max.connections.per.ip and its overrides, max.connection.creation.rate, and what of them
// is set for one listener: who may come in, and when. As Kafka does it (ConnectionQuotas, KIP-402, KIP-612):
// a full broker or listener leaves newcomers in the listen queue until somebody goes, one whose rate is used
// up until it is not; too many of one address are let in and put out at once. The listener that brokers use
// among themselves, if there are others, is bound by its own limits only. When there are more than
// max.connections, because that has become smaller or because a broker came in, connections of other
// listeners are closed; a smaller limit of a listener closes none.
//
// A rate is an average over a window of quota.window.num - 1 times quota.window.size.seconds: after a quiet
// time, a window's worth of connections come in at once.
//
// Any thread; asked once or twice a connection.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/result.h"
#include "env/clock.h"
#include "net/address.h"
#include "net/options.h"

namespace moldau::net {

class ConnectionLimits {
 public:
  using Overrides = std::unordered_map<IpAddress, std::int32_t>;

  // Resolves the hosts of the overrides. `room_again`: called, on the thread that gave back or changed, when
  // there may be room again after ask() said full, and at every change. `too_many`: likewise, when there may
  // be more than max.connections.
  static Result<Overrides> resolve_overrides(const Options& options);
  ConnectionLimits(const Options& options, Overrides overrides, std::function<void()> room_again,
                   std::function<void()> too_many);

  void change(const Options& options, Overrides overrides);

  struct Admission {
    bool full = false;     // until room_again
    env::Duration wait{};  // until the rate allows the next
  };
  Admission ask(const ListenerSpec& listener, env::Instant now);
  // Counts one more. False: `address` has as many as it may have; counted in the rate only.
  bool take(const ListenerSpec& listener, const IpAddress& address, env::Instant now);
  // `claimed`: it was closed as one of claim_excess().
  void give_back(const std::string& listener, const IpAddress& address, bool claimed = false);

  // Whether there are more than max.connections, and some of them to be closed.
  bool has_excess();
  // A loop's part of them, that has `mine` connections on listeners that are bound; it gives them back as
  // claimed ones. Each loop takes part once after has_excess() or too_many.
  std::int64_t claim_excess(std::int64_t mine);

  std::int32_t limit_of(const IpAddress& address) const;
  std::uint64_t refused() const;

 private:
  // Events at `per_second` on average: each moves `used_up_to_` on by its share; that may run ahead of now by
  // the length of the window.
  class Rate {
   public:
    void set(std::int32_t per_second, env::Duration sample, std::int32_t samples);
    env::Duration wait(env::Instant now) const;
    void count(env::Instant now);

   private:
    std::int32_t per_second_ = std::numeric_limits<std::int32_t>::max();
    env::Duration each_{}, window_{};
    env::Instant used_up_to_{};
  };
  struct OfListener {
    std::int32_t max_connections = std::numeric_limits<std::int32_t>::max();
    std::int32_t connections = 0;
    bool exempt = false;
    Rate rate;
  };

  void set(const Options& options, Overrides overrides);
  bool look_for_excess();
  bool take_locked(const ListenerSpec& listener, const IpAddress& address, env::Instant now);
  std::int32_t limit_locked(const IpAddress& address) const;

  const std::function<void()> room_again_, too_many_;
  mutable std::mutex mutex_;
  std::int32_t max_connections_ = 0;
  std::int32_t max_per_ip_ = 0;
  Overrides overrides_;
  Rate rate_;
  std::unordered_map<std::string, OfListener> of_listener_;
  std::unordered_map<IpAddress, std::int32_t> of_ip_;
  std::int64_t total_ = 0;
  std::int64_t bound_ = 0;              // of them, on listeners that are not exempt
  std::int64_t being_closed_ = 0;       // of them, for being too many
  std::int64_t to_close_ = 0, of_ = 0;  // how many when it was last asked, and of how many
  std::uint64_t refused_ = 0;
  bool waited_for_ = false;
};

}  // namespace moldau::net
