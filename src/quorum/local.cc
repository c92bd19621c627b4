#include "quorum/local.h"

#include <algorithm>
#include <utility>

#include "base/fault.h"
#include "log/log.h"
#include "quorum/batch_walk.h"
#include "quorum/quorum_state.h"
#include "quorum/segment_scan.h"
#include "quorum/snapshot_file.h"
#include "quorum/voters.h"
#include "record/batch.h"
#include "wire/record_frame.h"

namespace moldau::quorum {
namespace {

constexpr Uuid kMetadataTopicId{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};  // AAAAAAAAAAAAAAAAAAAAAQ
constexpr const char* kQuorumStateName = "quorum-state";
constexpr std::size_t kMaxBatchBytes = 8u << 20;
constexpr std::uint64_t kReadBytes = 4u << 20;
constexpr std::uint64_t kSmallSegment = 1u << 20;  // not worth a file of its own
constexpr std::int16_t kRegisterBroker = 0;        // record type

bool registers_broker(ByteView value) {
  wire::Reader reader(value);
  const auto record = wire::read_metadata_record(reader);
  return record && record->header.type == kRegisterBroker;
}

std::shared_ptr<const log::LogConfig> log_config(const LocalOptions& options) {
  log::LogConfig config;
  config.segment_bytes =
      static_cast<std::int32_t>(std::min<std::uint64_t>(options.segment_bytes, std::uint64_t{1} << 30));
  config.max_message_bytes = static_cast<std::int32_t>(kMaxBatchBytes) * 2;
  config.cleanup_delete = false;  // only snapshots let go of segments
  config.retention_ms = config.retention_bytes = -1;
  config.file_delete_delay_ms = 0;
  return std::make_shared<const log::LogConfig>(config);
}

}  // namespace

class LocalQuorumLog final : public LocalQuorum {
 public:
  LocalQuorumLog(env::FileSystem& files, const env::Clock& clock, LocalOptions options)
      : files_(files),
        clock_(clock),
        options_(std::move(options)),
        folder_(options_.directory + "/" + kMetadataFolder),
        cache_(files, 8),
        context_{&files, &cache_},
        config_(log_config(options_)) {}

  // --- opening, in this order
  Status open_files();
  Status take_leadership();
  Status bootstrap(std::span<const Bytes> given);

  // --- Quorum
  QuorumState state() const override;
  bool leads() const override { return !broken_; }
  Status replay(const ReplayVisitor& visitor) override;
  Result<Offset> append(std::span<const Bytes> records, std::int64_t timestamp_ms) override;
  Status sync() override;
  Offset high_watermark() const override { return high_watermark_; }
  Status reload() override;
  bool wants_snapshot(std::int64_t now_ms) const override;
  Status write_snapshot(Offset last_offset, LeaderEpoch epoch, std::int64_t timestamp_ms,
                        std::span<const Bytes> records, std::int64_t now_ms) override;

  const LocalReport& report() const override { return report_; }
  Status close() override { return log_->close(); }

 private:
  Status choose_snapshot();
  Status open_log();
  Status survey();
  Status check_voters(const std::optional<QuorumStateFile>& state) const;
  Result<std::optional<QuorumStateFile>> read_state() const;
  Status read_log(Offset from, VoterState* voters, const ReplayVisitor* visitor);
  Status append_batch(Bytes batch);
  Status drop_old_snapshots(std::int64_t now_ms);
  Result<bool> outlived(const SnapshotEntry& snapshot, std::int64_t now_ms);
  Status drop_log_before(Offset start, std::int64_t now_ms);
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  env::FileSystem& files_;
  const env::Clock& clock_;
  const LocalOptions options_;
  const std::string folder_;
  log::FileCache cache_;
  const log::LogContext context_;
  const std::shared_ptr<const log::LogConfig> config_;

