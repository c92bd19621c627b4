// Turns what lies in a partition's folder into a LogState. (Kafka: LogLoader.)
//
//   list ─▶ finish or undo interrupted swaps ─▶ segments ─┬─ clean: the rest when the log is first used
//                                                         └─ else: recover()
//
// recover() reads from `recover_from` on: checks every batch, rebuilds index, epochs, producers and aborted
// transactions, and cuts at the first thing that is no valid batch, with everything behind it. Kafka does so
// too, but from the start of the segment; that needs no reading of what was synced. What is cut must be
// durable before anything is appended (LogState::cuts): the next power loss could bring a part of it back,
// and that may be a whole batch where its missing end was a zero.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "log/log_state.h"

namespace moldau::log {

class LogLoader {
 public:
  LogLoader(LogState& state, const OpenOptions& options) : state_(state), options_(options) {}

  Status load();
  // Checks everything from `from` on, as above. Also used when a log that claimed to be clean turns out not
  // to be.
  Status recover(Offset from);

 private:
  Status list();
  Status settle_swaps();
  Status collect_segments();
  Status trust();
  Status settle_previous(std::size_t index, Offset from);
  Status recover_segment(std::size_t index, Offset from, bool& cut);
  Status cut(std::size_t index, std::uint64_t position, const std::string& why);
  Status shorten(Segment& segment, std::uint32_t size);
  Status drop_segments_from(std::size_t index);
  Status start_above_end();
  void set_start();
  bool dense() const;
  Status drop_empty_from(Offset data_end);

  LogState& state_;
  const OpenOptions& options_;
  std::vector<env::DirEntry> entries_;
};

}  // namespace moldau::log
