#include <chrono>

#include "os/filesystem.h"

namespace moldau::os {

env::Instant Clock::now() const {
  return {std::chrono::duration_cast<env::Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

std::int64_t Clock::wall_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace moldau::os
