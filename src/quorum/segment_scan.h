// Looks at the segments of the metadata log before they are opened, to tell a torn tail (never acknowledged:
// the log cuts it) from damage in the middle (acknowledged records behind it: nothing may be cut).
#pragma once

#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "env/filesystem.h"
#include "quorum/batch_walk.h"

namespace moldau::quorum {

// Checks every .log file of `folder` from `checked_from` on (below, sizes only). kCorrupt if something that
// is no valid batch has a valid one behind it: file, byte, and what was expected. Changes nothing. With a
// `walk`, valid batches from `checked_from` up to the torn tail are shown to it; its error is the error.
Status refuse_damaged_segments(env::FileSystem& files, const std::string& folder, Offset checked_from,
                               const Walk* walk = nullptr);

}  // namespace moldau::quorum
