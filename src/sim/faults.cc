#include "sim/faults.h"

#include <algorithm>

namespace moldau::sim {
namespace {

constexpr KnownFault kFaults[] = {
    {Fault::kAckBeforeAppend, "ack-before-append", 100},
    {Fault::kAckBeforeSync, "ack-before-sync", 100},
    {Fault::kSkipCrc, "skip-crc", 100},
    {Fault::kForgetEpoch, "forget-epoch", 100},
    {Fault::kKeepTornTail, "keep-torn-tail", 100},
    {Fault::kEdgeOffByOne, "edge-off-by-one", 100},
    {Fault::kReuseSequence, "reuse-sequence", 100},
    {Fault::kWrongDuplicateOffset, "wrong-duplicate-offset", 100},
    {Fault::kLoseLastAtRoll, "lose-last-at-roll", 100},
    {Fault::kHighWatermarkTooFar, "high-watermark-too-far", 100},
    {Fault::kDeliverUncommitted, "deliver-uncommitted", 100},
    {Fault::kForgetProducers, "forget-producers", 100},
    {Fault::kLyingRecoveryPoint, "lying-recovery-point", 100},
    {Fault::kSkipMetadataSync, "skip-metadata-sync", 100},
    {Fault::kIndexOffByOne, "index-off-by-one", 100},
    {Fault::kLostWakeUp, "lost-wake-up", 100},
    {Fault::kWrongSlotOrder, "wrong-slot-order", 100},
    {Fault::kDeleteTooMuch, "delete-too-much", 100},
    {Fault::kCloseLosesTail, "close-loses-tail", 100},
    {Fault::kTrustOtherBoot, "trust-other-boot", 100},
};

}  // namespace

std::span<const KnownFault> known_faults() { return kFaults; }

std::optional<KnownFault> fault_named(std::string_view name) {
  const auto found = std::ranges::find(kFaults, name, &KnownFault::name);
  return found == std::end(kFaults) ? std::nullopt : std::optional(*found);
}

}  // namespace moldau::sim
