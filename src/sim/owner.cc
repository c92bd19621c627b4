// What a member does with its time, and what becomes of it.
#include "sim/owner.h"

#include <algorithm>

#include "wire/gen/find_coordinator.h"

namespace moldau::sim {
namespace {

using wire::ErrorCode;

TopicPartitions minus(const TopicPartitions& all, const TopicPartitions& without) {
  TopicPartitions rest;
  std::ranges::set_difference(all, without, std::inserter(rest, rest.end()));
  return rest;
}

}  // namespace

std::string OwnerSpec::to_string() const {
  return std::string(classic ? "classic" : "consumer") + (migrates ? " migrating" : "") +
         " ConsumerGroupHeartbeat " + std::to_string(heartbeat_version) + " OffsetCommit " +
         std::to_string(commit_version) + " OffsetFetch " + std::to_string(fetch_version) + " JoinGroup " +
         std::to_string(join_version) + " rebalance " + std::to_string(rebalance_ms) +
         (assignor.empty() ? "" : " " + assignor) + (by_regex ? " by regex" : "") +
         (instance_id ? " static " + *instance_id : "");
}

Owner::Owner(World& world, std::string name, OwnerSpec spec, OwnerBook& book)
    : Client(world, name),
      spec_(std::move(spec)),
      book_(book),
      number_(book.add_member(name)),
      classic_(spec_.classic) {
  standing().session_ms = kSessionMs;
  standing().rebalance_ms = spec_.rebalance_ms;
  if (spec_.by_regex) regex_ = "t.*";
  for (const auto& [topic, commits] : book_.topics())
    if (!spec_.by_regex) names_.push_back(topic);
  start_anew(true);
}

TopicPartitions Owner::wanted() const {
  TopicPartitions wanted;
  if (classic_) return all_partitions();
  for (const TopicPartition& partition : all_partitions()) {
    const bool by_name = std::ranges::find(names_, partition.first) != names_.end();
    const bool by_regex = !regex_.empty() && (regex_ == "t.*" || partition.first == "t0");
    if (by_name || by_regex) wanted.insert(partition);
  }
  return wanted;
}

TopicPartitions Owner::all_partitions() const {
  TopicPartitions all;
  if (world_.broker() == nullptr) return all;
  const auto image = world_.broker()->services().images.get();
  for (const auto& [name, commits] : book_.topics()) {
    const metadata::Topic* topic = image->find_topic(name);
    for (std::size_t i = 0; topic != nullptr && i < topic->partitions.size(); ++i)
      all.emplace(name, static_cast<std::int32_t>(i));
  }
  return all;
}

std::string Owner::topic_of(const Uuid& id) {
  for (const auto& [name, commits] : book_.topics())
    if (commits->topic().id == id) return name;
  world_.violate(name() + " is told of a topic that it does not want: " + id.to_string());
  return "";
}

void Owner::disconnected() {
  busy_ = false;
  tell_all_ = true;
  if (phase_ == Phase::kJoined) phase_ = Phase::kFound;
}

void Owner::go_on_soon(std::int64_t most_ms) {
  busy_ = false;
  if (resting_) return;
  resting_ = true;
  after(milliseconds(world_.random.between(1, most_ms)), [this] {
    resting_ = false;
    go_on();
  });
}

void Owner::go_on() {
  if (busy_ || resting_ || !is_connected() || left()) return;
  if (std::exchange(era_, book_.era()) != book_.era()) start_anew(one_in(2));
  if (std::exchange(revokes_, false)) {
    give_up(held_);
    phase_ = Phase::kFound;
  }
  busy_ = true;
  switch (phase_) {
    case Phase::kOut:
      return find();
    case Phase::kFound:
      return classic_ ? join() : heartbeat();
    case Phase::kJoined:
      return;
    case Phase::kIn:
      return work();
  }
}

void Owner::find() {
  wire::FindCoordinatorRequest request;
  request.key = book_.group();
  ask<wire::FindCoordinatorResponse>(3, request, [this](const wire::FindCoordinatorResponse& response) {
    if (response.error_code == 0) phase_ = epoch_ > 0 && !classic_ ? Phase::kIn : Phase::kFound;
    go_on_soon();
  });
}

void Owner::work() {
  if (world_.calm) return work_in_calm();
  if (one_in(12)) return misbehave();
  switch (below(5)) {
    case 0:
      return look_up();
    case 1:
      if (!held_.empty()) return commit();
      [[fallthrough]];
    default:
      return classic_ ? classic_heartbeat() : heartbeat();
  }
}

// Owns what it shall own, may commit for it, and is described as it is.
void Owner::work_in_calm() {
  const bool at_rest = held_ == assigned_ && !tell_all_;
  if (at_rest && !settled_ && one_in(2)) {
    const auto alive =
        std::ranges::find_if(held_, [&](const auto& p) { return !book_.commits(p.first).topic().dying; });
    return committed_in_calm_ || alive == held_.end() ? describe() : commit();
  }
  classic_ ? classic_heartbeat() : heartbeat();
}

void Owner::misbehave() {
  switch (below(spec_.migrates ? 12 : 10)) {
    case 0:
      return go_on_soon(2 * kSessionMs);  // stalls
    case 1:
      return crash();
    case 2:
      start_anew(false);
      return go_on_soon();
    case 3:
      return leave_group();
    case 4:
    case 5:
      return commit_wrongly();
    case 6:
    case 7:
    case 8:
      return classic_ ? classic_heartbeat() : beat_wrongly();
    case 9:
      return classic_ ? classic_heartbeat() : change_wishes();
    default:
      return switch_protocol();
  }
}

// The process is gone without a word, and another one comes up.
void Owner::crash() {
  world_.note([&] { return name() + " (" + id_ + ") crashes"; });
  start_anew(true);
  if (one_in(2)) drop_connection();
  go_on_soon(one_in(4) ? 2 * kSessionMs : 200);
}

void Owner::switch_protocol() {
  const bool leaves = one_in(2);
  world_.note([&] {
    return name() + " (" + id_ + ") becomes " + (classic_ ? "a consumer" : "a classic") + " member" +
           (leaves ? "" : " without a word");
  });
  if (leaves) leave_group();
  classic_ = !classic_;
  start_anew(true);
  if (!leaves) go_on_soon(200);
}

void Owner::leave_group() {
  if (classic_) return leave_classic();
  leave_with(spec_.instance_id && !one_in(3) ? -2 : -1);
}

void Owner::told(ErrorCode error) {
  world_.note([&] { return name() + " (" + id_ + ") is told " + std::string(wire::name(error)); });
  tell_all_ = true;
  settled_ = false;
  switch (error) {
    case ErrorCode::kRebalanceInProgress:
      revokes_ = true;
      // It finishes what it is at, as long as it takes.
      return go_on_soon(!world_.calm && one_in(8) ? 2 * spec_.rebalance_ms : 100);
    case ErrorCode::kIllegalGeneration:
      give_up(held_);
      phase_ = Phase::kFound;
      break;
    case ErrorCode::kUnknownMemberId:
    case ErrorCode::kFencedMemberEpoch:
    case ErrorCode::kGroupIdNotFound:
      start_anew(false);
      break;
    case ErrorCode::kFencedInstanceId:
      start_anew(true);
      break;
    case ErrorCode::kUnreleasedInstanceId:  // of its former self
      return go_on_soon(300);
    case ErrorCode::kStaleMemberEpoch:
      break;
    case ErrorCode::kCoordinatorLoadInProgress:
    case ErrorCode::kCoordinatorNotAvailable:
    case ErrorCode::kNotCoordinator:
      if (phase_ != Phase::kIn) phase_ = Phase::kOut;
      break;
    default:
      world_.violate(name() + " is told " + std::string(wire::name(error)));
  }
  go_on_soon();
}

// It joins with nothing in its hands; as whom it was, or as somebody else.
void Owner::start_anew(bool with_new_id) {
  give_up(held_);
  if (classic_ || spec_.heartbeat_version == 0) {
    if (with_new_id || classic_) id_.clear();
  } else if (with_new_id || id_.empty()) {
    id_ = name() + "-" + std::to_string(++ids_made_);
  }
  if (phase_ != Phase::kOut) phase_ = Phase::kFound;
  ++incarnation_;
  epoch_ = 0;
  epochs_.clear();
  lacked_.clear();
  assigned_.clear();
  told_.clear();
  planned_.reset();
  seen_.clear();
  standing().asked.clear();
  tell_all_ = true;
  letting_go_ = revokes_ = settled_ = false;
}

void Owner::give_up(const TopicPartitions& partitions) {
  if (partitions.empty()) return;
  world_.note([&] { return name() + " (" + id_ + ") gives up " + sim::to_string(partitions); });
  settled_ = false;
  for (const TopicPartition& partition : partitions) book_.gives_up(number_, partition, world_.clock.now());
  held_ = minus(held_, partitions);
  if (classic_) assigned_ = held_;
}

void Owner::take(const TopicPartitions& partitions, env::Instant from) {
  const TopicPartitions more = minus(partitions, held_);
  if (more.empty()) return;
  world_.note([&] {
    return name() + " (" + id_ + ") at epoch " + std::to_string(epoch_) + " takes " + sim::to_string(more);
  });
  settled_ = false;
  held_.insert(more.begin(), more.end());
  for (const TopicPartition& partition : more) book_.takes(number_, partition, from);
}

// The group may be another one since it was asked, and what it told is nothing any more.
bool Owner::outdated(const Asked& asked) {
  if (asked.era == book_.era()) return false;
  go_on_soon();
  return true;
}

}  // namespace moldau::sim
