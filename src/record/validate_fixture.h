// For tests of validate.h: its one call, and its verdict as the golden files tell it.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "record/validate.h"

namespace moldau::record::test {

inline constexpr std::int64_t kHour = 3'600'000;  // message.timestamp.after.max.ms in 4.x

inline std::expected<Accepted, Rejection> validate(MutableBytes in, const ProduceRules& rules) {
  Workbench bench;
  return validate_produce(in, rules, bench);
}

// NONE, or the error's name and the rejected records.
inline std::string verdict(Bytes in, const ProduceRules& rules) {
  const auto result = validate(in, rules);
  if (result) return "NONE";
  std::string text(wire::name(result.error().code));
  for (const RecordError& record : result.error().records) text += " record " + std::to_string(record.index);
  return text;
}

}  // namespace moldau::record::test
