// Walks the batches of the metadata log or of a snapshot: values to the visitor, control records to the
// voters. Pure functions; any thread.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "quorum/quorum.h"
#include "quorum/voters.h"

namespace moldau::quorum {

struct Walk {
  std::string where;  // for messages: the file's path
  bool from_snapshot = false;
  VoterState* voters = nullptr;            // nullptr: control records are passed over
  const ReplayVisitor* visitor = nullptr;  // nullptr: data records are passed over
};

// Every batch of `bytes` in order; checks their CRC. kCorrupt if they are not whole and valid.
Status walk_batches(ByteView bytes, const Walk& walk);

// A valid batch that begins behind `from` in `bytes` and continues offsets from `next` on; its position.
// With one, what lies in between is damage, not a torn tail: batches are synced one by one.
std::optional<std::size_t> find_batch_behind(ByteView bytes, std::size_t from, Offset next);

}  // namespace moldau::quorum
