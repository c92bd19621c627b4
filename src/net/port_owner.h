// Who listens on a port of this machine, for error messages. Linux: /proc.
#pragma once

#include <cstdint>
#include <string>

namespace moldau::net {

// "process 4711 (java)"; empty if it cannot be seen (another user's process, no /proc).
std::string port_owner(std::uint16_t port);

}  // namespace moldau::net
