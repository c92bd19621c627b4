#include "metadata/image.h"

#include <algorithm>

#include "base/check.h"

namespace moldau::metadata {

const Partition* Topic::find(PartitionIndex index) const {
  const auto at = static_cast<std::size_t>(index.value);
  if (index.value >= 0 && at < partitions.size() && partitions[at].index == index) return &partitions[at];
  const auto found = std::ranges::lower_bound(partitions, index, {}, &Partition::index);
  return found != partitions.end() && found->index == index ? &*found : nullptr;
}

const Uuid& Partition::directory(BrokerId broker) const {
  const auto at = static_cast<std::size_t>(std::ranges::find(replicas, broker) - replicas.begin());
  CHECK(at < directories.size(), "no replica here");
  return directories[at];
}

bool BrokerRegistration::has_online_directory(const Uuid& directory) const {
  if (directory == kDirectoryUnassigned || directory == kDirectoryMigrating) return true;
  if (directory == kDirectoryLost) return false;
  return log_dirs.empty() || std::ranges::find(log_dirs, directory) != log_dirs.end();
}

const Endpoint* BrokerRegistration::endpoint(std::string_view listener) const {
  const auto found = std::ranges::find(endpoints, listener, &Endpoint::name);
  return found != endpoints.end() ? &*found : nullptr;
}

ImagePtr Image::empty(std::string cluster_id) {
  auto image = std::make_shared<Image>();
  image->cluster_id_ = std::move(cluster_id);
  image->brokers_ = std::make_shared<const std::map<BrokerId, BrokerPtr>>();
  image->controllers_ = std::make_shared<const std::map<BrokerId, ControllerRegistration>>();
  image->features_ = std::make_shared<const std::map<std::string, std::int16_t, std::less<>>>();
  image->unknown_records_ = std::make_shared<const std::vector<KeptRecord>>();
  return image;
}

const Partition* Image::find_partition(std::string_view topic, PartitionIndex index) const {
  const Topic* found = find_topic(topic);
  return found != nullptr ? found->find(index) : nullptr;
}

std::vector<TopicPtr> Image::topics_sorted() const {
  std::vector<TopicPtr> topics;
  topics.reserve(topic_count());
  for_each_topic([&](const TopicPtr& topic) { topics.push_back(topic); });
  std::ranges::sort(topics, {}, [](const TopicPtr& topic) -> const std::string& { return topic->name; });
  return topics;
}

const BrokerRegistration* Image::find_broker(BrokerId id) const {
  const auto found = brokers_->find(id);
  return found != brokers_->end() ? found->second.get() : nullptr;
}

std::vector<BrokerPtr> Image::alive_brokers() const {
  std::vector<BrokerPtr> alive;
  for (const auto& [id, broker] : *brokers_)
    if (!broker->fenced) alive.push_back(broker);
  return alive;
}

const ConfigMap& Image::config(ResourceType type, std::string_view name) const {
  static const ConfigMap kNothing;
  const ConfigPtr* found = configs_.find(Resource{type, std::string(name)});
  return found != nullptr ? **found : kNothing;
}

std::vector<Resource> Image::configured_resources() const {
  std::vector<Resource> resources;
  configs_.for_each([&](const Resource& resource, const ConfigPtr&) { resources.push_back(resource); });
  std::ranges::sort(resources);
  return resources;
}

std::int16_t Image::feature(std::string_view name) const {
  const auto found = features_->find(name);
  return found != features_->end() ? found->second : std::int16_t{0};
}

std::vector<KeptRecord> Image::kept_records() const {
  std::map<std::string_view, KeptRecord> sorted;
  kept_.for_each([&](const std::string& key, const KeptRecord& record) { sorted.emplace(key, record); });
  std::vector<KeptRecord> records;
  records.reserve(sorted.size());
  for (const auto& [key, record] : sorted) records.push_back(record);
  return records;
}

}  // namespace moldau::metadata
