// How fast partitions move between log directories, all of them together: replica.alter.log.dirs.io.max.bytes
// .per.second. What is copied becomes a debt that shrinks with time; while it is a second's worth, nothing
// more is copied. A new rate holds at once, for what is owed as well. Any thread. (Kafka: the alterLogDirs
// ReplicationQuotaManager.)
#pragma once

#include <cstdint>
#include <limits>

#include "env/clock.h"
#include "env/serial.h"

namespace moldau::replica {

class MoveThrottle {
 public:
  static constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

  // Bytes a second; 0: nothing moves.
  void set_rate(std::int64_t bytes_per_second, env::Instant now);
  // How many bytes may be copied now; one batch more is no harm.
  std::uint64_t room(env::Instant now);
  void copied(std::uint64_t bytes, env::Instant now);

 private:
  struct State {
    std::int64_t rate = kUnlimited;
    double debt = 0;  // bytes
    env::Instant since{};

    void pay(env::Instant now);
  };
  env::Serial<State> state_;
};

}  // namespace moldau::replica
