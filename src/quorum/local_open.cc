#include <algorithm>

#include "quorum/local_log.h"
#include "quorum/segment_scan.h"
#include "wire/record_frame.h"

namespace moldau::quorum {
namespace {

constexpr Uuid kMetadataTopicId{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};  // AAAAAAAAAAAAAAAAAAAAAQ
constexpr const char* kQuorumStateName = "quorum-state";
constexpr std::int16_t kRegisterBroker = 0;  // record type

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

Result<std::unique_ptr<LocalQuorum>> LocalQuorum::open(env::FileSystem& files, const env::Clock& clock,
                                                       LocalOptions options, std::span<const Bytes> given) {
  auto config = log_config(options);
  auto quorum = std::make_unique<LocalQuorumLog>(files, clock, std::move(options), std::move(config));
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

// Begins a new epoch with a batch in the log and a file beside it. Either is enough for the epoch not to be
// used again; both are durable before anything else is written.
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
  TRY(append_batch(leader_change_batch(options_.node_id, voters_, log_->end_offset(), epoch_, now)));
  TRY_ASSIGN(work, log_->prepare_flush());
  work.begin();  // one wait for the file and the log
  TRY(files_.replace_file(path(kQuorumStateName), as_bytes(text)));
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

}  // namespace moldau::quorum
