#include "sim/member.h"

#include <algorithm>

#include "wire/gen/find_coordinator.h"
#include "wire/gen/heartbeat.h"
#include "wire/gen/leave_group.h"

namespace moldau::sim {
namespace {

using wire::ErrorCode;

constexpr std::int32_t kSessionMs = 1500, kRebalanceMs = 2500;
// A join waits for members that are gone: until their session is over, or the rebalance.
// Behind a loss of power an old generation may come again; one so far ahead never comes.
constexpr std::int32_t kFarAhead = 1000;
constexpr std::int32_t kLongestJoinMs = 2 * (kSessionMs + kRebalanceMs);

}  // namespace

std::string MemberSpec::to_string() const {
  return "JoinGroup " + std::to_string(join_version) + " SyncGroup " + std::to_string(sync_version) +
         " Heartbeat " + std::to_string(heartbeat_version) + " OffsetCommit " +
         std::to_string(commit_version) + " OffsetFetch " + std::to_string(fetch_version) +
         (instance_id ? " static " + *instance_id : "");
}

Member::Member(World& world, std::string name, MemberSpec spec, GroupBook& book)
    : Client(world, std::move(name)), spec_(std::move(spec)), book_(book) {}

void Member::connected() { go_on(); }

void Member::disconnected() {
  busy_ = false;
  if (phase_ == Phase::kJoined) phase_ = Phase::kFound;
}

void Member::go_on_soon(std::int64_t most_ms) {
  busy_ = false;
  if (resting_) return;
  resting_ = true;
  after(milliseconds(world_.random.between(1, most_ms)), [this] {
    resting_ = false;
    go_on();
  });
}

void Member::go_on() {
  if (busy_ || resting_ || !is_connected() || left()) return;
  busy_ = true;
  switch (phase_) {
    case Phase::kOut:
      return find();
    case Phase::kFound:
      return join();
    case Phase::kJoined:
      return;
    case Phase::kStable:
      return work();
  }
}

void Member::find() {
  wire::FindCoordinatorRequest request;
  request.key = book_.group();
  ask<wire::FindCoordinatorResponse>(3, request, [this](const wire::FindCoordinatorResponse& response) {
    if (response.error_code == 0) phase_ = Phase::kFound;
    go_on_soon();
  });
}

void Member::join() {
  static constexpr std::uint8_t kMetadata[] = {1};
  wire::JoinGroupRequest request{.group_id = book_.group(),
                                 .session_timeout_ms = kSessionMs,
                                 .rebalance_timeout_ms = spec_.join_version == 0 ? -1 : kRebalanceMs,
                                 .member_id = id_,
                                 .protocol_type = "virtual",
                                 .protocols = {{.name = "share", .metadata = kMetadata}}};
  if (spec_.instance_id) request.group_instance_id = *spec_.instance_id;
  ask<wire::JoinGroupResponse>(
      spec_.join_version, request, [this](const wire::JoinGroupResponse& response) { joined(response); },
      kLongestJoinMs);
}

void Member::joined(const wire::JoinGroupResponse& response) {
  const ErrorCode error = error_of(response.error_code);
  if (error == ErrorCode::kMemberIdRequired) {
    id_ = response.member_id;
    return go_on_soon(20);
  }
  if (error != ErrorCode::kNone) return told(error);
  id_ = response.member_id;
  generation_ = response.generation_id;
  phase_ = Phase::kJoined;
  sync(response);
}

void Member::sync(const wire::JoinGroupResponse& response) {
  std::vector<std::string> texts, members;
  if (response.leader == id_ && !response.skip_assignment) {
    for (const auto& member : response.members) members.emplace_back(member.member_id);
    // Told that it leads, but not whom: a static member that took another's place goes on as things are.
    for (const Share& share : book_.plan(generation_, members)) texts.push_back(share.to_string());
  }
  wire::SyncGroupRequest request{.group_id = book_.group(),
                                 .generation_id = generation_,
                                 .member_id = id_,
                                 .protocol_type = "virtual",
                                 .protocol_name = "share"};
  if (spec_.instance_id) request.group_instance_id = *spec_.instance_id;
  for (std::size_t i = 0; i < texts.size(); ++i)
    request.assignments.push_back(
        {.member_id = members[i],
         .assignment = ByteView(reinterpret_cast<const std::uint8_t*>(texts[i].data()), texts[i].size())});
  ask<wire::SyncGroupResponse>(
      spec_.sync_version, request, [this](const wire::SyncGroupResponse& response) { synced(response); },
      kLongestJoinMs);
}

void Member::synced(const wire::SyncGroupResponse& response) {
  if (response.error_code != 0) return told(error_of(response.error_code));
  const std::string_view text(reinterpret_cast<const char*>(response.assignment.data()),
                              response.assignment.size());
  const Share share = Share::parse(text);
  // A static member that came back under another id is told what it was before.
  if (!text.empty() && !spec_.instance_id) book_.assigned(id_, generation_, share);
  world_.note([&] { return name() + " (" + id_ + ") is stable with " + std::string(text); });
  owned_ = share.partitions;
  phase_ = Phase::kStable;
  go_on_soon();
}

void Member::told(ErrorCode error) {
  world_.note([&] { return name() + " (" + id_ + ") is told " + std::string(wire::name(error)); });
  switch (error) {
    case ErrorCode::kNone:
      break;
    case ErrorCode::kRebalanceInProgress:
      phase_ = Phase::kFound;
      break;
    case ErrorCode::kUnknownMemberId:
    case ErrorCode::kFencedInstanceId:
    case ErrorCode::kGroupIdNotFound:  // the power took it
    case ErrorCode::kIllegalGeneration:
      forget_who_i_am();
      break;
    case ErrorCode::kCoordinatorLoadInProgress:
    case ErrorCode::kCoordinatorNotAvailable:
    case ErrorCode::kNotCoordinator:
      phase_ = phase_ == Phase::kStable ? phase_ : Phase::kOut;
      break;
    default:
      world_.violate(name() + " is told " + std::string(wire::name(error)));
  }
  go_on_soon();
}

void Member::forget_who_i_am() {
  id_.clear();
  owned_.clear();
  phase_ = Phase::kFound;
}

void Member::work() {
  if (!world_.calm && one_in(12)) return misbehave();
  switch (below(4)) {
    case 0:
      return look_up();
    case 1:
      return owned_.empty() ? heartbeat() : commit();
    default:
      return heartbeat();
  }
}

void Member::misbehave() {
  switch (below(4)) {
    case 0:
      return go_on_soon(2 * kSessionMs);  // stalls
    case 1:
      forget_who_i_am();
      return go_on_soon();
    case 2:
      return leave_group();
    default:
      return commit_for(generation_ + kFarAhead, book_.next_forbidden());
  }
}

void Member::heartbeat() {
  wire::HeartbeatRequest request{.group_id = book_.group(), .generation_id = generation_, .member_id = id_};
  if (spec_.instance_id) request.group_instance_id = *spec_.instance_id;
  ask<wire::HeartbeatResponse>(
      spec_.heartbeat_version, request,
      [this](const wire::HeartbeatResponse& response) { told(error_of(response.error_code)); });
}

void Member::commit() { commit_for(generation_, book_.next_number()); }

void Member::commit_for(std::int32_t generation, std::int64_t number) {
  if (owned_.empty()) return go_on_soon();
  const std::int32_t partition =
      *std::next(owned_.begin(), static_cast<std::ptrdiff_t>(below(owned_.size())));
  wire::OffsetCommitRequest request{
      .group_id = book_.group(), .generation_id_or_member_epoch = generation, .member_id = id_};
  if (spec_.instance_id) request.group_instance_id = *spec_.instance_id;
  request.topics.push_back({.name = book_.topic().name,
                            .partitions = {{.partition_index = partition, .committed_offset = number}}});
  ask<wire::OffsetCommitResponse>(
      spec_.commit_version, request, [this, partition, number](const wire::OffsetCommitResponse& response) {
        if (response.topics.size() != 1 || response.topics[0].partitions.size() != 1)
          return world_.violate(name() + " committed for one partition, and is told of another number");
        const ErrorCode error = error_of(response.topics[0].partitions[0].error_code);
        if (error == ErrorCode::kNone) book_.committed(partition, number);
        // The topic may be deleted under it.
        if (error == ErrorCode::kUnknownTopicOrPartition) return go_on_soon();
        told(error);
      });
}

void Member::look_up() {
  const auto partition = static_cast<std::int32_t>(below(static_cast<std::uint64_t>(book_.partitions())));
  wire::OffsetFetchRequest request;
  request.group_id = book_.group();
  request.topics = {{.name = book_.topic().name, .partition_indexes = {partition}}};
  ask<wire::OffsetFetchResponse>(
      spec_.fetch_version, request,
      [this, partition, floor = book_.acknowledged(partition)](const wire::OffsetFetchResponse& response) {
        const bool told_of = response.topics.size() == 1 && response.topics[0].partitions.size() == 1;
        const std::int16_t error =
            told_of ? response.topics[0].partitions[0].error_code : response.error_code;
        if (error == 0 && told_of)
          book_.fetched(partition, response.topics[0].partitions[0].committed_offset, floor);
        go_on_soon();
      });
}

void Member::leave_group() {
  wire::LeaveGroupRequest request;
  request.group_id = book_.group();
  request.member_id = id_;
  ask<wire::LeaveGroupResponse>(1, request, [this](const wire::LeaveGroupResponse&) {
    forget_who_i_am();
    go_on_soon(500);
  });
}

}  // namespace moldau::sim
