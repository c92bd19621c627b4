// Where a new topic's replicas go: striped over racks and brokers, starting at a random place.
//
// Each rack is a ring of its brokers with a moving start; racks are a ring, too. Partition after partition
// the next rack gives its next broker; alive ones come first, fenced ones only where the alive do not
// suffice. The first replica of a partition (its leader) is never fenced. With one rack this is round robin.
// (Kafka: StripedReplicaPlacer.)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "env/random.h"

namespace moldau::controller {

struct UsableBroker {
  BrokerId id;
  std::optional<std::string> rack;
  bool fenced = false;
};

// `partitions` lists of `replication_factor` different brokers, the preferred leader first.
// kInvalid, with Kafka's words for INVALID_REPLICATION_FACTOR: more replicas than brokers, or nobody alive.
Result<std::vector<std::vector<BrokerId>>> place(const std::vector<UsableBroker>& brokers,
                                                 std::int32_t partitions, std::int16_t replication_factor,
                                                 env::Random& random);

}  // namespace moldau::controller
