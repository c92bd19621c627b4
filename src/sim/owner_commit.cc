// What a member commits, what it must not be able to, and what it is told of it.
#include <algorithm>

#include "sim/owner.h"
#include "wire/gen/offset_fetch.h"

namespace moldau::sim {
namespace {

using wire::ErrorCode;

constexpr std::int16_t kFirstCommitWithIds = 10, kFirstFetchWithIds = 10, kFirstFetchWithMembers = 9,
                       kLastCommitWithoutEpochs = 8;
constexpr std::int32_t kFarAhead = 1000;

const TopicPartition& some_of(const TopicPartitions& partitions, std::uint64_t lot) {
  return *std::next(partitions.begin(), static_cast<std::ptrdiff_t>(lot));
}

}  // namespace

void Owner::commit() {
  const TopicPartition partition = some_of(held_, below(held_.size()));
  commit_for(partition, epoch_, book_.commits(partition.first).next_number(),
             classic_ ? spec_.classic_commit_version : spec_.commit_version);
}

// At an epoch that has not come, at one that was before it had the partition, without an epoch.
void Owner::commit_wrongly() {
  const TopicPartitions all = all_partitions();
  if (all.empty()) return go_on_soon();
  const TopicPartition partition = some_of(all, below(all.size()));
  const std::int64_t number = book_.commits(partition.first).next_forbidden();
  const std::int16_t version = classic_ ? spec_.classic_commit_version : spec_.commit_version;
  if (!classic_ && one_in(4)) return commit_for(partition, epoch_, number, kLastCommitWithoutEpochs);
  const auto lacked = lacked_.find(partition);
  std::vector<std::int32_t> old;
  for (const std::int32_t epoch : epochs_)
    if (lacked != lacked_.end() && epoch < lacked->second) old.push_back(epoch);
  const bool past = !classic_ && !old.empty() && !one_in(4);
  commit_for(partition, past ? old[below(old.size())] : epoch_ + kFarAhead, number, version);
}

void Owner::commit_for(const TopicPartition& partition, std::int32_t epoch, std::int64_t number,
                       std::int16_t version) {
  GroupBook& commits = book_.commits(partition.first);
  wire::OffsetCommitRequest request{
      .group_id = book_.group(), .generation_id_or_member_epoch = epoch, .member_id = id_};
  if (spec_.instance_id) request.group_instance_id = *spec_.instance_id;
  request.topics.push_back(
      {.name = commits.topic().name,
       .partitions = {{.partition_index = partition.second, .committed_offset = number}}});
  if (version >= kFirstCommitWithIds) request.topics[0].topic_id = commits.topic().id;
  const bool wrong = commits.forbidden(number);
  world_.note([&] {
    return name() + " (" + id_ + ") commits " + std::to_string(number) + " for " +
           sim::to_string(TopicPartitions{partition}) + " at epoch " + std::to_string(epoch);
  });
  const Asked asked = now_asked();
  ask<wire::OffsetCommitResponse>(
      version, request,
      [this, asked, &commits, partition, number, wrong](const wire::OffsetCommitResponse& response) {
        if (outdated(asked)) return;
        if (response.topics.size() != 1 || response.topics[0].partitions.size() != 1)
          return world_.violate(name() + " committed for one partition, and is told of another number");
        const ErrorCode error = error_of(response.topics[0].partitions[0].error_code);
        if (error == ErrorCode::kNone) {
          commits.committed(partition.second, number);
          committed_in_calm_ |= world_.calm;
          return go_on_soon();
        }
        const bool gone = error == ErrorCode::kUnknownTopicOrPartition || error == ErrorCode::kUnknownTopicId;
        if (wrong || gone) return go_on_soon();
        told(error);
      });
}

// As somebody who asks for the group, or as the member that it is, or says it is.
void Owner::look_up() {
  const TopicPartitions all = all_partitions();
  if (all.empty()) return go_on_soon();
  const TopicPartition partition = some_of(all, below(all.size()));
  const std::int16_t version = spec_.fetch_version;
  GroupBook& commits = book_.commits(partition.first);
  const bool as_member = version >= kFirstFetchWithMembers && one_in(2);
  const bool wrong = as_member && !classic_ && one_in(3);  // a classic group does not look
  wire::OffsetFetchRequest request;
  auto& group = request.groups.emplace_back();
  group.group_id = book_.group();
  if (as_member) {
    group.member_id = id_;
    group.member_epoch = wrong ? epoch_ + kFarAhead : epoch_;
  }
  auto& topic = group.topics->emplace_back();
  topic.name = commits.topic().name;
  if (version >= kFirstFetchWithIds) topic.topic_id = commits.topic().id;
  topic.partition_indexes = {partition.second};
  const Asked asked = now_asked();
  ask<wire::OffsetFetchResponse>(
      version, request,
      [this, asked, wrong, &commits, p = partition.second,
       floor = commits.acknowledged(partition.second)](const wire::OffsetFetchResponse& response) {
        if (outdated(asked)) return;
        const auto& told = response.groups.at(0);
        // Who may have been put out may have left no group behind.
        if (wrong && told.error_code == 0 && standing().counts_until() > asked.times->answered)
          return world_.violate(name() + " (" + id_ + ") asked at an epoch that has not come, and is told");
        const bool well = !wrong && told.error_code == 0 && told.topics.size() == 1 &&
                          told.topics[0].partitions.size() == 1 &&
                          told.topics[0].partitions[0].error_code == 0;
        if (well) commits.fetched(p, told.topics[0].partitions[0].committed_offset, floor);
        go_on_soon();
      },
      0, true, asked.times);
}

}  // namespace moldau::sim
