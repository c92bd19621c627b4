// What a start would meet in the metadata log, found out without changing anything.
#include <algorithm>

#include "quorum/local_log.h"
#include "quorum/segment_scan.h"

namespace moldau::quorum {

Status LocalQuorum::inspect(env::FileSystem& files, const env::Clock& clock, LocalOptions options,
                            const ReplayVisitor& visitor) {
  LocalQuorumLog log(files, clock, std::move(options), nullptr);
  return log.inspect(visitor);
}

Status LocalQuorumLog::inspect(const ReplayVisitor& visitor) {
  const ReplayVisitor look = [&](const ReplayedBatch& batch) -> Status {
    has_data_ = has_data_ || !batch.values.empty();
    return visitor(batch);
  };
  if (files_.exists(folder_)) {
    TRY_ASSIGN(start, inspect_snapshot(look));
    const Walk walk{folder_, false, &voters_, &look};
    TRY(refuse_damaged_segments(files_, folder_, start, &walk));
    TRY_ASSIGN(state, read_state());
    TRY(check_voters(state));
  }
  const std::string bootstrap = options_.directory + "/" + kBootstrapName;
  if (has_data_ || !files_.exists(bootstrap)) return {};
  return read_snapshot_file(files_, bootstrap, nullptr, &visitor);
}

// The newest snapshot that is whole is shown; where the log goes on behind it.
Result<Offset> LocalQuorumLog::inspect_snapshot(const ReplayVisitor& visitor) {
  TRY_ASSIGN(entries, files_.list(folder_));
  std::vector<SnapshotId> found;
  for (const env::DirEntry& entry : entries)
    if (const auto id = parse_snapshot_name(entry.name)) found.push_back(*id);
  std::ranges::sort(found, std::greater{});
  for (const SnapshotId& id : found) {
    const std::string file = path(snapshot_name(id));
    const Status whole = read_snapshot_file(files_, file, nullptr, nullptr);
    if (!whole && whole.error().kind == ErrorKind::kCorrupt) continue;
    TRY(whole);
    TRY(read_snapshot_file(files_, file, &voters_, &visitor));
    return id.end;
  }
  return Offset{0};
}

}  // namespace moldau::quorum
