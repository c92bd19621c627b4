#include "sim/faults.h"

#include <algorithm>

namespace moldau::sim {
namespace {

constexpr KnownFault kFaults[] = {
    {Fault::kAckBeforeAppend, "ack-before-append", 200},
    {Fault::kAckBeforeSync, "ack-before-sync", 200},
    {Fault::kSkipCrc, "skip-crc", 200},
    {Fault::kForgetEpoch, "forget-epoch", 200},
    {Fault::kKeepTornTail, "keep-torn-tail", 200},
    {Fault::kEdgeOffByOne, "edge-off-by-one", 200},
    {Fault::kReuseSequence, "reuse-sequence", 200},
    {Fault::kWrongDuplicateOffset, "wrong-duplicate-offset", 200},
    {Fault::kLoseLastAtRoll, "lose-last-at-roll", 200},
    {Fault::kHighWatermarkTooFar, "high-watermark-too-far", 200},
    {Fault::kDeliverUncommitted, "deliver-uncommitted", 200},
    {Fault::kForgetProducers, "forget-producers", 500},
    {Fault::kLyingRecoveryPoint, "lying-recovery-point", 200},
    {Fault::kSkipMetadataSync, "skip-metadata-sync", 200},
    {Fault::kIndexOffByOne, "index-off-by-one", 200},
    {Fault::kLostWakeUp, "lost-wake-up", 200},
    {Fault::kWrongSlotOrder, "wrong-slot-order", 200},
    {Fault::kDeleteTooMuch, "delete-too-much", 500},
    {Fault::kCloseLosesTail, "close-loses-tail", 200},
    {Fault::kTrustOtherBoot, "trust-other-boot", 6000},
    {Fault::kForgetColdRead, "forget-cold-read", 200},
    {Fault::kTakeOldGeneration, "take-old-generation", 200},
    {Fault::kGiveTheWrongShare, "give-the-wrong-share", 200},
    {Fault::kGiveBeforeRevoked, "give-before-revoked", 200},
    {Fault::kTakeOldEpoch, "take-old-epoch", 500},
    {Fault::kTakeStaleCommit, "take-stale-commit", 200},
    {Fault::kEndSessionEarly, "end-session-early", 200},
    {Fault::kLoadLosesLast, "load-loses-last", 500},
    {Fault::kCleanNewest, "clean-newest", 200},
};

}  // namespace

std::span<const KnownFault> known_faults() { return kFaults; }

std::optional<KnownFault> fault_named(std::string_view name) {
  const auto found = std::ranges::find(kFaults, name, &KnownFault::name);
  return found == std::end(kFaults) ? std::nullopt : std::optional(*found);
}

}  // namespace moldau::sim
