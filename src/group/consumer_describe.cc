// ConsumerGroupDescribe, versions 0 and 1.
#include <algorithm>

#include "group/consumer_protocol.h"
#include "wire/text.h"

namespace moldau::group {
namespace {

using Response = wire::ConsumerGroupDescribeResponse;

// Topics that are gone are left out: nobody could name them.
void add(Response::Assignment& out, const metadata::Image& image, const Uuid& topic_id,
         const std::vector<std::int32_t>& partitions) {
  const metadata::Topic* topic = image.find_topic(topic_id);
  if (topic != nullptr)
    out.topic_partitions.push_back(
        {.topic_id = topic_id, .topic_name = topic->name, .partitions = partitions});
}

// What a member has to give back it has, until it has.
Response::Assignment held(const ConsumerMember& member, const metadata::Image& image) {
  Assignment all;
  for (const EpochAssignment* has : {&member.assigned, &member.revoking}) {
    for (const auto& [topic, partitions] : *has) {
      for (const auto& [partition, epoch] : partitions) all[topic].push_back(partition);
    }
  }
  Response::Assignment out;
  for (const auto& [topic, partitions] : all) add(out, image, topic, partitions);
  return out;
}

Response::Member to_wire(const ConsumerMember& member, const Assignment& target,
                         const metadata::Image& image) {
  Response::Member out;
  out.member_id = member.id;
  out.instance_id = member.instance_id;
  out.rack_id = member.rack_id;
  out.member_epoch = member.epoch;
  out.client_id = member.client_id;
  out.client_host = member.client_host;
  out.subscribed_topic_names = {member.topics.begin(), member.topics.end()};
  out.subscribed_topic_regex = member.regex;
  out.assignment = held(member, image);
  for (const auto& [topic, partitions] : target) add(out.target_assignment, image, topic, partitions);
  out.member_type = member.classic ? 0 : 1;
  return out;
}

}  // namespace

void ConsumerProtocol::describe(Step step, const Caller& caller,
                                const wire::ConsumerGroupDescribeRequest& request) {
  wire::ConsumerGroupDescribeResponse response;
  std::vector<std::string> texts;
  texts.reserve(request.group_ids.size());  // views into it must last
  for (const std::string_view name : request.group_ids) {
    auto& out = response.groups.emplace_back();
    out.group_id = name;
    if (name.empty()) {
      out.error_code = code(ErrorCode::kInvalidGroupId);
      continue;
    }
    const ConsumerGroup* group = groups_.find_as<ConsumerGroup>(name);
    if (group == nullptr) {
      out.error_code = code(ErrorCode::kGroupIdNotFound);
      out.error_message = texts.emplace_back(
          wire::sayable("Group " + std::string(name) +
                        (groups_.find(name) == nullptr ? " not found." : " is not a consumer group.")));
      continue;
    }
    out.group_state = group->state_name();
    out.group_epoch = group->epoch();
    out.assignment_epoch = group->target_epoch();
    const auto& votes = group->assignor_votes();
    const auto most = std::ranges::max_element(votes, {}, [](const auto& vote) { return vote.second; });
    out.assignor_name =
        most == votes.end() ? default_assignor(step.context.config) : std::string_view(most->first);
    for (const auto& [id, member] : group->members()) {
      out.members.push_back(to_wire(member, group->target(id), step.context.image));
    }
  }
  step.decision.answer(caller.reply_to, response);
}

}  // namespace moldau::group
