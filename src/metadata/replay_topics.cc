#include <algorithm>

#include "metadata/replay.h"

namespace moldau::metadata {

namespace {

constexpr std::int32_t kSameLeader = -2;

}  // namespace

Status Replay::operator()(const wire::TopicRecord& record) {
  if (const Topic* existing = image_.find_topic(record.name))
    return contradiction(fmt::format("topic {} is made twice, as {} and as {}", record.name,
                                     existing->id.to_string(), record.topic_id.to_string()));
  if (image_.find_topic(record.topic_id) != nullptr)
    return contradiction(fmt::format("topic id {} is given twice", record.topic_id.to_string()));
  auto topic = std::make_shared<Topic>();
  topic->name = record.name;
  topic->id = record.topic_id;
  put(std::move(topic));
  return {};
}

Status Replay::operator()(const wire::RemoveTopicRecord& record) {
  const TopicPtr topic = image_.topic_ptr(record.topic_id);
  if (!topic) return contradiction("topic " + record.topic_id.to_string() + " is removed, but not there");
  image_.topics_by_name_.erase(image_.edit_, topic->name);
  image_.topics_by_id_.erase(image_.edit_, topic->id);
  delta_.touched_.topics.insert(topic->id);
  delta_.touched_.open_topics.erase(topic->id);
  remove_config(Resource{ResourceType::kTopic, topic->name});
  return {};
}

Status Replay::operator()(const wire::PartitionRecord& record) {
  Topic* topic = open_topic(record.topic_id);
  if (topic == nullptr)
    return contradiction(fmt::format("partition {} of topic {}, which is not there", record.partition_id,
                                     record.topic_id.to_string()));
  Partition partition;
  partition.index = PartitionIndex{record.partition_id};
  partition.leader = BrokerId{record.leader};
  partition.leader_epoch = LeaderEpoch{record.leader_epoch};
  partition.partition_epoch = record.partition_epoch;
  partition.leader_recovery_state = record.leader_recovery_state;
  partition.replicas = broker_ids(record.replicas);
  partition.isr = broker_ids(record.isr);
  partition.removing_replicas = broker_ids(record.removing_replicas);
  partition.adding_replicas = broker_ids(record.adding_replicas);
  partition.eligible_leader_replicas = broker_ids(record.eligible_leader_replicas);
  partition.last_known_elr = broker_ids(record.last_known_elr);
  partition.directories = record.directories;
  TRY(fit_directories(*topic, partition));
  const auto at = std::ranges::lower_bound(topic->partitions, partition.index, {}, &Partition::index);
  if (at != topic->partitions.end() && at->index == partition.index) {
    *at = std::move(partition);
  } else {
    topic->partitions.insert(at, std::move(partition));
  }
  return {};
}

Status Replay::operator()(const wire::PartitionChangeRecord& record) {
  Topic* topic = open_topic(record.topic_id);
  Partition* partition =
      topic != nullptr ? const_cast<Partition*>(topic->find(PartitionIndex{record.partition_id})) : nullptr;
  if (partition == nullptr)
    return contradiction(fmt::format("partition {} of topic {} changes, but is not there",
                                     record.partition_id, record.topic_id.to_string()));
  if (record.isr) partition->isr = broker_ids(*record.isr);
  if (record.replicas) partition->replicas = broker_ids(*record.replicas);
  if (record.removing_replicas) partition->removing_replicas = broker_ids(*record.removing_replicas);
  if (record.adding_replicas) partition->adding_replicas = broker_ids(*record.adding_replicas);
  if (record.eligible_leader_replicas)
    partition->eligible_leader_replicas = broker_ids(*record.eligible_leader_replicas);
  if (record.last_known_elr) partition->last_known_elr = broker_ids(*record.last_known_elr);
  if (record.directories) partition->directories = *record.directories;
  if (record.leader_recovery_state != -1) partition->leader_recovery_state = record.leader_recovery_state;
  if (record.leader != kSameLeader) {
    partition->leader = BrokerId{record.leader};
    ++partition->leader_epoch.value;
  }
  ++partition->partition_epoch;
  return fit_directories(*topic, *partition);
}

Status Replay::operator()(const wire::ClearElrRecord& record) {
  std::vector<Uuid> ids;
  if (!record.topic_name.empty()) {
    const Topic* topic = image_.find_topic(record.topic_name);
    if (topic == nullptr)
      return contradiction(fmt::format("ELR of topic {} is cleared, but it is not there", record.topic_name));
    ids.push_back(topic->id);
  } else {
    image_.for_each_topic([&](const TopicPtr& topic) { ids.push_back(topic->id); });
  }
  for (const Uuid& id : ids) clear_elr(id);
  return {};
}

void Replay::put(std::shared_ptr<Topic> topic) {
  delta_.touched_.topics.insert(topic->id);
  delta_.touched_.open_topics[topic->id] = topic;
  image_.topics_by_name_.set(image_.edit_, topic->name, topic);
  image_.topics_by_id_.set(image_.edit_, topic->id, topic);
}

Topic* Replay::open_topic(const Uuid& id) {
  if (const auto open = delta_.touched_.open_topics.find(id); open != delta_.touched_.open_topics.end())
    return open->second.get();
  const Topic* topic = image_.find_topic(id);
  if (topic == nullptr) return nullptr;
  put(std::make_shared<Topic>(*topic));
  return delta_.touched_.open_topics[id].get();
}

Status Replay::fit_directories(const Topic& topic, Partition& partition) {
  if (partition.directories.empty())
    partition.directories.assign(partition.replicas.size(), kDirectoryMigrating);
  if (partition.directories.size() == partition.replicas.size()) return {};
  return contradiction(fmt::format("{}-{} has {} replicas in {} directories", topic.name,
                                   partition.index.value, partition.replicas.size(),
                                   partition.directories.size()));
}

void Replay::clear_elr(const Uuid& id) {
  const auto has_elr = [](const Partition& p) {
    return !p.eligible_leader_replicas.empty() || !p.last_known_elr.empty();
  };
  if (std::ranges::none_of(image_.find_topic(id)->partitions, has_elr)) return;
  for (Partition& partition : open_topic(id)->partitions) {
    if (!has_elr(partition)) continue;
    partition.eligible_leader_replicas.clear();
    partition.last_known_elr.clear();
    ++partition.partition_epoch;
  }
}

}  // namespace moldau::metadata
