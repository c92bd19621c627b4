// OffsetFetch, versions 0 to 10: one group, and since version 8 several. What was never committed is told as
// offset -1 without an error; only version 0 calls it UNKNOWN_TOPIC_OR_PARTITION, as it did when it asked
// ZooKeeper.
#include "group/offset_requests.h"

namespace moldau::group {
namespace {

using wire::OffsetFetchRequest;
using wire::OffsetFetchResponse;

constexpr std::int16_t kFirstWithTopicErrors = 2, kFirstWithGroups = 8, kFirstWithTopicIds = 10;

// What one reply tells of one partition. Partition structs of both ages have the same fields.
template <typename Out>
Out tell(const Offsets& offsets, std::string_view group, std::string_view topic, std::int32_t partition,
         bool require_stable, std::int16_t version) {
  if (require_stable && offsets.pending(group, topic, partition))
    return {.partition_index = partition,
            .committed_offset = -1,
            .metadata = "",
            .error_code = code(ErrorCode::kUnstableOffsetCommit)};
  const Committed* found = offsets.find(group, topic, partition);
  if (found == nullptr)
    return {.partition_index = partition,
            .committed_offset = -1,
            .metadata = "",
            .error_code = version == 0 ? code(ErrorCode::kUnknownTopicOrPartition) : code(ErrorCode::kNone)};
  return {.partition_index = partition,
          .committed_offset = found->offset,
          .committed_leader_epoch = found->leader_epoch,
          .metadata = found->metadata};
}

class Teller {
 public:
  Teller(const Context& context, const Offsets& offsets, std::int16_t version, bool require_stable)
      : context_(context), offsets_(offsets), version_(version), require_stable_(require_stable) {}

  // All topics of the group, and all their partitions.
  template <typename Topics>
  void everything(std::string_view group, Topics& out) const {
    const Offsets::Topics* topics = offsets_.of_group(group);
    if (topics == nullptr) return;
    for (const auto& [topic, partitions] : *topics) {
      auto& told = out.emplace_back();
      told.name = topic;
      if constexpr (requires { told.topic_id; }) {
        const metadata::Topic* known = context_.image.find_topic(topic);
        if (version_ >= kFirstWithTopicIds && known == nullptr) {
          out.pop_back();  // it cannot be named
          continue;
        }
        if (known != nullptr) told.topic_id = known->id;
      }
      for (const auto& [partition, committed] : partitions) add(group, topic, partition, told.partitions);
    }
  }

  template <typename Asked, typename Topics>
  void these(std::string_view group, const Asked& asked, Topics& out) const {
    for (const auto& topic : asked) {
      auto& told = out.emplace_back();
      told.name = topic.name;
      std::string_view name = topic.name;
      if constexpr (requires { topic.topic_id; }) {
        told.topic_id = topic.topic_id;
        if (version_ >= kFirstWithTopicIds) {
          const metadata::Topic* known = context_.image.find_topic(topic.topic_id);
          if (known == nullptr) {
            refuse(topic.partition_indexes, ErrorCode::kUnknownTopicId, told.partitions);
            continue;
          }
          name = known->name;
        }
      }
      for (const std::int32_t partition : topic.partition_indexes)
        add(group, name, partition, told.partitions);
    }
  }

  template <typename Partitions>
  static void refuse(const std::vector<std::int32_t>& asked, ErrorCode error, Partitions& out) {
    for (const std::int32_t partition : asked)
      out.push_back(
          {.partition_index = partition, .committed_offset = -1, .metadata = "", .error_code = code(error)});
  }

 private:
  template <typename Partitions>
  void add(std::string_view group, std::string_view topic, std::int32_t partition, Partitions& out) const {
    out.push_back(
        tell<typename Partitions::value_type>(offsets_, group, topic, partition, require_stable_, version_));
  }

  const Context& context_;
  const Offsets& offsets_;
  std::int16_t version_;
  bool require_stable_;
};

void refuse_all(const OffsetFetchRequest& request, std::int16_t version, ErrorCode error,
                OffsetFetchResponse& response) {
  response.error_code = code(error);
  if (version >= kFirstWithTopicErrors || !request.topics) return;
  for (const auto& topic : *request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    Teller::refuse(topic.partition_indexes, error, out.partitions);
  }
}

}  // namespace

Decision OffsetRequests::fetch(const Context& context, const Caller& caller,
                               const OffsetFetchRequest& request) {
  const std::int16_t version = caller.reply_to.version;
  const Teller teller(context, offsets_, version, request.require_stable);
  OffsetFetchResponse response;
  bool error = false;
  const auto check = [&](std::string_view name, std::string_view member, std::int32_t epoch) {
    const Group* group = groups_.find(name);
    const ErrorCode verdict = group == nullptr ? ErrorCode::kNone : group->check_offset_fetch(member, epoch);
    error = error || verdict != ErrorCode::kNone;
    return verdict;
  };
  if (version < kFirstWithGroups) {
    const ErrorCode verdict = check(request.group_id, "", -1);
    if (verdict != ErrorCode::kNone) {
      refuse_all(request, version, verdict, response);
    } else if (request.topics) {
      teller.these(request.group_id, *request.topics, response.topics);
    } else {
      teller.everything(request.group_id, response.topics);
    }
  }
  for (const auto& group : request.groups) {
    auto& out = response.groups.emplace_back();
    out.group_id = group.group_id;
    const ErrorCode verdict = check(group.group_id, group.member_id.value_or(""), group.member_epoch);
    out.error_code = code(verdict);
    if (verdict != ErrorCode::kNone) continue;
    group.topics ? teller.these(group.group_id, *group.topics, out.topics)
                 : teller.everything(group.group_id, out.topics);
  }
  Decision decision;
  decision.answer(caller.reply_to, response, error);
  return decision;
}

}  // namespace moldau::group
