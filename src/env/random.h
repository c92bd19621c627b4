// The only source of randomness of the core: seeded in tests, the operating system's in the server.
// Owned by one thread; each loop has its own.
#pragma once

#include <cstdint>

#include "base/uuid.h"

namespace moldau::env {

class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;  // 64 uniform bits

  // Uniform in [0, bound). REQUIRES: bound > 0.
  std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }
  // A random (version 4) uuid that is neither of Kafka's reserved ones nor starts with '-' in text
  // (org.apache.kafka.common.Uuid#randomUuid).
  Uuid uuid();
};

}  // namespace moldau::env
