#include "broker/group/coordinators.h"

#include <utility>

#include "broker/group/partition.h"

namespace moldau::broker {

GroupCoordinatorRef GroupCoordinators::find(std::string_view group) const {
  const auto table = table_.get();
  if (table->empty()) return nullptr;
  return (*table)[static_cast<std::size_t>(group_partition(group, static_cast<std::int32_t>(table->size())))];
}

void GroupCoordinators::follow(const metadata::Image& image, const metadata::Changes& changes) {
  std::vector<std::string> deleted;
  bool concerned = false;
  for (const metadata::TopicChange& change : changes.topics) {
    const metadata::Topic& topic = change.after ? *change.after : *change.before;
    concerned = concerned || topic.name == kOffsetsTopic;
    if (!change.after && topic.name != kOffsetsTopic) deleted.push_back(topic.name);
  }
  if (concerned) follow_offsets_topic(image.find_topic(kOffsetsTopic));
  // A topic that was made again at once has nothing to do with what was committed before.
  if (deleted.empty()) return;
  for (const GroupCoordinatorRef& coordinator : *table_.get())
    if (coordinator) coordinator->topics_deleted(deleted);
}

void GroupCoordinators::follow_offsets_topic(const metadata::Topic* topic) {
  const auto before = table_.get();
  const auto local = topic != nullptr ? replicas_.find(topic->id) : nullptr;
  auto next = std::make_shared<Table>(topic != nullptr ? topic->partitions.size() : 0);
  Table fresh;
  for (std::size_t i = 0; i < next->size(); ++i) {
    const metadata::Partition& partition = topic->partitions[i];
    const auto index = static_cast<std::int32_t>(i);
    if (partition.leader != self_ || local == nullptr || local->at(index) == nullptr) continue;
    const GroupCoordinatorRef old = i < before->size() ? (*before)[i] : nullptr;
    const bool same = old != nullptr && old->epoch() == partition.leader_epoch &&
                      old->topic()->at(index) == local->at(index);
    (*next)[i] = same ? old
                      : fresh.emplace_back(
                            std::make_shared<GroupCoordinator>(world_, index, partition.leader_epoch, local));
  }
  table_.set(next);
  for (std::size_t i = 0; i < before->size(); ++i) {
    const GroupCoordinatorRef& old = (*before)[i];
    if (old == nullptr || (i < next->size() && (*next)[i] == old)) continue;
    old->resign();
    former_.push_back(old);
  }
  for (const GroupCoordinatorRef& coordinator : fresh) coordinator->start();
}

void GroupCoordinators::stop() {
  for (const GroupCoordinatorRef& coordinator : *table_.get())
    if (coordinator) coordinator->resign();
}

}  // namespace moldau::broker
