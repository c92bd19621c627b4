// Kafka's Uuid: 16 bytes, written as 22 characters of base64url without padding
// (org.apache.kafka.common.Uuid).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace moldau {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  constexpr auto operator<=>(const Uuid&) const = default;
  bool is_zero() const { return *this == Uuid{}; }

  std::string to_string() const;
  // nullopt unless `text` is 22 characters of base64url.
  static std::optional<Uuid> parse(std::string_view text);
};

}  // namespace moldau

template <>
struct std::hash<moldau::Uuid> {
  std::size_t operator()(const moldau::Uuid& u) const noexcept {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(u.bytes.data()), u.bytes.size()});
  }
};
