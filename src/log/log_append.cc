// Appending. Jobs are checked one after the other, gathered as far as they fit the active segment, and
// written with one write; only then does anything change. A job whose producer has a batch in the gathered
// write waits for that write, so every check sees what really is in the log.
#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/fault.h"
#include "log/log_state.h"

namespace moldau::log {
namespace {

bool assigns(AppendOrigin origin) {
  return origin == AppendOrigin::kClient || origin == AppendOrigin::kCoordinator;
}

AppendInfo refusal(wire::ErrorCode error, std::string message, Offset log_start) {
  AppendInfo info;
  info.error = error;
  info.message = std::move(message);
  info.log_start_offset = log_start;
  return info;
}

class Appender {
 public:
  explicit Appender(LogState& state) : s_(state), next_(state.end) {}

  void add(AppendJob& job);
  void write();

 private:
  static constexpr std::size_t kMostJobs = 8;  // all of them are made for each append, even of one job

  // What the batches of a job are, taken together.
  struct Facts {
    std::uint64_t bytes = 0;
    std::int64_t max_timestamp = record::kNoTimestamp;
    Offset first = kNoOffset, last = kNoOffset;
    ProducerId producer = kNoProducerId;
  };
  struct Staged {
    AppendJob* job;
    Facts facts;
    bool rolled;
  };

  std::optional<AppendInfo> inspect(AppendJob& job, Facts& facts);
  std::optional<AppendInfo> inspect_batch(AppendJob& job, MutableBytes batch, record::BatchHeader& header,
                                          Facts& facts);
  std::optional<AppendInfo> check_producer(const AppendJob& job, ByteView batch,
                                           const record::BatchHeader& header, const Facts& facts);
  bool waits_for_write(const AppendJob& job) const;
  Result<bool> make_room(const Facts& facts, const AppendJob& job);
  Result<bool> roll_is_due(const Facts& facts, std::int64_t now_ms);
  Status commit(Staged& staged, std::uint32_t position);
  Status commit_batch(const record::BatchHeader& header, ByteView batch, std::uint32_t position);

