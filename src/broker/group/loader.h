// Loads the machine of a group coordinator from its partition of __consumer_offsets: every record once, in
// order, those of transactions when the log has told how they ended. Blocks on the disk: background work.
// (Kafka: CoordinatorLoaderImpl.)
#pragma once

#include <cstdint>

#include "base/result.h"
#include "env/event_log.h"
#include "group/machine.h"
#include "replica/partition.h"

namespace moldau::broker {

struct GroupLoad {
  std::uint64_t records = 0, bytes = 0;
  std::uint64_t unreadable = 0;  // skipped, and told of
};

// A record that this release cannot read is skipped with a line in the log; an Error is the disk's, or a
// batch that is damaged.
Result<GroupLoad> load_groups(group::Machine& machine, replica::SharedPartition& partition,
                              env::EventLog& events);

}  // namespace moldau::broker
