// Strong ids: numbers that cannot be mixed up. Offset - Offset is a count, Offset + Offset does not compile.
// All are trivially copyable values; any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace moldau {

// An identifier of one kind (Tag) held in Rep. No arithmetic, only order.
template <typename Tag, typename Rep>
struct Id {
  Rep value{};

  constexpr Id() = default;
  constexpr explicit Id(Rep v) : value(v) {}
  constexpr auto operator<=>(const Id&) const = default;
};

using BrokerId = Id<struct BrokerIdTag, std::int32_t>;
using PartitionIndex = Id<struct PartitionIndexTag, std::int32_t>;
using LeaderEpoch = Id<struct LeaderEpochTag, std::int32_t>;
using ProducerId = Id<struct ProducerIdTag, std::int64_t>;
using ProducerEpoch = Id<struct ProducerEpochTag, std::int16_t>;

inline constexpr BrokerId kNoBroker{-1};
inline constexpr LeaderEpoch kNoLeaderEpoch{-1};
inline constexpr ProducerId kNoProducerId{-1};
inline constexpr ProducerEpoch kNoProducerEpoch{-1};

// A position in a partition's log: the number of a record, from 0.
struct Offset {
  std::int64_t value{};

  constexpr Offset() = default;
  constexpr explicit Offset(std::int64_t v) : value(v) {}
  constexpr auto operator<=>(const Offset&) const = default;

  constexpr Offset& operator+=(std::int64_t count) { return value += count, *this; }
  friend constexpr Offset operator+(Offset o, std::int64_t count) { return Offset{o.value + count}; }
  friend constexpr Offset operator-(Offset o, std::int64_t count) { return Offset{o.value - count}; }
  friend constexpr std::int64_t operator-(Offset a, Offset b) { return a.value - b.value; }
};

inline constexpr Offset kNoOffset{-1};

}  // namespace moldau

template <typename Tag, typename Rep>
struct std::hash<moldau::Id<Tag, Rep>> {
  std::size_t operator()(moldau::Id<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value); }
};
template <>
struct std::hash<moldau::Offset> {
  std::size_t operator()(moldau::Offset o) const noexcept { return std::hash<std::int64_t>{}(o.value); }
};