  std::unique_ptr<log::Log> log_;
  VoterState voters_;
  LeaderEpoch epoch_{0};
  Offset high_watermark_{0};
  bool has_data_ = false;                 // any metadata record, in the log or a snapshot
  bool broken_ = false;                   // an append or sync left us not knowing what is on the disk
  std::vector<SnapshotEntry> snapshots_;  // oldest first; the last one is what replay begins with
  std::uint64_t bytes_since_snapshot_ = 0;
  std::int64_t snapshot_time_ms_ = 0;
  LocalReport report_;
};

Result<std::unique_ptr<LocalQuorum>> LocalQuorum::open(env::FileSystem& files, const env::Clock& clock,
                                                       LocalOptions options, std::span<const Bytes> given) {
  auto quorum = std::make_unique<LocalQuorumLog>(files, clock, std::move(options));
  TRY(quorum->open_files());
  TRY(quorum->take_leadership());
  TRY(quorum->bootstrap(given));
  return quorum;
}

Status LocalQuorumLog::open_files() {
  TRY(files_.create_directories(folder_));
  TRY(choose_snapshot());
  TRY(open_log());
  TRY(survey());
  snapshot_time_ms_ = clock_.wall_ms();
  return {};
}

// The newest snapshot that is whole. One that is not is set aside: the log may still reach back far enough.
Status LocalQuorumLog::choose_snapshot() {
  TRY_ASSIGN(found, list_snapshots(files_, folder_));
  snapshots_ = std::move(found);
  while (!snapshots_.empty()) {
    VoterState voters;
    const std::string name = snapshot_name(snapshots_.back().id);
    const Status read = read_snapshot_file(files_, path(name), &voters, nullptr);
    if (read) {
      voters_ = std::move(voters);
      report_.snapshot = snapshots_.back().id;
      return {};
    }
    if (read.error().kind != ErrorKind::kCorrupt) return read;
    report_.notes.push_back(read.error().message + "; going back to an older snapshot");
    TRY(files_.rename(path(name), path(name + ".damaged")));
    snapshots_.pop_back();
  }
  return {};
}

Status LocalQuorumLog::open_log() {
  const Offset start = snapshots_.empty() ? Offset{0} : snapshots_.back().id.end;
  TRY_ASSIGN(entries, files_.list(folder_));
  const bool exists = std::ranges::any_of(entries, [](const auto& e) { return e.name.ends_with(".log"); });
  const std::int64_t now = clock_.wall_ms();
  if (!exists) {
    TRY_ASSIGN(made, log::Log::create(context_, folder_, config_, kMetadataTopicId, now, start));
    log_ = std::move(made);
    return {};
  }
  TRY(refuse_damaged_segments(files_, folder_, start));
  // A snapshot holds only what was durable: checking begins behind it.
  TRY_ASSIGN(opened, log::Log::open(context_, folder_, config_,
                                    {.recovery_point = start, .recover_from = start, .now_ms = now}));
  log_ = std::move(opened);
  report_.bytes_cut = log_->recovery().bytes_dropped;
  report_.cut_reason = log_->recovery().why;
  for (const std::string& note : log_->recovery().notes) report_.notes.push_back(note);
  if (log_->end_offset() < start) {
    report_.notes.push_back(folder_ + ": the log ends at offset " + std::to_string(log_->end_offset().value) +
                            ", before its newest snapshot; going on behind that");
    TRY(log_->truncate_fully_and_start_at(start));
  }
  if (log_->local_start_offset() > start)
    return fail(ErrorKind::kCorrupt, folder_ + ": expected the log to reach back to offset " +
                                         std::to_string(start.value) + ", found its start at " +
                                         std::to_string(log_->local_start_offset().value) +
                                         " and no snapshot in front of it");
  return {};
}

// What the control records say, whether there is any data, and whether a broker has ever been here.
Status LocalQuorumLog::survey() {
  bool registered = false;
  const ReplayVisitor look = [&](const ReplayedBatch& batch) -> Status {
    has_data_ = has_data_ || !batch.values.empty();
    registered = registered || std::ranges::any_of(batch.values, registers_broker);
    return {};
  };
  if (!snapshots_.empty())
    TRY(read_snapshot_file(files_, path(snapshot_name(snapshots_.back().id)), nullptr, &look));
  const Offset from = snapshots_.empty() ? Offset{0} : snapshots_.back().id.end;
  TRY(read_log(from, &voters_, &look));
  report_.fresh = !registered;
  high_watermark_ = log_->end_offset();
  return {};
}

Result<std::optional<QuorumStateFile>> LocalQuorumLog::read_state() const {
  if (!files_.exists(path(kQuorumStateName))) return std::nullopt;
  TRY_ASSIGN(content, files_.read_file(path(kQuorumStateName)));
  TRY_ASSIGN(state, parse_quorum_state(as_text(content), path(kQuorumStateName)));
  return state;
}

Status LocalQuorumLog::check_voters(const std::optional<QuorumStateFile>& state) const {
  std::vector<BrokerId> ids;
  for (const Voter& voter : voters_.voters) ids.push_back(voter.id);
  if (voters_.kraft_version == 0 && state) ids = state->voters;
  if (std::ranges::all_of(ids, [&](BrokerId id) { return id == options_.node_id; })) return {};
  std::string listed;
  for (const BrokerId id : ids) listed += (listed.empty() ? "" : ", ") + std::to_string(id.value);
  return fail(ErrorKind::kUnsupported, folder_ + ": expected node " + std::to_string(options_.node_id.value) +
                                           " as its only voter, found the voters " + listed +
                                           ": this metadata log belongs to a quorum of several controllers");
}

// Begins a new epoch: first the file, so that no epoch is ever used twice, then the batch that opens it.
Status LocalQuorumLog::take_leadership() {
  TRY_ASSIGN(state, read_state());
  TRY(check_voters(state));
  // A directory that Kafka has formatted for a fixed voter (a bootstrap file, no snapshot) stays on
  // kraft.version 0; one that nobody has touched begins with 1.
  const bool untouched = snapshots_.empty() && log_->end_offset() == Offset{0} && !state &&
                         !files_.exists(options_.directory + "/" + kBootstrapName);
  if (untouched) voters_.kraft_version = 1;
  if (voters_.kraft_version >= 1) {
    if (voters_.voters.empty())
      voters_.voters = {{options_.node_id, options_.directory_id, {options_.controller_endpoint}}};
    if (!options_.directory_id.is_zero()) voters_.voters.front().directory_id = options_.directory_id;
  }
  const std::int64_t now = clock_.wall_ms();
  if (untouched) {
    TRY(write_snapshot_file(files_, folder_, snapshot_name({}),
                            encode_snapshot(voters_, now, LeaderEpoch{0}, {}, now)));
    snapshots_.push_back({});
  }
  TRY_ASSIGN(last, log_->latest_epoch());
  epoch_ = LeaderEpoch{std::max({last.value, state ? state->epoch.value : 0, 0}) + 1};
  const std::string text = format_quorum_state({.leader = options_.node_id,
                                                .epoch = epoch_,
                                                .voters = {options_.node_id},
                                                .version = voters_.kraft_version >= 1 ? 1 : 0});
  TRY(files_.replace_file(path(kQuorumStateName), as_bytes(text)));
  TRY(append_batch(leader_change_batch(options_.node_id, voters_, log_->end_offset(), epoch_, now)));
  TRY(sync());
  report_.epoch = epoch_;
  return {};
}

// A log without any record begins with those of bootstrap.checkpoint: Kafka's format step has left them, or
// we write the given ones there.
Status LocalQuorumLog::bootstrap(std::span<const Bytes> given) {
  if (has_data_) return {};
  const std::string file = options_.directory + "/" + kBootstrapName;
  const std::int64_t now = clock_.wall_ms();
  std::vector<Bytes> records;
  if (files_.exists(file)) {
    const ReplayVisitor collect = [&](const ReplayedBatch& batch) -> Status {
      for (const ByteView value : batch.values) records.emplace_back(value.begin(), value.end());
      return {};
    };
    TRY(read_snapshot_file(files_, file, nullptr, &collect));
  } else {
    records.assign(given.begin(), given.end());
    VoterState nobody;
    TRY(write_snapshot_file(files_, options_.directory, kBootstrapName,
                            encode_snapshot(nobody, 0, LeaderEpoch{0}, records, now)));
  }
  if (records.empty()) return {};
  TRY_ASSIGN(last, append(records, now));
  (void)last;
  has_data_ = true;
  return sync();
}

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
