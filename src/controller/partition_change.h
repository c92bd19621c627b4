// One change of one partition: who leads it, who is in sync, where it lies. Decides the election and says it
// as a PartitionChangeRecord. (Kafka: PartitionChangeBuilder; KIP-966 for eligible leader replicas.)
//
// A replica may lead if it is acceptable (alive) and in the ISR; if the ISR is empty, in the eligible leader
// replicas (ELR: those that left the ISR while it was below min.insync.replicas, and lost nothing); if both
// are empty, it may be the last known leader (its log may be short: an unclean election), or, where the topic
// allows unclean elections, anybody acceptable.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "metadata/image.h"

namespace moldau::controller {

enum class Election : std::uint8_t { kOnline, kPreferred, kUnclean };

struct PartitionChange {
  const metadata::Partition& partition;
  Uuid topic_id;
  std::function<bool(BrokerId)> acceptable;  // as a leader
  std::int16_t metadata_version = 0;
  bool elr_enabled = false;
  std::int32_t min_insync_replicas = 1;
  Election election = Election::kOnline;
  std::vector<BrokerId> target_isr{};              // set from partition.isr if nothing is to change
  std::optional<std::vector<Uuid>> directories{};  // new ones
  std::vector<BrokerId> unclean_shutdown{};        // these may have lost data: in neither ISR nor ELR

  // The record, or nothing if nothing changes.
  std::optional<Bytes> record() const;
};

}  // namespace moldau::controller
