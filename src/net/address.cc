#include "net/address.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>

namespace moldau::net {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

IpAddress mapped(const in_addr& v4) {
  IpAddress address = IpAddress::any_v4();
  std::memcpy(address.bytes.data() + kMappedPrefix.size(), &v4, sizeof v4);
  return address;
}

void add_of_family(int family, const addrinfo& found, std::vector<IpAddress>& addresses) {
  for (const addrinfo* info = &found; info != nullptr; info = info->ai_next) {
    if (info->ai_family != family) continue;
    sockaddr_storage storage{};
    std::memcpy(&storage, info->ai_addr, info->ai_addrlen);
    addresses.push_back(endpoint_of(storage).address);
  }
}

}  // namespace

IpAddress IpAddress::any_v4() {
  IpAddress address;
  std::ranges::copy(kMappedPrefix, address.bytes.begin());
  return address;
}

bool IpAddress::is_v4() const {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin());
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool v4 = is_v4();
  inet_ntop(v4 ? AF_INET : AF_INET6, bytes.data() + (v4 ? kMappedPrefix.size() : 0), text.data(),
            text.size());
  return text.data();
}

Endpoint endpoint_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof v4);
    return {mapped(v4.sin_addr), ntohs(v4.sin_port)};
  }
  sockaddr_in6 v6;
  std::memcpy(&v6, &address, sizeof v6);
  Endpoint endpoint{.address = {}, .port = ntohs(v6.sin6_port)};
  std::memcpy(endpoint.address.bytes.data(), &v6.sin6_addr, sizeof v6.sin6_addr);
  return endpoint;
}

Result<std::vector<IpAddress>> resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found); error != 0) {
    return fail(ErrorKind::kNotFound, "expected a host name or address, found '" + host +
                                          "', which cannot be resolved: " + gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  std::vector<IpAddress> addresses;
  for (const int family : {AF_INET, AF_INET6}) add_of_family(family, *found, addresses);
  return addresses;
}

}  // namespace moldau::net
