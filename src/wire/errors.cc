#include "wire/errors.h"

namespace moldau::wire {

// Generated; ordered by code, the first is -1.
extern const ErrorInfo kErrors[];
extern const std::int16_t kLastError;

const ErrorInfo& info(ErrorCode code) {
  const std::int16_t value = wire_value(code);
  return kErrors[value < 0 || value > kLastError ? 0 : value + 1];
}

}  // namespace moldau::wire
