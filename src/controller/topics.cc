// Topics: made, deleted, given more partitions. (Kafka: ReplicationControlManager,
// ControllerApis)
#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

#include "config/describe.h"
#include "controller/controller.h"
#include "controller/decision.h"
#include "controller/placement.h"
#include "controller/topic_name.h"
#include "metadata/records.h"
#include "wire/gen/metadata_records.h"

namespace moldau::controller {
namespace {

using metadata::Partition;
using Assignment = std::vector<BrokerId>;

constexpr std::string_view kMetadataTopic = "__cluster_metadata";

template <typename Items, typename NameOf>
std::set<std::string> named_twice(const Items& items, NameOf name_of) {
  std::set<std::string> seen, twice;
  for (const auto& item : items)
    if (const std::string name = name_of(item); !seen.insert(name).second) twice.insert(name);
  return twice;
}

Partition new_partition(const Decision& decision, std::int32_t index, const Assignment& replicas) {
  Partition partition{.index = PartitionIndex{index}};
  partition.replicas = replicas;
  for (const BrokerId id : replicas) {
    if (decision.active(id)) partition.isr.push_back(id);
    partition.directories.push_back(decision.default_directory(id));
  }
  if (!partition.isr.empty()) partition.leader = partition.isr.front();
  return partition;
}

// `replicas` of an earlier partition say how many there must be; 0: any number.
std::optional<ApiError> refuse_assignment(const Decision& decision, const Assignment& assignment,
                                          std::size_t replicas) {
  const auto refuse = [](std::string why) {
    return api_error(ErrorCode::kInvalidReplicaAssignment, "The manual partition assignment includes " + why);
  };
  if (assignment.empty()) return refuse("an empty replica list.");
  Assignment sorted = assignment;
  std::ranges::sort(sorted);
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (decision.image.find_broker(sorted[i]) == nullptr)
      return refuse(fmt::format("broker {}, but no such broker is registered.", sorted[i].value));
    if (i > 0 && sorted[i] == sorted[i - 1])
      return refuse(fmt::format("the broker {} more than once.", sorted[i].value));
  }
  if (replicas != 0 && replicas != assignment.size())
    return refuse(
        fmt::format("a partition with {} replica(s), but this is not consistent with previous "
                    "partitions, which have {} replica(s).",
                    assignment.size(), replicas));
  return std::nullopt;
}

ApiError nobody_active(std::int32_t partition) {
  return api_error(
      ErrorCode::kInvalidReplicaAssignment,
      fmt::format("All brokers specified in the manual partition assignment for partition {} are "
                  "fenced or in controlled shutdown.",
                  partition));
}

std::optional<ApiError> assign_manually(const Decision& decision, const NewTopic& topic,
                                        std::vector<Partition>& out) {
  constexpr auto kIntro = "A manual partition assignment was specified, but ";
  if (topic.replication_factor != -1)
    return api_error(ErrorCode::kInvalidRequest,
                     std::string(kIntro) + "replication factor was not set to -1.");
  if (topic.num_partitions != -1)
    return api_error(ErrorCode::kInvalidRequest, std::string(kIntro) + "numPartitions was not set to -1.");
  std::map<std::int32_t, Partition> partitions;
  std::size_t replicas = 0;
  for (const ManualAssignment& assignment : topic.assignments) {
    const std::int32_t index = assignment.partition.value;
    if (partitions.contains(index))
      return api_error(ErrorCode::kInvalidReplicaAssignment,
                       fmt::format("Found multiple manual partition assignments for partition {}", index));
    if (auto error = refuse_assignment(decision, assignment.brokers, replicas)) return error;
    replicas = assignment.brokers.size();
    Partition partition = new_partition(decision, index, assignment.brokers);
    if (partition.isr.empty()) return nobody_active(index);
    partitions.emplace(index, std::move(partition));
  }
  for (auto& [index, partition] : partitions) {
    if (index != static_cast<std::int32_t>(out.size()))
      return api_error(ErrorCode::kInvalidReplicaAssignment,
                       "partitions should be a consecutive 0-based integer sequence");
    out.push_back(std::move(partition));
  }
  return std::nullopt;
}

std::optional<ApiError> assign_by_placement(const Decision& decision, std::int32_t first, std::int32_t count,
                                            std::int16_t replication_factor, env::Random& random,
                                            std::vector<Partition>& out) {
  std::vector<UsableBroker> brokers;
  for (const auto& [id, broker] : decision.image.brokers())
    brokers.push_back({id, broker->rack, broker->fenced});
  const auto refuse = [&](std::string_view why) {
    return api_error(
        ErrorCode::kInvalidReplicationFactor,
        fmt::format("Unable to replicate the partition {} time(s): {}", replication_factor, why));
  };
  const auto placed = place(brokers, count, replication_factor, random);
  if (!placed) return refuse(placed.error().message);
  for (const Assignment& assignment : *placed) {
    Partition partition = new_partition(decision, first + static_cast<std::int32_t>(out.size()), assignment);
    if (partition.isr.empty()) return refuse("All brokers are currently fenced or in controlled shutdown.");
    out.push_back(std::move(partition));
  }
  return std::nullopt;
}

std::optional<ApiError> assign(const Decision& decision, const NewTopic& topic, env::Random& random,
                               std::vector<Partition>& out) {
  if (!topic.assignments.empty()) return assign_manually(decision, topic, out);
  if (topic.replication_factor < -1 || topic.replication_factor == 0)
    return api_error(ErrorCode::kInvalidReplicationFactor,
                     "Replication factor must be larger than 0, or -1 to use the default value.");
  if (topic.num_partitions < -1 || topic.num_partitions == 0)
    return api_error(ErrorCode::kInvalidPartitions,
                     "Number of partitions was set to an invalid non-positive value.");
  const std::int32_t count =
      topic.num_partitions == -1 ? decision.options.default_num_partitions : topic.num_partitions;
  const auto factor =
      topic.replication_factor == -1 ? decision.options.default_replication_factor : topic.replication_factor;
  return assign_by_placement(decision, 0, count, factor, random, out);
}

std::vector<EffectiveConfig> effective_configs(const Decision& decision, const NewTopic& topic) {
  config::Layer overrides;
  for (const NamedValue& config : topic.configs)
    if (config.value) overrides.insert_or_assign(config.name, *config.value);
  std::vector<EffectiveConfig> effective;
  for (config::ConfigRow& row : config::describe_topic(decision.values, overrides)) {
    const auto source = static_cast<std::int8_t>(config::source_in_effect(row, decision.values));
    effective.push_back({std::move(row.name), std::move(row.value), row.read_only, source, row.sensitive});
  }
  return effective;
}

// Adds a topic's records to the decision, or says why not.
ApiError create_topic(Decision& decision, const NewTopic& topic, env::Random& random,
                      CreateTopicsReply::Topic& reply) {
  std::vector<Bytes> configs;
  if (ApiError error = set_new_topic_config(decision, topic, configs); !error.ok()) return error;
  std::vector<Partition> partitions;
  if (auto error = assign(decision, topic, random, partitions)) return *error;
  reply.id = random.uuid();
  reply.num_partitions = static_cast<std::int32_t>(partitions.size());
  reply.replication_factor = static_cast<std::int16_t>(partitions.front().replicas.size());
  reply.configs = effective_configs(decision, topic);
  wire::TopicRecord record;
  record.name = topic.name;
  record.topic_id = reply.id;
  decision.records.push_back(metadata::encode_record(record, 0));
  std::ranges::move(configs, std::back_inserter(decision.records));
  for (const Partition& partition : partitions)
    decision.records.push_back(metadata::to_record(partition, reply.id, decision.metadata_version()));
  return {};
}

std::optional<ApiError> refuse_name(const Decision& decision, const std::string& name,
                                    const std::map<std::string, std::set<std::string>>& collisions) {
  if (name == kMetadataTopic)
    return api_error(ErrorCode::kInvalidRequest,
                     fmt::format("Creation of internal topic {} is prohibited.", kMetadataTopic));
  if (auto why = invalid_topic_name(name))
    return api_error(ErrorCode::kInvalidTopicException, std::move(*why));
  if (decision.image.find_topic(name) != nullptr)
    return api_error(ErrorCode::kTopicAlreadyExists, fmt::format("Topic '{}' already exists.", name));
  if (const auto found = collisions.find(collision_key(name)); may_collide(name) && found != collisions.end())
    return api_error(
        ErrorCode::kInvalidTopicException,
        fmt::format("Topic '{}' collides with existing topic: {}", name, *found->second.begin()));
  return std::nullopt;
}

// As many partitions as the request asks for, before anything is spent on them.
std::size_t partitions_asked(const Decision& decision, const CreateTopics& request) {
  std::size_t sum = 0;
  for (const NewTopic& topic : request.topics) {
    if (!topic.assignments.empty())
      sum += topic.assignments.size();
    else if (topic.num_partitions == -1)
      sum += static_cast<std::size_t>(decision.options.default_num_partitions);
    else if (topic.num_partitions > 0)
      sum += static_cast<std::size_t>(topic.num_partitions);
  }
  return sum;
}

Outcome<CreateTopicsReply> refuse_all(const CreateTopics& request, const ApiError& error) {
  Outcome<CreateTopicsReply> outcome;
  for (const NewTopic& topic : request.topics) {
    outcome.reply.topics.push_back({});
    outcome.reply.topics.back().name = topic.name;
    outcome.reply.topics.back().error = error;
  }
  return outcome;
}

}  // namespace

