#include "replica/log_mover.h"

#include <algorithm>
#include <utility>

#include "record/batch.h"

namespace moldau::replica {
namespace {

constexpr std::string_view kLogger = "kafka.server.ReplicaAlterLogDirsThread";
constexpr std::uint64_t kUnknownTruncations = ~std::uint64_t{0};

}  // namespace

LogMover::LogMover(const World& world, std::shared_ptr<SharedPartition> partition,
                   log::LogManager::Handle current, log::LogManager::Handle future)
    : world_(world),
      partition_(std::move(partition)),
      current_(std::move(current)),
      future_(std::move(future)),
      guard_(std::make_shared<log::FutureGuard>()),
      name_(log::LogManager::partition(current_)) {
  log::LogManager::set_exclusion(future_, guard_);
}

void LogMover::start(bool resumed) {
  world_.events.write(env::Level::kInfo, kLogger,
                      std::string(resumed ? "Going on to move " : "Moving ") + name_.to_string() + " from " +
                          log::LogManager::directory(current_) + " to " +
                          log::LogManager::directory(future_));
  Status aligned;
  partition_->with([&](Partition& p) {
    truncations_ = kUnknownTruncations;
    if (p.offline() || !p.log().look()) return;  // nothing is appended then, and the steps meet it too
    if (resumed) guard_->hold([&] { aligned = align(p.log()); });
    truncations_ = p.log().truncations();
  });
  if (!aligned) return give_up(aligned.error().message);
  submit();
}

void LogMover::submit() {
  const bool queued =
      world_.background.submit(std::hash<const void*>{}(this), [self = shared_from_this()] { self->step(); });
  if (!queued) resting_.store(true, std::memory_order_release);
}

void LogMover::tick() {
  if (!ended() && resting_.exchange(false, std::memory_order_acq_rel)) submit();
}

void LogMover::cancel() {
  ended_.store(true, std::memory_order_release);
  partition_->with([](Partition&) {});
  guard_->close();
}

void LogMover::step() {
  if (ended()) return;
  switch (advance()) {
    case Next::kMore:
      return submit();
    case Next::kRest:
      return resting_.store(true, std::memory_order_release);
    case Next::kEnd:
      return ended_.store(true, std::memory_order_release);
  }
}

LogMover::Next LogMover::advance() {
  Plan plan;
  partition_->with([&](Partition& p) { plan = make_plan(p); });
  const Next next = plan.next ? *plan.next : copy(plan);
  return tell(std::exchange(trouble_, {})) ? Next::kEnd : next;
}

// A disk that has failed takes its directory offline, and with it the move.
bool LogMover::tell(const Trouble& trouble) {
  if (trouble.odd) {
    give_up(*trouble.odd);
  } else if (const auto& error = trouble.future ? trouble.future : trouble.current) {
    world_.events.write(env::Level::kError, kLogger,
                        "Moving " + name_.to_string() + " has ended: " + error->message);
  }
  if (trouble.future) world_.logs.disk_failed(future_, *trouble.future);
  if (trouble.current) world_.logs.disk_failed(current_, *trouble.current);
  return trouble.odd || trouble.future || trouble.current;
}

// A full disk is no trouble: there may be room again.
LogMover::Next LogMover::after(const Error& error, std::optional<Error> Trouble::* whose) {
  if (error.kind == ErrorKind::kNoSpace) return Next::kRest;
  if (error.kind == ErrorKind::kIo || error.kind == ErrorKind::kNotFound)
    trouble_.*whose = error;
  else
    trouble_.odd = error.message;
  return Next::kEnd;
}

void LogMover::give_up(const std::string& why) {
  world_.events.write(env::Level::kError, kLogger, "Moving " + name_.to_string() + " has ended: " + why);
  ended_.store(true, std::memory_order_release);
  guard_->close();
  (void)world_.logs.remove_future(name_);
}

// What to copy next; or, where little is left, the end of it all.
LogMover::Plan LogMover::make_plan(Partition& p) {
  Plan plan;
  if (ended() || p.offline()) return {.next = Next::kEnd};
  log::Log& source = p.log();
  Status followed;
  const bool held = guard_->hold([&] {
    if (log::LogManager::gone(future_)) return;
    if (source.truncations() != truncations_) followed = align(source);
    truncations_ = source.truncations();
    plan.from = std::max(log::LogManager::log(future_).end_offset(), source.start_offset());
  });
  if (!held || log::LogManager::gone(future_)) return {.next = Next::kEnd};
  if (!followed) return {.next = after(followed.error(), &Trouble::future)};
  plan.start = source.start_offset();
  plan.truncations = truncations_;
  const std::uint64_t allowed = world_.throttle->room(world_.logs.now());
  if (allowed == 0) return {.next = Next::kRest};
  const auto room =
      std::min({world_.chunk_bytes, static_cast<std::uint64_t>(source.config().segment_bytes), allowed});
  auto found = source.read(plan.from, room, source.end_offset(), true);
  if (!found) return {.next = after(found.error(), &Trouble::current)};
  if (found->error != wire::ErrorCode::kNone) {
    trouble_.odd = "offset " + std::to_string(plan.from.value) + " cannot be read";
    return {.next = Next::kEnd};
  }
  plan.slice = std::move(found->slice);
  if (plan.slice.length == 0) plan.skip_to = source.end_offset();
  plan.last = plan.slice.length == 0 || found->end_bound >= source.end_offset();
  if (plan.last && settled_) plan.next = finish(p, plan);
  if (!plan.last) settled_ = false;
  return plan;
}

LogMover::Next LogMover::copy(const Plan& plan) {
  const auto whole = read(plan.slice);
  if (!whole) return after(whole.error(), &Trouble::current);
  bool same = false;
  partition_->with(
      [&](Partition& p) { same = !ended() && !p.offline() && p.log().truncations() == plan.truncations; });
  if (!*whole || !same) return Next::kMore;
  Status added;
  const bool held = guard_->hold([&] {
    if (!log::LogManager::gone(future_)) added = add(plan);
  });
  if (!held || log::LogManager::gone(future_)) return Next::kEnd;
  if (!added) return after(added.error(), &Trouble::future);
  return plan.last ? settle() : Next::kMore;
}

// Caught up: what can be done before the partition is held is done now.
LogMover::Next LogMover::settle() {
  Status done = world_.logs.flush(future_);
  if (done) done = world_.logs.settle_future(future_);
  if (!done) return after(done.error(), &Trouble::future);
  settled_ = true;
  return Next::kMore;
}

LogMover::Next LogMover::finish(Partition& p, const Plan& plan) {
  settled_ = false;
  const auto whole = read(plan.slice);
  if (!whole) return after(whole.error(), &Trouble::current);
  Status added;
  log::LogManager::Promotion promotion;
  bool equal = false;
  const Home home = world_.home_of(future_, partition_);
  guard_->hold([&] {
    if (!*whole || log::LogManager::gone(future_)) return;
    added = add(plan);
    log::Log &source = p.log(), &copy = log::LogManager::log(future_);
    equal = added && copy.end_offset() == source.end_offset() && copy.start_offset() == source.start_offset();
    if (!equal) return;
    promotion = world_.logs.promote(current_, future_);
    if (!promotion.done) return;
    log::LogManager::set_exclusion(future_, home.exclusion);
    guard_->succeed_within(home.exclusion);
    p.move_to(copy, home.keeper, home.directory);
  });
  if (!added) return after(added.error(), &Trouble::future);
  if (!equal) return Next::kMore;
  trouble_.current = promotion.current_trouble;
  if (promotion.done) {
    world_.events.write(env::Level::kInfo, kLogger,
                        "Moved " + name_.to_string() + " to " + log::LogManager::directory(future_));
    world_.moved();
    return Next::kEnd;
  }
  if (promotion.current_trouble) p.go_offline(wire::ErrorCode::kKafkaStorageError);
  return after(*promotion.future_trouble, &Trouble::future);
}

// Cuts the copy where it and the log went different ways (KIP-101), or begins it anew where the log has
// records that it lacks. Both are held.
Status LogMover::align(log::Log& source) {
  log::Log& copy = log::LogManager::log(future_);
  TRY(copy.look());
  settled_ = false;
  if (copy.start_offset() > source.start_offset())
    return world_.logs.truncate_fully(future_, source.start_offset());
  for (;;) {
    Offset cut = std::min(copy.end_offset(), source.end_offset());
    TRY_ASSIGN(latest, copy.latest_epoch());
    if (latest != kNoLeaderEpoch) {
      TRY_ASSIGN(theirs, source.end_offset_for_epoch(latest));
      if (theirs.epoch != kNoLeaderEpoch) cut = std::min(cut, theirs.end);
      if (theirs.epoch != kNoLeaderEpoch && theirs.epoch < latest) {
        TRY_ASSIGN(ours, copy.end_offset_for_epoch(theirs.epoch));
        if (ours.end != kNoOffset) cut = std::min(cut, ours.end);
      }
    }
    if (cut >= copy.end_offset()) return {};
    TRY(world_.logs.truncate(future_, cut));
  }
}

// False: the file is shorter by now.
Result<bool> LogMover::read(const env::FileSlice& slice) {
  buffer_.resize(slice.length);
  if (slice.length == 0) return true;
  world_.throttle->copied(slice.length, world_.logs.now());
  TRY_ASSIGN(got, slice.file->read_at(slice.position, buffer_));
  return got == slice.length;
}

// Whether offsets are missing behind `next`. A batch that has rotted is not carried on: its header, believed
// anew, could do more harm than the records it cannot give any more.
Result<bool> LogMover::inspect(Offset next) const {
  bool holes = false;
  record::BatchIterator batches(buffer_);
  while (const auto batch = batches.next()) {
    if (!batch->crc_ok())
      return fail(ErrorKind::kCorrupt, "expected the batch at offset " +
                                           std::to_string(batch->header().base_offset.value) +
                                           " to match its checksum, found another");
    holes |= batch->header().magic >= 2 && batch->header().base_offset > next;
    next = batch->header().next_offset();
  }
  return holes;
}

// What is in the buffer goes behind the copy's end. The first batch may begin below the offset that was asked
// for.
Status LogMover::add(const Plan& plan) {
  log::Log& copy = log::LogManager::log(future_);
  Offset base = plan.from;
  if (!buffer_.empty()) {
    record::BatchIterator batches(buffer_);
    const auto first = batches.next();
    if (!first)
      return fail(ErrorKind::kCorrupt, "found no batch at offset " + std::to_string(plan.from.value));
    if (first->header().magic >= 2) base = std::min(first->header().base_offset, plan.from);
  }
  if (copy.end_offset() < plan.from) {
    TRY(world_.logs.truncate_fully(future_, base));
  } else if (base < copy.end_offset()) {
    TRY(world_.logs.truncate(future_, base));
  }
  if (!buffer_.empty()) {
    TRY_ASSIGN(holes, inspect(copy.end_offset()));
    if (holes) TRY(allow_holes());
    TRY(append_batches(copy));
  } else if (copy.end_offset() < plan.skip_to) {
    TRY(allow_holes());
    TRY(copy.skip_to(plan.skip_to, world_.logs.now_ms()));
  }
  TRY(copy.advance_start_offset(std::min(plan.start, copy.end_offset()), copy.end_offset()));
  return {};
}

Status LogMover::allow_holes() {
  if (!std::exchange(holes_allowed_, true)) TRY(world_.logs.allow_holes(future_, current_));
  return {};
}

Status LogMover::append_batches(log::Log& copy) {
  // A batch that was taken when segment.bytes was larger has its place too.
  const auto config = std::make_shared<const log::LogConfig>(copy.config());
  const bool large = buffer_.size() > static_cast<std::uint64_t>(config->segment_bytes);
  if (large) {
    auto wide = std::make_shared<log::LogConfig>(*config);
    wide->segment_bytes = static_cast<decltype(wide->segment_bytes)>(buffer_.size());
    copy.set_config(std::move(wide));
  }
  const auto done =
      copy.append(buffer_, {.origin = log::AppendOrigin::kFollower, .now_ms = world_.logs.now_ms()});
  if (large) copy.set_config(config);
  if (!done) return std::unexpected(done.error());
  if (done->error != wire::ErrorCode::kNone) return fail(ErrorKind::kCorrupt, done->message);
  return {};
}

}  // namespace moldau::replica
