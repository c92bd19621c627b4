// Elections on demand. (KIP-460; Kafka: ReplicationControlManager#electLeaders)
#include <fmt/format.h>

#include "controller/controller.h"
#include "controller/decision.h"

namespace moldau::controller {

using metadata::Partition;

Outcome<ElectLeadersReply> Controller::handle(const ElectLeaders& request, env::Instant, env::Random&) const {
  Decision decision(*image_, values_, options_);
  Outcome<ElectLeadersReply> outcome;
  if (request.election_type < 0 || request.election_type > 1) {
    outcome.reply.error =
        api_error(ErrorCode::kInvalidRequest, fmt::format("Unknown election type {}", request.election_type));
    return outcome;
  }
  const bool unclean = request.election_type == 1;
  const auto elect = [&](const std::string& name, PartitionIndex index) {
    const metadata::Topic* topic = image_->find_topic(name);
    if (topic == nullptr) return api_error(ErrorCode::kUnknownTopicOrPartition, "No such topic as " + name);
    const Partition* partition = topic->find(index);
    if (partition == nullptr)
      return api_error(ErrorCode::kUnknownTopicOrPartition,
                       fmt::format("No such partition as {}-{}", name, index.value));
    const bool good = unclean
                          ? partition->leader != kNoBroker
                          : !partition->replicas.empty() && partition->leader == partition->replicas.front();
    if (good) return api_error(ErrorCode::kElectionNotNeeded);
    PartitionChange change = decision.change(*topic, *partition);
    change.election = unclean ? Election::kUnclean : Election::kPreferred;
    auto record = change.record();
    if (!record)
      return api_error(unclean ? ErrorCode::kEligibleLeadersNotAvailable
                               : ErrorCode::kPreferredLeaderNotAvailable);
    decision.records.push_back(std::move(*record));
    return ApiError{};
  };
  if (request.partitions) {
    for (const auto& asked : *request.partitions)
      outcome.reply.partitions.push_back({asked.topic, asked.partition, elect(asked.topic, asked.partition)});
  } else {
    // All of them: those that are led well already are not mentioned.
    for (const metadata::TopicPtr& topic : image_->topics_sorted())
      for (const Partition& partition : topic->partitions)
        if (ApiError error = elect(topic->name, partition.index); error.code != ErrorCode::kElectionNotNeeded)
          outcome.reply.partitions.push_back({topic->name, partition.index, std::move(error)});
  }
  outcome.records = std::move(decision.records);
  return outcome;
}

}  // namespace moldau::controller