Outcome<CreateTopicsReply> Controller::handle(const CreateTopics& request, env::Instant,
                                              env::Random& random) const {
  Decision decision(*image_, values_, options_);
  if (partitions_asked(decision, request) > kMaxRecordsPerRequest)
    return refuse_all(request, api_error(ErrorCode::kPolicyViolation,
                                         "Excessively large number of partitions per request."));
  Outcome<CreateTopicsReply> outcome;
  const auto twice = named_twice(request.topics, [](const NewTopic& topic) { return topic.name; });
  for (const NewTopic& topic : request.topics) {
    CreateTopicsReply::Topic reply;
    reply.name = topic.name;
    if (twice.contains(topic.name)) {
      reply.error = api_error(ErrorCode::kInvalidRequest, "Duplicate topic name.");
    } else if (auto refused = refuse_name(decision, topic.name, collisions_)) {
      reply.error = std::move(*refused);
    } else {
      reply.error = create_topic(decision, topic, random, reply);
    }
    if (decision.records.size() > kMaxRecordsPerRequest)
      return refuse_all(request, api_error(ErrorCode::kPolicyViolation, std::string(kTooManyRecords)));
    outcome.reply.topics.push_back(std::move(reply));
  }
  if (!request.validate_only) outcome.records = std::move(decision.records);
  return outcome;
}

