// Keeps a request from waiting for a disk on its loop: what it looks for in files is read in by the
// background where it is not in memory, and then the request goes on where it was.
//
//              ┌───────────────────── runs again ◀─────────────────────┐
//              ▼                                                       │
//   reads with haste() ── something missing: read_in() ──▶ background reads ── letter to the loop
//              │
//              └─ nothing missing ──▶ it has what it needs
//
// A request goes round kMostRounds times. One that still misses something then (what is read in for it is
// gone again, or the file system never tells the truth), or for which the background has no room, waits for
// the disk after all: haste() is nullptr then. Part of a request, loop thread only; the request stays alive
// in `then`.
#pragma once

#include <cstdint>
#include <functional>

#include "broker/call.h"
#include "env/filesystem.h"

namespace moldau::broker {

class ColdReads {
 public:
  // For the reads of this round.
  env::Haste* haste() { return patient_ ? nullptr : &haste_; }
  bool missing() const { return !haste_.missing().empty(); }
  // Has what is missing read in; `then` runs on the loop, later. False: it does not, go on at once.
  bool read_in(Call& call, std::move_only_function<void()> then);

 private:
  // A look-up misses a handful of things one after the other; that of a time, 64 segments at once.
  static constexpr int kMostRounds = 16;

  env::Haste haste_;
  int rounds_ = 0;
  bool patient_ = false;
};

}  // namespace moldau::broker