  LogState& s_;
  Offset next_;
  std::uint64_t gathered_ = 0;
  bool write_failed_ = false;
  std::array<Staged, kMostJobs> staged_;
  std::array<ByteView, kMostJobs> pieces_;
  std::size_t count_ = 0;
};

void Appender::add(AppendJob& job) {
  job.outcome = AppendInfo{};
  s_.last_now_ms = job.options.now_ms;
  if (count_ == kMostJobs || waits_for_write(job)) write();
  const Offset before = next_;
  write_failed_ = false;
  Facts facts;
  std::optional<AppendInfo> refused = inspect(job, facts);
  if (!refused && facts.bytes > 0) {
    const auto rolled = make_room(facts, job);
    if (rolled && write_failed_) {  // the offsets in front of this job are free again: number anew
      facts = {};
      next_ = s_.end;
      refused = inspect(job, facts);
    }
    if (rolled && !refused) {
      staged_[count_] = {&job, facts, *rolled};
      pieces_[count_++] = job.batches;
      gathered_ += facts.bytes;
      return;
    }
    if (!rolled) job.outcome = std::unexpected(rolled.error());
  }
  next_ = count_ == 0 ? s_.end : before;
  if (refused)
    job.outcome = std::move(*refused);
  else if (job.outcome)
    job.outcome->log_start_offset = s_.start;
}

// Whether a producer of the job has a batch in the write that is being gathered.
bool Appender::waits_for_write(const AppendJob& job) const {
  if (count_ == 0) return false;
  record::BatchIterator batches(job.batches);
  while (const auto batch = batches.next()) {
    if (!batch->header().has_producer_id()) continue;
    for (std::size_t i = 0; i < count_; ++i)
      if (staged_[i].facts.producer == batch->header().producer_id) return true;
  }
  return false;
}

// Walks the batches: gives them their offsets (as leader) and checks what must hold. A verdict, or nothing.
std::optional<AppendInfo> Appender::inspect(AppendJob& job, Facts& facts) {
  record::BatchIterator batches(job.batches);
  for (;;) {
    const std::size_t at = batches.position();
    auto batch = batches.next();
    if (!batch) break;
    record::BatchHeader header = batch->header();
    if (auto refused =
            inspect_batch(job, job.batches.subspan(at, static_cast<std::size_t>(header.size)), header, facts))
      return refused;
  }
  if (batches.left_over() > 0)
    return refusal(wire::ErrorCode::kCorruptMessage,
                   "Expected whole batches, found " + std::to_string(batches.left_over()) + " more bytes " +
                       std::string(batches.corrupt()),
                   s_.start);
  if (facts.bytes > static_cast<std::uint64_t>(s_.config->segment_bytes))
    return refusal(wire::ErrorCode::kRecordListTooLarge,
                   "Expected at most " + std::to_string(s_.config->segment_bytes) +
                       " bytes (segment.bytes) in one append, found " + std::to_string(facts.bytes),
                   s_.start);
  return std::nullopt;
}

std::optional<AppendInfo> Appender::inspect_batch(AppendJob& job, MutableBytes batch,
                                                  record::BatchHeader& header, Facts& facts) {
  if (assigns(job.options.origin)) {
    if (header.magic < 2 || header.last_offset_delta < 0)
      return refusal(wire::ErrorCode::kCorruptMessage,
                     "Expected a batch of magic 2 with records, found magic " + std::to_string(header.magic) +
                         " and the last offset delta " + std::to_string(header.last_offset_delta),
                     s_.start);
    if (auto refused = check_producer(job, batch, header, facts)) return refused;
    record::set_offset(batch, next_);
    if (!fault_is(Fault::kForgetEpoch)) record::set_leader_epoch(batch, job.options.leader_epoch);
    header.base_offset = next_;
    header.last_offset = next_ + header.last_offset_delta;
  } else {
    const Offset first = header.magic >= 2 ? header.base_offset : header.last_offset;
    if (first < next_ || header.last_offset < first) {
      AppendInfo info =
          refusal(wire::ErrorCode::kOffsetOutOfRange,
                  "Expected a batch at or behind the end, offset " + std::to_string(next_.value) +
                      ", found one at " + std::to_string(first.value),
                  s_.start);
      info.first_offset = first;
      info.last_offset = header.last_offset;
      return info;
    }
  }
  if (facts.bytes == 0) facts.first = header.magic >= 2 ? header.base_offset : kNoOffset;
  facts.bytes += static_cast<std::uint64_t>(header.size);
  facts.last = header.last_offset;
  facts.max_timestamp = std::max(facts.max_timestamp, header.max_timestamp);
  if (header.has_producer_id()) facts.producer = header.producer_id;
  next_ = header.next_offset();
  return std::nullopt;
}

std::optional<AppendInfo> Appender::check_producer(const AppendJob& job, ByteView batch,
                                                   const record::BatchHeader& header, const Facts& facts) {
  if (!header.has_producer_id()) return std::nullopt;
  ProducerVerdict verdict;
  if (header.control()) {
    if (const auto marker = read_marker(batch, header))
      verdict = s_.producers.check_marker(header, marker->marker, next_);
  } else if (facts.producer == header.producer_id) {
    return std::nullopt;  // behind a batch of the same append that was checked
  } else {
    verdict = s_.producers.check_data(header, next_, job.options.origin == AppendOrigin::kClient,
                                      job.options.transaction_verified);
  }
  if (verdict.duplicate != nullptr) {
    AppendInfo info;
    info.duplicate = true;
    info.first_offset = fault_is(Fault::kWrongDuplicateOffset) ? next_ : verdict.duplicate->first_offset();
    info.last_offset = verdict.duplicate->last_offset;
    info.log_append_time_ms = verdict.duplicate->timestamp;
    info.max_timestamp = verdict.duplicate->timestamp;
    info.log_start_offset = s_.start;
    return info;
  }
  if (verdict.error == wire::ErrorCode::kNone) return std::nullopt;
  return refusal(verdict.error, std::move(verdict.message), s_.start);
}

// Rolls if the job does not fit the active segment. Returns whether it did.
Result<bool> Appender::make_room(const Facts& facts, const AppendJob& job) {
  TRY(s_.active().ensure_index(s_.home()));
  TRY_ASSIGN(due, roll_is_due(facts, job.options.now_ms));
  if (!due) return false;
  write();
  if (s_.active().size() == 0 && s_.active().can_hold(facts.last)) return false;
  // Magic 0 and 1 from a leader: the first offset is unknown, and at most 2^31-1 below the last.
  const Offset wanted = facts.first != kNoOffset
                            ? facts.first
                            : facts.last - std::int64_t{std::numeric_limits<std::int32_t>::max()};
  TRY(s_.roll(std::max(wanted, s_.end), job.options.now_ms));
  return true;
}

Result<bool> Appender::roll_is_due(const Facts& facts, std::int64_t now_ms) {
  Segment& active = s_.active();
  const LogConfig& config = *s_.config;
  const std::uint64_t size = active.size() + gathered_;
  if (!active.can_hold(facts.last) || active.index_full(config.segment_index_bytes)) return true;
  if (size + facts.bytes > static_cast<std::uint64_t>(config.segment_bytes)) return size > 0;
  if (active.size() == 0) return false;
  // From the first batch's timestamp to this one's, or from the creation to now where there are none.
  TRY_ASSIGN(begun, active.rolling_start(s_.home(), record::kNoTimestamp));
  const std::int64_t waited = begun >= 0 ? facts.max_timestamp - begun : now_ms - active.created_ms();
  return waited > config.segment_ms - active.roll_jitter(config.segment_jitter_ms, s_.folder);
}

void Appender::write() {
  if (count_ == 0) return;
  const std::size_t count = std::exchange(count_, 0);
  const std::uint64_t bytes = std::exchange(gathered_, 0);
  const std::uint32_t position = s_.active().size();
  const auto attempt = [&]() -> Status {
    TRY_ASSIGN(file, s_.active().file(s_.home()));
    if (s_.tail_dirty) TRY(file->truncate(position));
    s_.tail_dirty = true;
    Status written = file->write_at(position, std::span(pieces_).first(count));
    if (written || file->truncate(position)) s_.tail_dirty = false;
    return written;
  };
  if (Status done = attempt(); !done) {
    for (std::size_t i = 0; i < count; ++i) staged_[i].job->outcome = std::unexpected(done.error());
    next_ = s_.end;
    write_failed_ = true;
    return;
  }
  s_.active().set_size(position + static_cast<std::uint32_t>(bytes));
  s_.active().set_modified(s_.last_now_ms);
  s_.size_bytes += bytes;
  s_.unflushed_bytes += bytes;
  s_.snapshot_end = kNoOffset;
  std::uint32_t at = position;
  for (std::size_t i = 0; i < count; ++i) {
    if (Status done = commit(staged_[i], at); !done) staged_[i].job->outcome = std::unexpected(done.error());
    at += static_cast<std::uint32_t>(staged_[i].facts.bytes);
  }
  // A refused index write is not the producers' affair: the slots stay in memory and are written later.
  if (s_.active().wants_spill()) (void)s_.active().spill(s_.home());
}

// The job is in the log: everything that follows from it.
Status Appender::commit(Staged& staged, std::uint32_t position) {
  record::BatchIterator batches(staged.job->batches);
  AppendInfo& info = *staged.job->outcome;
  while (const auto batch = batches.next()) {
    const std::size_t behind = batches.position();
    TRY(commit_batch(
        batch->header(), batch->bytes(),
        position + static_cast<std::uint32_t>(behind) - static_cast<std::uint32_t>(batch->header().size)));
    if (batch->header().timestamp_type() == record::TimestampType::kLogAppendTime)
      info.log_append_time_ms = batch->header().max_timestamp;
  }
  info.first_offset = staged.facts.first;
  info.last_offset = staged.facts.last;
  info.max_timestamp = staged.facts.max_timestamp;
  info.log_start_offset = s_.start;
  info.bytes = staged.facts.bytes;
  info.rolled = staged.rolled;
  info.flush_due = s_.end - s_.recovery_point >= s_.config->flush_messages;
  return {};
}

Status Appender::commit_batch(const record::BatchHeader& header, ByteView batch, std::uint32_t position) {
  s_.active().note(header, position, s_.config->index_interval_bytes);
  if (header.magic >= 2) {
    s_.tail.add(header.base_offset, position);
    if (header.partition_leader_epoch.value >= 0 &&
        s_.epochs.assign(header.partition_leader_epoch, header.base_offset))
      s_.epochs_changed();
  } else if (s_.epochs.clear()) {
    s_.epochs_changed();  // without epochs, truncation goes by the high watermark
  }
  s_.end = header.next_offset();
  return s_.apply_to_producers(
      header, [&]() -> Result<ByteView> { return batch; },
      [&](const CompletedTransaction& done, Offset stable) -> Status {
        if (!done.aborted) return {};
        return s_.active().add_aborted(s_.home(),
                                       {done.producer, done.first_offset, done.last_offset, stable});
      });
}

}  // namespace

void Log::append(std::span<AppendJob> jobs) {
  if (Status ready = state_->ensure_loaded(); !ready) {
    for (AppendJob& job : jobs) job.outcome = std::unexpected(ready.error());
    return;
  }
  Appender appender(*state_);
  for (AppendJob& job : jobs) appender.add(job);
  appender.write();
}

Result<AppendInfo> Log::append(MutableBytes batches, const AppendOptions& options) {
  AppendJob job{.batches = batches, .options = options};
  append({&job, 1});
  return std::move(job.outcome);
}

// The closed segment's files get their true size, the producers a snapshot where the new segment begins.
Status LogState::roll(Offset base, std::int64_t now_ms) {
  CHECK(base > active().base());
  const std::string file = home().path(base, ".log");
  const auto make = [&]() -> Status {
    TRY_ASSIGN(made, context.fs->open(file, env::OpenMode::kTruncate));
    if (!config->preallocate) return {};
    TRY(made->truncate(static_cast<std::uint64_t>(config->segment_bytes)));
    TRY_ASSIGN(old, active().file(home()));
    unsynced_cut = std::min(unsynced_cut.value_or(active().base()), active().base());
    return old->truncate(active().size());
  };
  if (Status made = make(); !made) {
    (void)context.fs->remove(file);  // else the next start takes it for the segment that follows
    return made;
  }
  ++new_names;
  // From here on nothing fails for good: index and snapshot are derived and come again.
  if (fault_is(Fault::kLoseLastAtRoll)) (void)(*active().file(home()))->truncate(active().size() - 1);
  (void)active().seal(home());
  segments.push_back(Segment::fresh(base, now_ms));
  tail.clear();
  end = std::max(end, base);
  (void)write_snapshot(base);
  return {};
}

Status Log::roll(std::int64_t now_ms) {
  TRY(state_->ensure_loaded());
  if (state_->active().size() == 0) return {};
  return state_->roll(state_->end, now_ms);
}

}  // namespace moldau::log