Outcome<DeleteTopicsReply> Controller::handle(const DeleteTopics& request, env::Instant, env::Random&) const {
  Outcome<DeleteTopicsReply> outcome;
  std::map<std::string, int> names;
  std::map<Uuid, int> ids;
  for (const DeleteTopics::Topic& topic : request.topics) topic.name ? ++names[*topic.name] : ++ids[topic.id];
  std::set<Uuid> chosen;
  for (const DeleteTopics::Topic& asked : request.topics) {
    DeleteTopicsReply::Topic reply{asked.name, asked.id, {}};
    const metadata::Topic* topic =
        asked.name ? image_->find_topic(*asked.name) : image_->find_topic(asked.id);
    const bool by_id = !asked.id.is_zero();
    if (!asked.name && !by_id) {
      reply.error = api_error(ErrorCode::kInvalidRequest, "Neither topic name nor id were specified.");
    } else if (asked.name && by_id) {
      reply.error =
          api_error(ErrorCode::kInvalidRequest, "You may not specify both topic name and topic id.");
    } else if (asked.name ? names[*asked.name] > 1 : ids[asked.id] > 1) {
      reply.error =
          api_error(ErrorCode::kInvalidRequest, asked.name ? "Duplicate topic name." : "Duplicate topic id.");
    } else if (topic == nullptr) {
      reply.error = api_error(asked.name ? ErrorCode::kUnknownTopicOrPartition : ErrorCode::kUnknownTopicId);
    } else if (asked.name && ids.contains(topic->id)) {
      reply.error = api_error(ErrorCode::kInvalidRequest,
                              "The provided topic name maps to an ID that was already supplied.");
    } else {
      reply.name = topic->name;
      reply.id = topic->id;
      chosen.insert(topic->id);
    }
    outcome.reply.topics.push_back(std::move(reply));
  }
  for (const Uuid& id : chosen) {
    wire::RemoveTopicRecord record;
    record.topic_id = id;
    outcome.records.push_back(metadata::encode_record(record, 0));
  }
  return outcome;
}

