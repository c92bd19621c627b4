#include "quorum/local.h"

#include "base/fault.h"
#include "quorum/batch_walk.h"
#include "quorum/local_log.h"
#include "record/batch.h"

namespace moldau::quorum {
namespace {

constexpr std::uint64_t kReadBytes = 4u << 20;

}  // namespace

QuorumState LocalQuorumLog::state() const {
  QuorumState state{.leader = broken_ ? kNoBroker : options_.node_id,
                    .epoch = epoch_,
                    .high_watermark = high_watermark_,
                    .log_start = log_->start_offset(),
                    .log_end = log_->end_offset(),
                    .kraft_version = voters_.kraft_version,
                    .voters = voters_.voters,
                    .latest_snapshot = std::nullopt};
  if (state.voters.empty()) state.voters.push_back({options_.node_id, {}, {options_.controller_endpoint}});
  if (!snapshots_.empty()) state.latest_snapshot = snapshots_.back().id;
  return state;
}

Status LocalQuorumLog::read_log(Offset from, VoterState* voters, const ReplayVisitor* visitor) {
  bytes_since_snapshot_ = 0;
  Bytes buffer;
  while (from < log_->end_offset()) {
    TRY_ASSIGN(read, log_->read(from, kReadBytes, log_->end_offset(), true));
    if (read.error != wire::ErrorCode::kNone || read.slice.length == 0)
      return fail(ErrorKind::kCorrupt, folder_ + ": expected batches from offset " +
                                           std::to_string(from.value) + " up to " +
                                           std::to_string(log_->end_offset().value) + ", found none");
    buffer.resize(static_cast<std::size_t>(read.slice.length));
    TRY_ASSIGN(got, read.slice.file->read_at(read.slice.position, buffer));
    buffer.resize(got);
    TRY(walk_batches(buffer, {folder_, false, voters, visitor}));
    record::BatchIterator batches(buffer);
    while (const auto batch = batches.next()) from = batch->header().next_offset();
    bytes_since_snapshot_ += got;
  }
  return {};
}

Status LocalQuorumLog::replay(const ReplayVisitor& visitor) {
  if (!snapshots_.empty())
    TRY(read_snapshot_file(files_, path(snapshot_name(snapshots_.back().id)), nullptr, &visitor));
  return read_log(snapshots_.empty() ? Offset{0} : snapshots_.back().id.end, nullptr, &visitor);
}

Status LocalQuorumLog::append_batch(Bytes batch) {
  const std::size_t size = batch.size();
  TRY_ASSIGN(info, log_->append(batch, {.origin = log::AppendOrigin::kRaftLeader,
                                        .leader_epoch = epoch_,
                                        .now_ms = clock_.wall_ms()}));
  if (info.error != wire::ErrorCode::kNone)
    return fail(ErrorKind::kInvalid, folder_ + ": the log refused a metadata batch: " + info.message);
  bytes_since_snapshot_ += size;
  return {};
}

Result<Offset> LocalQuorumLog::append(std::span<const Bytes> records, std::int64_t timestamp_ms) {
  if (broken_) return fail(ErrorKind::kIo, folder_ + ": the metadata log must be loaded again first");
  // One batch is durable before the next begins: then a valid batch behind an invalid one is always damage.
  while (!records.empty()) {
    if (high_watermark_ < log_->end_offset()) TRY(sync());
    std::size_t count = 0, bytes = 0;
    while (count < records.size() && (count == 0 || bytes + records[count].size() < kMaxBatchBytes))
      bytes += records[count++].size();
    TRY(append_batch(data_batch(records.first(count), log_->end_offset(), epoch_, timestamp_ms)));
    records = records.subspan(count);
  }
  return log_->end_offset() - 1;
}

Status LocalQuorumLog::sync() {
  if (broken_) return fail(ErrorKind::kIo, folder_ + ": the metadata log must be loaded again first");
  auto work = log_->prepare_flush();
  if (work && fault_is(Fault::kSkipMetadataSync)) work->files.clear();
  Status done = work ? work->run(files_) : Status(std::unexpected(work.error()));
  if (!done) {
    broken_ = true;
    return done;
  }
  log_->complete_flush(*work, clock_.wall_ms());
  high_watermark_ = log_->end_offset();
  return {};
}

// What was appended and not synced may be half there: it is cut away, then the log goes on.
Status LocalQuorumLog::reload() {
  TRY(log_->truncate_to(high_watermark_));
  broken_ = false;
  return sync();
}

}  // namespace moldau::quorum
