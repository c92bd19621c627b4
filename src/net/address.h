// Addresses of the Internet Protocol, as connections are counted and printed by.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <vector>

#include "base/result.h"

namespace moldau::net {

// A host's address; IPv4 in its mapped form, so both families compare.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const IpAddress&) const = default;
  std::string to_string() const;  // "127.0.0.1", "::1"
  bool is_v4() const;
  static IpAddress any_v4();  // 0.0.0.0; a default one is IPv6's, ::
};

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
};

Endpoint endpoint_of(const sockaddr_storage& address);
// The addresses of a name or of a numeric address, IPv4 first (as Java orders them). May ask a name server.
Result<std::vector<IpAddress>> resolve(const std::string& host);

}  // namespace moldau::net

template <>
struct std::hash<moldau::net::IpAddress> {
  std::size_t operator()(const moldau::net::IpAddress& a) const noexcept {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(a.bytes.data()), a.bytes.size()});
  }
};
