// How a life of the broker ended: stopped; killed, with the page cache alive; with the power gone.
#pragma once

#include <cstdint>

namespace moldau::sim {

enum class Death : std::uint8_t { kClean, kKill, kPower };

}  // namespace moldau::sim
