// Producer ids for idempotent producers, from blocks of 1,000 that the controller has set aside durably, so
// that an id is never given twice, whatever dies. (Kafka: RPCProducerIdManager.) Any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "env/serial.h"

namespace moldau::broker {

class ProducerIds {
 public:
  // The next id, or nothing if the block is used up: allocate another one and refill().
  std::optional<std::int64_t> take() {
    return block_.with([](Block& b) -> std::optional<std::int64_t> {
      if (b.next >= b.end) return std::nullopt;
      return b.next++;
    });
  }
  // Ids of a block that is replaced before it is used up are lost, which harms nobody.
  void refill(std::int64_t first, std::int32_t count) {
    block_.with([&](Block& b) { b = {first, first + count}; });
  }

 private:
  struct Block {
    std::int64_t next = 0, end = 0;
  };
  env::Serial<Block> block_;
};

}  // namespace moldau::broker
