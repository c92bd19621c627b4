#include "group/offsets.h"

#include <algorithm>

namespace moldau::group {
namespace {

template <typename Map>
auto& at_or_make(Map& map, std::string_view key) {
  const auto found = map.find(key);
  return found != map.end() ? found->second : map[std::string(key)];
}

}  // namespace

const Offsets::Topics* Offsets::of_group(std::string_view group) const {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : &found->second;
}

const Committed* Offsets::find(std::string_view group, std::string_view topic, std::int32_t partition) const {
  const Topics* topics = of_group(group);
  if (topics == nullptr) return nullptr;
  const auto of_topic = topics->find(topic);
  if (of_topic == topics->end()) return nullptr;
  const auto found = of_topic->second.find(partition);
  return found == of_topic->second.end() ? nullptr : &found->second;
}

bool Offsets::pending(std::string_view group, std::string_view topic, std::int32_t partition) const {
  return std::ranges::any_of(pending_, [&](const auto& transaction) {
    return std::ranges::any_of(transaction.second, [&](const Pending& p) {
      return p.partition == partition && p.group == group && p.topic == topic;
    });
  });
}

bool Offsets::pending(std::string_view group) const {
  return std::ranges::any_of(pending_, [&](const auto& transaction) {
    return std::ranges::any_of(transaction.second, [&](const Pending& p) { return p.group == group; });
  });
}

void Offsets::put(std::string_view group, std::string_view topic, std::int32_t partition,
                  Committed committed) {
  at_or_make(at_or_make(groups_, group), topic)[partition] = std::move(committed);
}

void Offsets::apply(const wire::OffsetCommitKey& key, const Committed& committed,
                    std::optional<ProducerId> producer) {
  if (producer) {
    pending_[*producer].push_back({std::string(key.group), std::string(key.topic), key.partition, committed});
  } else {
    put(key.group, key.topic, key.partition, committed);
  }
}

// It takes what is committed and what may be: the partition, or the group, is gone.
void Offsets::apply_tombstone(const wire::OffsetCommitKey& key) {
  for (auto& [producer, commits] : pending_) {
    std::erase_if(commits, [&](const Pending& p) {
      return p.partition == key.partition && p.group == key.group && p.topic == key.topic;
    });
  }
  const auto of_group = groups_.find(key.group);
  if (of_group == groups_.end()) return;
  const auto of_topic = of_group->second.find(key.topic);
  if (of_topic == of_group->second.end()) return;
  of_topic->second.erase(key.partition);
  if (of_topic->second.empty()) of_group->second.erase(of_topic);
  if (of_group->second.empty()) groups_.erase(of_group);
}

void Offsets::apply_end(ProducerId producer, bool committed) {
  const auto found = pending_.find(producer);
  if (found == pending_.end()) return;
  if (committed) {
    for (Pending& p : found->second) put(p.group, p.topic, p.partition, std::move(p.committed));
  }
  pending_.erase(found);
}

// Version 3 is the last without tagged fields, 1 the only one that carries a time to expire
// (GroupCoordinatorRecordHelpers.offsetCommitValueVersion).
Record commit_record(std::string_view group, std::string_view topic, std::int32_t partition,
                     const Committed& committed) {
  const wire::OffsetCommitValue value{.offset = committed.offset,
                                      .leader_epoch = committed.leader_epoch,
                                      .metadata = committed.metadata,
                                      .commit_timestamp = committed.commit_ms,
                                      .expire_timestamp = committed.expire_ms,
                                      .topic_id = committed.topic_id};
  const std::int16_t version = committed.expire_ms >= 0 ? 1 : 3;
  return make_record(wire::OffsetCommitKey{.group = group, .topic = topic, .partition = partition}, value,
                     version);
}

Record commit_tombstone(std::string_view group, std::string_view topic, std::int32_t partition) {
  return make_tombstone(wire::OffsetCommitKey{.group = group, .topic = topic, .partition = partition});
}

}  // namespace moldau::group
