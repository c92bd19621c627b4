#include "wire/api.h"

namespace moldau::wire {

extern const ApiInfo kApis[];  // generated
extern const std::int16_t kApiCount;

std::span<const ApiInfo> apis() { return {kApis, static_cast<std::size_t>(kApiCount)}; }

const ApiInfo* find_api(std::int16_t key) { return key >= 0 && key < kApiCount ? &kApis[key] : nullptr; }

}  // namespace moldau::wire
