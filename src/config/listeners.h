// Where a node listens and what it tells others: the values of `listeners`, `advertised.listeners` and
// `listener.security.protocol.map` (Kafka's SocketServerConfigs, CoreUtils.listenerListToEndPoints). Pure
// functions.
//
//   listeners = NAME://host:port, …      host: empty = every interface; IPv6 in brackets; port 0 = any free
//   one
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace moldau::config {

// Numbers as in broker registrations (SecurityProtocol of Kafka).
enum class SecurityProtocol : std::int16_t { kPlaintext = 0, kSsl = 1, kSaslPlaintext = 2, kSaslSsl = 3 };

std::string_view to_string(SecurityProtocol protocol);

struct Listener {
  std::string name;  // upper case
  SecurityProtocol protocol = SecurityProtocol::kPlaintext;
  std::string host;  // without brackets; empty = every interface
  std::uint16_t port = 0;

  bool operator==(const Listener&) const = default;
  std::string to_string() const;  // PLAINTEXT://[::1]:9092
};

using ProtocolMap = std::map<std::string, SecurityProtocol, std::less<>>;

// "CLIENT:SASL_SSL,REPLICATION:PLAINTEXT"; names are made upper case.
Result<ProtocolMap> parse_protocol_map(std::string_view text);

// `ports` kDistinct: no two on one port, unless one is an IPv4 and the other an IPv6 address (KIP-797).
enum class Ports { kDistinct, kMayRepeat };
Result<std::vector<Listener>> parse_listeners(std::span<const std::string> entries, const ProtocolMap& map,
                                              Ports ports);

// The name alone, upper case: "client://:9092" → "CLIENT"; nullopt without "://".
std::optional<std::string> listener_name(std::string_view entry);

bool is_ipv4(std::string_view host);
bool is_ipv6(std::string_view host);      // without brackets; a zone (%eth0) is allowed
bool is_wildcard(std::string_view host);  // empty, 0.0.0.0, ::

struct AdvertisedCheck {
  std::vector<std::string> errors;    // Kafka refuses to start with these
  std::vector<std::string> warnings;  // clients that follow such an address will not arrive
};
// What is wrong with `advertised`, seen from `listeners`. Both without the controller's.
AdvertisedCheck check_advertised(std::span<const Listener> listeners, std::span<const Listener> advertised);

}  // namespace moldau::config
