#include "env/random.h"

#include "base/bytes.h"

namespace moldau::env {

Uuid Random::uuid() {
  for (;;) {
    Uuid uuid;
    store_be(uuid.bytes.data(), next());
    store_be(uuid.bytes.data() + 8, next());
    uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0f) | 0x40);
    uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3f) | 0x80);
    if (uuid.to_string().front() != '-') return uuid;  // tools would take it for an option
  }
}

}  // namespace moldau::env
