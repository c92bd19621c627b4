#include "quorum/local_log.h"

namespace moldau::quorum {
namespace {

constexpr std::uint64_t kSmallSegment = 1u << 20;  // not worth a file of its own

}  // namespace

bool LocalQuorumLog::wants_snapshot(std::int64_t now_ms) const {
  if (broken_ || bytes_since_snapshot_ == 0) return false;
  if (bytes_since_snapshot_ >= options_.bytes_between_snapshots) return true;
  return options_.snapshot_interval_ms > 0 && now_ms - snapshot_time_ms_ >= options_.snapshot_interval_ms;
}

Status LocalQuorumLog::write_snapshot(Offset last_offset, LeaderEpoch epoch, std::int64_t timestamp_ms,
                                      std::span<const Bytes> records, std::int64_t now_ms) {
  const SnapshotId id{last_offset + 1, epoch};
  if (id.end > high_watermark_)
    return fail(ErrorKind::kInvalid, folder_ + ": a snapshot was asked for of what is not durable");
  if (!snapshots_.empty() && id.end <= snapshots_.back().id.end) return {};
  const Bytes content = encode_snapshot(voters_, timestamp_ms, epoch, records, now_ms);
  TRY(write_snapshot_file(files_, folder_, snapshot_name(id), content));
  snapshots_.push_back({id, content.size()});
  bytes_since_snapshot_ = 0;
  snapshot_time_ms_ = now_ms;
  if (log_->size_bytes() > kSmallSegment) TRY(log_->roll(now_ms));
  return drop_old_snapshots(now_ms);
}

// Oldest first, as long as there is too much of everything or they are too old; the newest stays.
// (KafkaMetadataLog#maybeClean)
Status LocalQuorumLog::drop_old_snapshots(std::int64_t now_ms) {
  std::uint64_t total = log_->size_bytes();
  for (const SnapshotEntry& snapshot : snapshots_) total += snapshot.bytes;
  while (snapshots_.size() > 1) {
    const bool large = total > options_.max_retention_bytes;
    TRY_ASSIGN(old, outlived(snapshots_.front(), now_ms));
    if (!large && !old) break;
    total -= snapshots_.front().bytes;
    const std::string name = path(snapshot_name(snapshots_.front().id));
    snapshots_.erase(snapshots_.begin());
    // The log may begin at a snapshot only: it is cut first, its snapshot goes last.
    TRY(drop_log_before(snapshots_.front().id.end, now_ms));
    TRY(files_.remove(name));
  }
  return {};
}

Result<bool> LocalQuorumLog::outlived(const SnapshotEntry& snapshot, std::int64_t now_ms) {
  if (options_.max_retention_ms < 0) return false;
  VoterState header;
  TRY(read_snapshot_file(files_, path(snapshot_name(snapshot.id)), &header, nullptr));
  return now_ms - header.last_contained_timestamp.value_or(now_ms) > options_.max_retention_ms;
}

Status LocalQuorumLog::drop_log_before(Offset start, std::int64_t now_ms) {
  TRY_ASSIGN(advanced, log_->advance_start_offset(start, high_watermark_));
  (void)advanced;
  TRY_ASSIGN(deleted, log_->delete_old_segments(now_ms, high_watermark_));
  (void)deleted;
  for (const log::Removal& removal : log_->take_removals()) TRY(files_.remove(removal.path));
  return {};
}

}  // namespace moldau::quorum
