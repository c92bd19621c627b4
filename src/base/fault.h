// Mistakes made on purpose, to prove that the simulation finds them. Each stands at its place in the code as
// one line; all cost one load of a global that nothing but src/sim ever writes: no option, file or request
// reaches it, so a server always runs with kNone. Written before a run begins, never during one.
// (src/sim/faults.h: what each must be found by.)
#pragma once

#include <cstdint>

namespace moldau {

enum class Fault : std::uint8_t {
  kNone,
  kAckBeforeAppend,       // replica: an append that the disk refused is acknowledged
  kAckBeforeSync,         // replica: flush.messages=1, and acknowledged before the sync
  kSkipCrc,               // record: the CRC of a produced batch is not looked at
  kForgetEpoch,           // log: the leader epoch is not written into the batch
  kKeepTornTail,          // log: recovery believes what lies behind the last valid batch
  kEdgeOffByOne,          // log: a read of a segment's last record begins in the next one
  kReuseSequence,         // log: a repeated batch is appended again
  kWrongDuplicateOffset,  // log: a repeated batch is answered with the end of the log
  kLoseLastAtRoll,        // log: rolling cuts the last batch
  kHighWatermarkTooFar,   // replica: what is not on disk yet counts as reached
  kDeliverUncommitted,    // replica: read_committed reads up to the high watermark
  kForgetProducers,       // log: producers are not restored at a start
  kLyingRecoveryPoint,    // log: the checkpoint calls synced what is not
  kSkipMetadataSync,      // quorum: metadata are acknowledged before they are on disk
  kIndexOffByOne,         // log: index slots name the batch before
  kLostWakeUp,            // replica: waiting fetches are not told
  kWrongSlotOrder,        // sim: a connection sends replies in the order in which they were given
  kDeleteTooMuch,         // log: retention and DeleteRecords take one segment more
  kCloseLosesTail,        // log: a clean stop does not sync
  kTrustOtherBoot,        // log: recovery believes what was written before the power went
  kForgetColdRead,        // broker: a request does not go on when what it needs has been read in
  kCleanNewest,           // log: compaction drops the newest record of a key, too
  kTakeOldGeneration,     // group: a commit of a member is taken whatever its generation
  kGiveTheWrongShare,     // group: a member is told what the leader has given the first one
  kGiveBeforeRevoked,     // group: a member is given what another has not given back yet
  kTakeOldEpoch,          // group: a heartbeat is heard though its epoch is old
  kTakeStaleCommit,       // group: a commit is taken though its epoch is older than the member's
  kEndSessionEarly,       // group: a member of a consumer group is put out after half its session
  kLoadLosesLast,         // broker: the last batch of __consumer_offsets is not loaded
  kCount,
};

inline Fault injected_fault = Fault::kNone;
inline bool fault_is(Fault fault) { return injected_fault == fault; }

}  // namespace moldau
