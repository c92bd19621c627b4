#include "config/listeners.h"

#include <algorithm>

#include "config/definition.h"

namespace moldau::config {
namespace {

constexpr std::pair<std::string_view, SecurityProtocol> kProtocols[] = {
    {"PLAINTEXT", SecurityProtocol::kPlaintext},
    {"SSL", SecurityProtocol::kSsl},
    {"SASL_PLAINTEXT", SecurityProtocol::kSaslPlaintext},
    {"SASL_SSL", SecurityProtocol::kSaslSsl},
};

std::unexpected<Error> invalid(std::string message) { return fail(ErrorKind::kInvalid, std::move(message)); }

std::string all_of(std::span<const std::string> entries) { return join(entries, ","); }

bool host_letter(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("-%._:").contains(c);
}

// NAME://host:port, cut at "://" and at the last ':'.
struct Parts {
  std::string_view name, host, port;
};
std::optional<Parts> cut(std::string_view entry) {
  const auto slashes = entry.find("://");
  const auto colon = entry.rfind(':');
  if (slashes == std::string_view::npos || slashes == 0 || colon == slashes) return std::nullopt;
  Parts parts{entry.substr(0, slashes), entry.substr(slashes + 3, colon - slashes - 3),
              entry.substr(colon + 1)};
  const bool opens = parts.host.starts_with('['), closes = parts.host.ends_with(']');
  if (opens != closes) return std::nullopt;
  if (opens) parts.host = parts.host.substr(1, parts.host.size() - 2);
  if (!std::ranges::all_of(parts.host, host_letter)) return std::nullopt;
  return parts;
}

Result<Listener> parse_one(std::string_view entry, const ProtocolMap& map) {
  const auto parts = cut(entry);
  const auto port = parts ? parse_integer(parts->port) : std::nullopt;
  if (!port)
    return invalid("Unable to parse " + std::string(entry) +
                   " to a broker endpoint, expected NAME://host:port such as PLAINTEXT://127.0.0.1:9092");
  if (*port < 0 || *port > 65535)
    return invalid("the port in " + std::string(entry) + " must lie between 0 and 65535");
  if (parts->host.contains(':') && !is_ipv6(parts->host))
    return invalid("`" + std::string(parts->host) + "` in " + std::string(entry) +
                   " is neither a host name nor an IPv6 address");
  std::string name = upper(parts->name);
  const auto protocol = map.find(name);
  if (protocol == map.end())
    return invalid("No security protocol defined for listener " + name + " (add " + name +
                   ":PLAINTEXT or the like to listener.security.protocol.map)");
  return Listener{std::move(name), protocol->second, std::string(parts->host),
                  static_cast<std::uint16_t>(*port)};
}

bool ipv4_beside_ipv6(const Listener& a, const Listener& b) {
  return (is_ipv4(a.host) && is_ipv6(b.host)) || (is_ipv6(a.host) && is_ipv4(b.host));
}

// Kafka's rule for listeners that share a port.
Status check_ports(const std::vector<Listener>& listeners, const std::string& text) {
  std::map<std::uint16_t, std::vector<const Listener*>> by_port;
  for (const Listener& listener : listeners)
    if (listener.port != 0) by_port[listener.port].push_back(&listener);
  for (const auto& [port, sharing] : by_port) {
    if (sharing.size() < 2) continue;
    const bool addresses =
        std::ranges::all_of(sharing, [](const Listener* l) { return is_ipv4(l->host) || is_ipv6(l->host); });
    if (!addresses) return invalid("Each listener must have a different port, listeners: " + text);
    if (sharing.size() > 2)
      return invalid(
          "Each listener must have a different port unless exactly one listener has an IPv4 address and the "
          "other IPv6 address, listeners: " +
          text + ", port: " + std::to_string(port));
    if (!ipv4_beside_ipv6(*sharing[0], *sharing[1]))
      return invalid(
          "If you have two listeners on the same port then one needs to be IPv4 and the other IPv6, "
          "listeners: " +
          text + ", port: " + std::to_string(port));
  }
  return {};
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

void check_one(const Listener& advertised, const Listener* bound, AdvertisedCheck& result) {
  const std::string what = "advertised address " + advertised.to_string();
  if (advertised.host == "0.0.0.0")
    result.errors.push_back(
        "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.");
  else if (advertised.host == "::")
    result.warnings.push_back(
        what + " means every interface: no client can connect to it; use a name or an address");
  if (advertised.port == 0 && bound && bound->port != 0)
    result.warnings.push_back(what + " has port 0: no client can connect to it");
  if (bound && is_loopback(advertised.host) && !is_loopback(bound->host))
    result.warnings.push_back(what + " is this machine only, while " + bound->to_string() +
                              " accepts connections from others: clients elsewhere will not get through");
}

}  // namespace

std::string_view to_string(SecurityProtocol protocol) {
  for (const auto& [name, value] : kProtocols)
    if (value == protocol) return name;
  return "";
}

std::string Listener::to_string() const {
  return name + "://" + (host.contains(':') ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<ProtocolMap> parse_protocol_map(std::string_view text) {
  ProtocolMap map;
  for (const std::string& entry : split_list(text)) {
    const auto colon = entry.rfind(':');
    if (colon == std::string::npos)
      return invalid(
          "Error parsing configuration property 'listener.security.protocol.map': expected NAME:PROTOCOL, "
          "found `" +
          entry + "`");
    const std::string protocol(trim(std::string_view(entry).substr(colon + 1)));
    const auto known = std::ranges::find(kProtocols, protocol, [](const auto& p) { return p.first; });
    if (known == std::end(kProtocols))
      return invalid(
          "Invalid security protocol `" + protocol +
          "` defined in listener.security.protocol.map (known: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL)");
    map[upper(trim(std::string_view(entry).substr(0, colon)))] = known->second;
  }
  return map;
}

std::optional<std::string> listener_name(std::string_view entry) {
  const auto slashes = entry.find("://");
  return slashes == std::string_view::npos ? std::nullopt
                                           : std::optional(upper(trim(entry.substr(0, slashes))));
}

Result<std::vector<Listener>> parse_listeners(std::span<const std::string> entries, const ProtocolMap& map,
                                              Ports ports) {
  std::vector<Listener> listeners;
  for (const std::string& entry : entries) {
    if (entry.empty()) continue;
    auto listener = parse_one(entry, map);
    if (!listener)
      return invalid("Error creating broker listeners from '" + all_of(entries) +
                     "': " + listener.error().message);
    if (std::ranges::find(listeners, listener->name, &Listener::name) != listeners.end())
      return invalid("Each listener must have a different name, listeners: " + all_of(entries));
    listeners.push_back(*std::move(listener));
  }
  if (ports == Ports::kDistinct) TRY(check_ports(listeners, all_of(entries)));
  return listeners;
}

bool is_ipv4(std::string_view host) {
  int numbers = 0;
  while (numbers < 4) {
    const auto dot = host.find('.');
    const std::string_view part = host.substr(0, dot);
    const auto number = part.size() <= 3 && !part.starts_with('+') && !part.starts_with('-')
                            ? parse_integer(part)
                            : std::nullopt;
    if (!number || *number > 255) return false;
    ++numbers;
    if (dot == std::string_view::npos) return numbers == 4;
    host.remove_prefix(dot + 1);
  }
  return false;
}

bool is_ipv6(std::string_view host) {
  host = host.substr(0, host.find('%'));
  if (!host.contains(':')) return false;
  if (const auto tail = host.rfind(':'); host.substr(tail + 1).contains('.')) {
    if (!is_ipv4(host.substr(tail + 1))) return false;
    return is_ipv6(std::string(host.substr(0, tail + 1)) + "0:0");
  }
  int groups = 0;
  const auto gap = host.find("::");
  if (gap != std::string_view::npos && host.find("::", gap + 1) != std::string_view::npos) return false;
  for (std::size_t at = 0; at <= host.size();) {
    const std::string_view group = host.substr(at, host.find(':', at) - at);
    if (group.size() > 4 || group.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos)
      return false;
    const bool beside_gap = gap != std::string_view::npos &&
                            (at == gap + 1 || (at == 0 && gap == 0) || (at == host.size() && gap + 2 == at));
    if (group.empty() && !beside_gap) return false;
    groups += group.empty() ? 0 : 1;
    at += group.size() + 1;
  }
  return gap == std::string_view::npos ? groups == 8 : groups < 8;
}

bool is_wildcard(std::string_view host) { return host.empty() || host == "0.0.0.0" || host == "::"; }

AdvertisedCheck check_advertised(std::span<const Listener> listeners, std::span<const Listener> advertised) {
  AdvertisedCheck result;
  for (const Listener& one : advertised) {
    const auto bound = std::ranges::find(listeners, one.name, &Listener::name);
    check_one(one, bound == listeners.end() ? nullptr : &*bound, result);
    for (const Listener& other : advertised)
      if (&other < &one && other.host == one.host && other.port == one.port && one.port != 0 &&
          !one.host.empty())
        result.warnings.push_back("advertised addresses " + other.to_string() + " and " + one.to_string() +
                                  " are the same place: one of the two listeners cannot be reached");
  }
  return result;
}

}  // namespace moldau::config
