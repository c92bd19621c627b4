// The files of a segment, for its own sources: segment.cc (index, aborted transactions, cutting),
// segment_spill.cc (writing) and segment_read.cc (look-ups); and for clean_run.cc, which makes new ones.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "log/segment.h"

namespace moldau::log {

inline constexpr std::string_view kLog = ".log", kIndex = ".index", kTime = ".timeindex",
                                  kAborted = ".txnindex";

// A function that opens an index's file; made anew if nothing of it counts.
template <typename Slot>
auto Segment::opener(const Home& home, FileSlot& slot, std::string_view suffix,
                     const SparseIndex<Slot>& index) {
  return [this, &home, &slot, suffix, &index]() -> Result<std::shared_ptr<env::File>> {
    if (auto open = home.context.files->peek(slot)) return open;
    const auto mode = index.written() == 0 ? env::OpenMode::kTruncate : env::OpenMode::kCreate;
    return home.context.files->get(slot, home.path(base_, suffix), mode);
  };
}

}  // namespace moldau::log
