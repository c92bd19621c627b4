#include "metadata/delta.h"

#include <algorithm>

#include "base/check.h"

namespace moldau::metadata {
namespace {

// Partitions that are not the same in both; either may be nothing.
std::vector<PartitionIndex> differing(const Topic* before, const Topic* after) {
  std::set<PartitionIndex> differ;
  const auto compare = [&](const Topic* one, const Topic* other) {
    if (one == nullptr) return;
    for (const Partition& partition : one->partitions) {
      const Partition* counterpart = other != nullptr ? other->find(partition.index) : nullptr;
      if (counterpart == nullptr || !(*counterpart == partition)) differ.insert(partition.index);
    }
  };
  compare(before, after);
  compare(after, before);
  return {differ.begin(), differ.end()};
}

void add_topic_change(Changes& changes, TopicPtr before, TopicPtr after) {
  if (before == after || (before && after && *before == *after)) return;
  auto partitions = differing(before.get(), after.get());
  changes.topics.push_back({std::move(before), std::move(after), std::move(partitions)});
}

void sort_topics(std::vector<TopicChange>& topics) {
  std::ranges::sort(topics, [](const TopicChange& a, const TopicChange& b) {
    if ((a.after == nullptr) != (b.after == nullptr)) return a.after == nullptr;
    return a.any().name < b.any().name;
  });
}

void add_broker_changes(Changes& changes, const Image& before, const Image& after) {
  std::set<BrokerId> differ;
  const auto compare = [&](const Image& one, const Image& other) {
    for (const auto& [id, broker] : one.brokers()) {
      const BrokerRegistration* counterpart = other.find_broker(id);
      if (counterpart == nullptr || !(*counterpart == *broker)) differ.insert(id);
    }
  };
  compare(before, after);
  compare(after, before);
  changes.brokers.assign(differ.begin(), differ.end());
}

void add_small_changes(Changes& changes, const Image& before, const Image& after) {
  if (&before.brokers() != &after.brokers()) add_broker_changes(changes, before, after);
  changes.controllers = before.controllers() != after.controllers();
  changes.features = before.features() != after.features();
  changes.producer_ids = before.next_producer_id() != after.next_producer_id();
}

}  // namespace

bool Changes::empty() const {
  return topics.empty() && configs.empty() && brokers.empty() && !controllers && !features && !producer_ids &&
         !kept;
}

Changes difference(const Image& before, const Image& after) {
  Changes changes;
  before.for_each_topic(
      [&](const TopicPtr& topic) { add_topic_change(changes, topic, after.topic_ptr(topic->id)); });
  after.for_each_topic([&](const TopicPtr& topic) {
    if (before.find_topic(topic->id) == nullptr) add_topic_change(changes, nullptr, topic);
  });
  sort_topics(changes.topics);
  std::set<Resource> resources;
  for (const Image* image : {&before, &after})
    for (Resource& resource : image->configured_resources()) resources.insert(std::move(resource));
  for (const Resource& r : resources)
    if (before.config(r.type, r.name) != after.config(r.type, r.name)) changes.configs.push_back(r);
  add_small_changes(changes, before, after);
  const auto kept = [](const Image& image) {
    auto all = image.kept_records();
    all.insert(all.end(), image.unknown_records().begin(), image.unknown_records().end());
    return all;
  };
  changes.kept = !std::ranges::equal(kept(before), kept(after),
                                     [](const KeptRecord& a, const KeptRecord& b) { return *a == *b; });
  return changes;
}

Delta::Delta(ImagePtr base) : base_(std::move(base)), next_(*base_) { next_.edit_ = base_->edit_ + 1; }
Delta::~Delta() = default;
Delta::Delta(Delta&&) noexcept = default;
Delta& Delta::operator=(Delta&&) noexcept = default;

Delta::Next Delta::finish(const Provenance& provenance) && {
  CHECK(!in_transaction(), "an image was asked for in the middle of a metadata transaction");
  next_.provenance_ = provenance;
  auto image = std::make_shared<const Image>(std::move(next_));
  Changes changes;
  for (const Uuid& id : touched_.topics)
    add_topic_change(changes, base_->topic_ptr(id), image->topic_ptr(id));
  sort_topics(changes.topics);
  for (const Resource& r : touched_.configs)
    if (base_->config(r.type, r.name) != image->config(r.type, r.name)) changes.configs.push_back(r);
  add_small_changes(changes, *base_, *image);
  changes.kept = touched_.kept;
  return {std::move(image), std::move(changes)};
}

}  // namespace moldau::metadata
