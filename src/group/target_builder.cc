#include "group/target_builder.h"

#include <algorithm>
#include <unordered_map>

namespace moldau::group {
namespace {

// Names to ids; members mostly want the same topics.
class TopicIds {
 public:
  explicit TopicIds(const metadata::Image& image) : image_(image) {}

  const metadata::Topic* find(const std::string& name) {
    const auto [found, added] = known_.try_emplace(name);
    if (added) found->second = image_.find_topic(name);
    return found->second;
  }

 private:
  const metadata::Image& image_;
  std::unordered_map<std::string, const metadata::Topic*> known_;
};

// Calls f(topic) for each, possibly twice for one that is wanted by name and by regular expression.
template <typename F>
void for_each_topic(const ConsumerMember& member, const ResolvedRegexes& resolved, TopicIds& ids, F&& f) {
  const auto visit = [&](const auto& names) {
    for (const std::string& name : names) {
      if (const metadata::Topic* topic = ids.find(name)) f(*topic);
    }
  };
  visit(member.topics);
  if (!member.has_regex()) return;
  if (const auto found = resolved.find(*member.regex); found != resolved.end()) visit(found->second.topics);
}

}  // namespace

std::set<Uuid> subscribed_topics(const ConsumerMember& member, const ResolvedRegexes& resolved,
                                 const metadata::Image& image) {
  std::set<Uuid> topics;
  TopicIds ids(image);
  for_each_topic(member, resolved, ids, [&](const metadata::Topic& topic) { topics.insert(topic.id); });
  return topics;
}

std::map<std::string, Assignment> build_target(const ConsumerGroup& group, const ConsumerMember& member,
                                               const ResolvedRegexes& resolved, const metadata::Image& image,
                                               Assignor assignor) {
  const ConsumerMember* replaced = group.find_static(member.instance_id);
  if (replaced != nullptr && replaced->id == member.id) replaced = nullptr;

  std::map<std::string_view, const ConsumerMember*> members;
  for (const auto& [id, one] : group.members()) members.emplace(id, &one);
  if (replaced != nullptr) members.erase(replaced->id);
  members[member.id] = &member;

  TopicIds ids(image);
  AssignorInput input;
  for (const auto& [id, one] : members) {
    const bool heir = one == &member && replaced != nullptr;
    AssignorMember& added = input.members.emplace_back(
        AssignorMember{.id = id, .previous = &group.target(heir ? replaced->id : id)});
    if (one->instance_id) added.instance_id = *one->instance_id;
    for_each_topic(*one, resolved, ids, [&](const metadata::Topic& topic) {
      added.topics.push_back(topic.id);
      input.topics.emplace(topic.id, static_cast<std::int32_t>(topic.partitions.size()));
    });
    std::ranges::sort(added.topics);
    added.topics.erase(std::ranges::unique(added.topics).begin(), added.topics.end());
  }

  std::vector<Assignment> result = assignor(input);
  std::map<std::string, Assignment> changed;
  for (std::size_t m = 0; m < result.size(); ++m) {
    const std::string_view id = input.members[m].id;
    if (!group.targets().contains(id) || group.target(id) != result[m])
      changed.emplace(id, std::move(result[m]));
  }
  return changed;
}

}  // namespace moldau::group
