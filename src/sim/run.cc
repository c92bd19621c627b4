#include "sim/run.h"

#include "sim/scenario.h"
#include "sim/world.h"

namespace moldau::sim {

Report run_seed(std::uint64_t seed, bool tracing) {
  World world(seed, tracing);
  {
    Scenario scenario(world);
    scenario.run();
  }
  return {.why = world.violation().value_or(""),
          .trace = world.trace(),
          .events = world.events.happened(),
          .records_acked = world.ledger.records_acked(),
          .records_observed = world.ledger.records_observed(),
          .lives = world.machine.lives(),
          .taken = world.ledger.partitions_taken(),
          .cold_reads = world.disk.counters().would_block};
}

}  // namespace moldau::sim
