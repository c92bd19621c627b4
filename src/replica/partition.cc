#include "replica/partition.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/fault.h"

namespace moldau::replica {

using wire::ErrorCode;

Partition::Partition(log::TopicPartition name, const Uuid& topic_id, BrokerId self, log::Log& log,
                     std::shared_ptr<LogKeeper> keeper)
    : name_(std::move(name)),
      topic_id_(topic_id),
      self_(self),
      keeper_(std::move(keeper)),
      log_(&log),
      high_watermark_(log_->start_offset()) {}

Status Partition::take_role(const metadata::Partition& state, std::optional<Offset> checkpointed) {
  const bool leads_now = state.leader == self_, new_epoch = state.leader_epoch > leader_epoch_;
  leader_ = state.leader;
  leader_epoch_ = state.leader_epoch;
  isr_ = state.isr.size();
  replicas_ = state.replicas.size();
  if (checkpointed) {
    high_watermark_ = std::clamp(*checkpointed, log_->start_offset(), log_->end_offset());
  }
  keeper_->high_watermark_moved(high_watermark_);  // else retention takes the end for it
  if (leads_now && new_epoch) TRY(log_->assign_epoch(leader_epoch_, log_->end_offset()));
  if (new_epoch) tell_changed();
  // Whether the next leader has them nobody can say here: the producer asks again.
  if (!leads_now) refuse_waiting(ErrorCode::kNotLeaderOrFollower);
  if (leads_now) advance_high_watermark();
  // What a kill left unsynced may have been acknowledged; nobody would see it until the next append.
  const bool hidden = acknowledges_durably() && local_end() < log_->end_offset();
  if (leads_now && new_epoch && hidden) keeper_->flush_soon(true);
  return {};
}

void Partition::move_to(log::Log& log, std::shared_ptr<LogKeeper> keeper, const Uuid& directory) {
  log_ = &log;
  keeper_ = std::move(keeper);
  directory_ = directory;
  told_bytes_ = log.size_bytes();
  keeper_->high_watermark_moved(high_watermark_);
  advance_high_watermark();  // what waited for the disk is on the disk
  tell_acknowledged();
}

void Partition::go_offline(ErrorCode error) {
  offline_ = true;
  offline_error_ = error;
  refuse_waiting(error);
  tell_changed();
}

void Partition::refuse_waiting(ErrorCode error) {
  for (const Waiting& w : std::exchange(waiting_, {})) w.waiter->acknowledged(error);
}

ErrorCode Partition::check_leader(std::int32_t current_leader_epoch) const {
  if (offline_) return offline_error_;
  if (current_leader_epoch >= 0) {
    if (current_leader_epoch < leader_epoch_.value) return ErrorCode::kFencedLeaderEpoch;
    if (current_leader_epoch > leader_epoch_.value) return ErrorCode::kUnknownLeaderEpoch;
  }
  return leader_ == self_ ? ErrorCode::kNone : ErrorCode::kNotLeaderOrFollower;
}

ErrorCode Partition::ready(std::int32_t current_leader_epoch) {
  if (const ErrorCode error = check_leader(current_leader_epoch); error != ErrorCode::kNone) return error;
  if (end_known_) return ErrorCode::kNone;
  if (const Status looked = log_->look(); !looked) {
    keeper_->disk_failed(looked.error());
    return ErrorCode::kKafkaStorageError;
  }
  end_known_ = true;
  tell_notes();
  high_watermark_ = std::min(high_watermark_, log_->end_offset());
  keeper_->high_watermark_moved(high_watermark_);
  advance_high_watermark();
  return ErrorCode::kNone;
}

bool Partition::is_cold(env::Haste* haste) const {
  return haste != nullptr && !end_known_ && leads() && !log_->can_look(*haste);
}

void Partition::tell_notes() {
  for (std::string& line : log_->take_notes()) keeper_->noticed(std::move(line));
}

Appended Partition::append(MutableBytes batches, log::AppendOptions options, std::int16_t acks,
                           std::int32_t min_in_sync, std::shared_ptr<AckWaiter> waiter) {
  if (const ErrorCode error = ready(); error != ErrorCode::kNone)
    return {.error = error, .message = {}, .info = {}};
  const std::size_t needed = std::min(static_cast<std::size_t>(std::max(min_in_sync, 0)), replicas_);
  if (acks == -1 && isr_ < needed) {
    return {.error = ErrorCode::kNotEnoughReplicas,
            .message = "The size of the current ISR : " + std::to_string(isr_) +
                       " is insufficient to satisfy the min.isr requirement of " + std::to_string(needed) +
                       " for partition " + name_.to_string(),
            .info = {}};
  }
  options.leader_epoch = leader_epoch_;
  auto done = log_->append(batches, options);
  if (!done && fault_is(Fault::kAckBeforeAppend)) done = log::AppendInfo{.first_offset = log_->end_offset()};
  if (!done) {
    keeper_->disk_failed(done.error());
    return {.error = ErrorCode::kKafkaStorageError, .message = done.error().message, .info = {}};
  }
  Appended appended{.error = done->error, .message = std::move(done->message), .info = std::move(*done)};
  if (appended.error != ErrorCode::kNone) return appended;

  if (appended.info.flush_due || appended.info.rolled) keeper_->flush_soon(appended.info.flush_due);
  advance_high_watermark();
  const Offset needs = appended.info.last_offset + 1;
  const bool all = acks == -1;
  if (acks != 0 && (all ? high_watermark_ : local_end()) < needs && !fault_is(Fault::kAckBeforeSync)) {
    appended.waits = true;
    waiting_.push_back({needs, all, needed, std::move(waiter)});
  }
  return appended;
}

void Partition::give_up(const AckWaiter* waiter) {
  const auto found = std::ranges::find(waiting_, waiter, [](const Waiting& w) { return w.waiter.get(); });
  if (found == waiting_.end()) return;
  const auto told = std::move(found->waiter);
  waiting_.erase(found);
  told->acknowledged(ErrorCode::kRequestTimedOut);
}

void Partition::advance_high_watermark() {
  if (!leads()) return;
  const Offset reached = fault_is(Fault::kHighWatermarkTooFar) ? log_->end_offset() : local_end();
  const bool moved = reached > high_watermark_;
  if (moved) {
    high_watermark_ = reached;
    keeper_->high_watermark_moved(reached);
  }
  tell_acknowledged();
  if (!moved || fault_is(Fault::kLostWakeUp)) return;
  const std::uint64_t size = log_->size_bytes();
  const std::uint64_t news = size > told_bytes_ ? size - told_bytes_ : 1;
  told_bytes_ = size;
  if (!watchers_) return;
  for (const auto& waiter : watchers_->all) waiter->advanced(news);
}

void Partition::tell_acknowledged() {
  while (!waiting_.empty() &&
         (waiting_.front().all ? high_watermark_ : local_end()) >= waiting_.front().needs) {
    const Waiting first = std::move(waiting_.front());
    waiting_.pop_front();
    const bool enough = !first.all || isr_ >= first.min_in_sync;
    first.waiter->acknowledged(enough ? ErrorCode::kNone : ErrorCode::kNotEnoughReplicasAfterAppend);
  }
}

void Partition::tell_changed() {
  if (!watchers_) return;
  for (const auto& waiter : watchers_->all) waiter->changed();
}

Read Partition::refuse(ErrorCode error) const {
  Read read{.error = error, .slice = {}, .diverging = {}, .aborted = {}};
  read.leader = leader_;
  read.leader_epoch = leader_epoch_;
  return read;
}

// Kafka's Partition.readRecords: a fetcher whose last epoch ends elsewhere here must truncate first.
std::optional<log::EpochEndOffset> Partition::divergence(const ReadOptions& options) {
  if (options.last_fetched_epoch < 0) return std::nullopt;
  // Below the start there is nothing to compare: the reader must hear that it is out of range.
  if (options.from < log_->start_offset()) return log::EpochEndOffset{};
  const auto end = log_->end_offset_for_epoch(LeaderEpoch{options.last_fetched_epoch});
  if (!end || end->end == kNoOffset || end->epoch == kNoLeaderEpoch) return log::EpochEndOffset{};
  if (end->epoch.value < options.last_fetched_epoch || end->end < options.from) return *end;
  return std::nullopt;
}

namespace {

Read cold_read() { return {.slice = {}, .diverging = {}, .aborted = {}, .cold = true}; }

}  // namespace

Read Partition::read(const ReadOptions& options) {
  if (is_cold(options.haste)) return cold_read();
  if (const ErrorCode error = ready(options.current_leader_epoch); error != ErrorCode::kNone)
    return refuse(error);
  Read out{.high_watermark = high_watermark_, .slice = {}, .diverging = {}, .aborted = {}};
  out.leader = leader_;
  out.leader_epoch = leader_epoch_;
  out.log_start = log_->start_offset();
  const auto stable = last_stable_offset();
  if (!stable) return refuse(ErrorCode::kKafkaStorageError);
  out.last_stable_offset = *stable;
  if (auto diverging = divergence(options)) {
    if (diverging->end == kNoOffset) return refuse(ErrorCode::kOffsetOutOfRange);
    out.diverging = diverging;
    return out;
  }
  const bool committed = options.isolation == Isolation::kReadCommitted;
  const Offset upper = committed && !fault_is(Fault::kDeliverUncommitted) ? *stable : high_watermark_;
  auto found = log_->read(options.from, options.max_bytes, upper, options.min_one, options.haste);
  if (!found && found.error().kind == ErrorKind::kWouldBlock) return cold_read();
  if (!found) {
    keeper_->disk_failed(found.error());
    return refuse(ErrorCode::kKafkaStorageError);
  }
  if (found->error == ErrorCode::kCorruptMessage) tell_notes();
  if (found->error != ErrorCode::kNone) return refuse(found->error);
  out.slice = std::move(found->slice);
  out.first_batch_cut = found->first_batch_cut;
  out.more = out.slice.length > 0 && found->end_bound < std::min(upper, log_->end_offset());
  if (committed) {
    out.aborted.emplace();
    if (out.slice.length > 0) {
      auto aborted = log_->aborted_transactions(options.from, found->end_bound, options.haste);
      if (!aborted && aborted.error().kind == ErrorKind::kWouldBlock) return cold_read();
      if (!aborted) return refuse(ErrorCode::kKafkaStorageError);
      out.aborted = std::move(*aborted);
    }
  }
  return out;
}

void Partition::watch(const std::shared_ptr<FetchWaiter>& waiter, Offset seen_high_watermark) {
  if (!watchers_) watchers_ = std::make_unique<Watchers>();
  auto& [all, places] = *watchers_;
  if (const auto [place, is_new] = places.try_emplace(waiter.get()); is_new)
    place->second = all.insert(all.end(), waiter);
  if (offline_ || leader_ != self_ || seen_high_watermark != high_watermark_) waiter->changed();
}

void Partition::unwatch(const FetchWaiter* waiter) {
  if (!watchers_) return;
  auto& [all, places] = *watchers_;
  const auto place = places.find(waiter);
  if (place == places.end()) return;
  all.erase(place->second);
  places.erase(place);
}

Partition::Found Partition::find_offset(std::int64_t timestamp, Isolation isolation,
                                        std::int32_t current_leader_epoch, env::Haste* haste) {
  if (is_cold(haste)) return {.at = {}, .cold = true};
  if (const ErrorCode error = ready(current_leader_epoch); error != ErrorCode::kNone)
    return {.error = error, .at = {}};
  const auto stable = last_stable_offset();
  if (!stable) return {.error = ErrorCode::kKafkaStorageError, .at = {}};
  const Offset end = isolation == Isolation::kReadCommitted ? *stable : high_watermark_;
  if (timestamp == log::kLatestTimestamp) {
    return {.at = log::TimestampOffset{.timestamp = -1, .offset = end, .leader_epoch = leader_epoch_}};
  }
  auto found = log_->lookup(timestamp, haste);
  if (!found && found.error().kind == ErrorKind::kWouldBlock) return {.at = {}, .cold = true};
  if (!found) return {.error = ErrorCode::kKafkaStorageError, .at = {}};
  // What is not yet readable must not be told.
  const bool named = timestamp == log::kEarliestTimestamp || timestamp == log::kEarliestLocalTimestamp;
  if (*found && !named && (*found)->offset >= end) return {.at = std::nullopt};
  return {.at = *found};
}

Partition::Deleted Partition::delete_records(Offset offset) {
  if (const ErrorCode error = ready(); error != ErrorCode::kNone) return {.error = error};
  const Offset wanted = offset == kNoOffset ? high_watermark_ : offset;
  if (wanted < Offset{0} || wanted > high_watermark_) return {.error = ErrorCode::kOffsetOutOfRange};
  const auto done = log_->advance_start_offset(wanted, high_watermark_);
  if (!done) {
    keeper_->disk_failed(done.error());
    return {.error = ErrorCode::kKafkaStorageError};
  }
  if (*done != ErrorCode::kNone) return {.error = *done};
  tell_changed();
  return {.low_watermark = log_->start_offset()};
}

}  // namespace moldau::replica