namespace {

ApiError create_partitions(Decision& decision, const CreatePartitions::Topic& asked, env::Random& random) {
  const metadata::Topic* topic = decision.image.find_topic(asked.name);
  if (topic == nullptr) return api_error(ErrorCode::kUnknownTopicOrPartition);
  const auto there = static_cast<std::int32_t>(topic->partitions.size());
  if (asked.count == there)
    return api_error(ErrorCode::kInvalidPartitions, fmt::format("Topic already has {} partition(s).", there));
  if (asked.count < there)
    return api_error(ErrorCode::kInvalidPartitions,
                     fmt::format("The topic {} currently has {} partition(s); {} would not be an increase.",
                                 asked.name, there, asked.count));
  const std::int32_t more = asked.count - there;
  if (asked.assignments && asked.assignments->size() != static_cast<std::size_t>(more))
    return api_error(
        ErrorCode::kInvalidReplicaAssignment,
        fmt::format("Attempted to add {} additional partition(s), but only {} assignment(s) were "
                    "specified.",
                    more, asked.assignments->size()));
  if (static_cast<std::size_t>(more) > kMaxRecordsPerRequest)
    return api_error(ErrorCode::kPolicyViolation, std::string(kTooManyRecords));
  const std::size_t replicas = there > 0 ? topic->partitions.front().replicas.size() : 1;
  std::vector<Partition> partitions;
  if (asked.assignments) {
    for (const Assignment& assignment : *asked.assignments) {
      if (auto error = refuse_assignment(decision, assignment, replicas)) return *error;
      const std::int32_t index = there + static_cast<std::int32_t>(partitions.size());
      partitions.push_back(new_partition(decision, index, assignment));
      if (partitions.back().isr.empty()) return nobody_active(index);
    }
  } else if (auto error = assign_by_placement(decision, there, more, static_cast<std::int16_t>(replicas),
                                              random, partitions)) {
    return *error;
  }
  for (const Partition& partition : partitions)
    decision.records.push_back(metadata::to_record(partition, topic->id, decision.metadata_version()));
  return {};
}

}  // namespace

Outcome<CreatePartitionsReply> Controller::handle(const CreatePartitions& request, env::Instant,
                                                  env::Random& random) const {
  Decision decision(*image_, values_, options_);
  Outcome<CreatePartitionsReply> outcome;
  const auto twice =
      named_twice(request.topics, [](const CreatePartitions::Topic& topic) { return topic.name; });
  for (const CreatePartitions::Topic& topic : request.topics) {
    const std::size_t before = decision.records.size();
    ApiError error = twice.contains(topic.name)
                         ? api_error(ErrorCode::kInvalidRequest, "Duplicate topic name.")
                         : create_partitions(decision, topic, random);
    if (decision.records.size() > kMaxRecordsPerRequest) {
      decision.records.resize(before);
      error = api_error(ErrorCode::kPolicyViolation, std::string(kTooManyRecords));
    }
    outcome.reply.topics.push_back({topic.name, std::move(error)});
  }
  if (!request.validate_only) outcome.records = std::move(decision.records);
  return outcome;
}

}  // namespace moldau::controller
