// DescribeTopicPartitions: partitions of topics in pages (KIP-966). Topics come in the order of their names;
// a cursor says where the next page begins.
#include <algorithm>
#include <set>

#include "broker/api/handlers.h"
#include "broker/cluster_view.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "wire/gen/describe_topic_partitions.h"

namespace moldau::broker::api {
namespace {

using wire::DescribeTopicPartitionsRequest;
using wire::DescribeTopicPartitionsResponse;
using wire::ErrorCode;

constexpr std::int16_t kNewestMetadata = 13;
constexpr std::int32_t kDefaultPage = 2000;  // max.request.partition.size.limit

std::set<std::string_view> wanted_topics(const DescribeTopicPartitionsRequest& request,
                                         const metadata::Image& image) {
  std::set<std::string_view> names;
  if (request.topics.empty()) {
    image.for_each_topic([&](const metadata::TopicPtr& topic) { names.insert(topic->name); });
  }
  for (const auto& topic : request.topics) names.insert(topic.name);
  return names;
}

struct Page {
  Call& call;
  const metadata::Image& image;
  std::int32_t left;
  DescribeTopicPartitionsResponse response{};

  // False: the page is full.
  bool add(std::string_view name, std::int32_t first_partition) {
    const metadata::Topic* topic = image.find_topic(name);
    auto& out = response.topics.emplace_back();
    out.name = name;
    out.is_internal = is_internal_topic(name);
    if (topic == nullptr) {
      out.error_code = code(is_valid_topic_name(name) ? ErrorCode::kUnknownTopicOrPartition
                                                      : ErrorCode::kInvalidTopicException);
      call.count_error();
      return true;
    }
    out.topic_id = topic->id;
    out.topic_authorized_operations = kTopicOperations;
    for (const metadata::Partition& partition : topic->partitions) {
      if (partition.index.value < first_partition) continue;
      if (left == 0) {
        response.next_cursor = {.topic_name = name, .partition_index = partition.index.value};
        return false;
      }
      --left;
      PartitionView view = view_of(image, partition, call.connection().info().listener, kNewestMetadata);
      auto& p = out.partitions.emplace_back();
      // Who has no leader says so by its leader: Kafka sets no error here.
      p.eligible_leader_replicas = std::move(view.eligible_leaders);
      p.last_known_elr = std::move(view.last_known_eligible);
      put(std::move(view), p);
    }
    return true;
  }
};

}  // namespace

void describe_topic_partitions(const CallPtr& call) {
  DescribeTopicPartitionsRequest request;
  if (!call->read(request)) return;
  const auto image = call->services().images.get();
  const std::int32_t limit =
      std::clamp(request.response_partition_limit, 1,
                 std::max(call->services().settings.get()->config.max_request_partition_size_limit, 1));
  Page page{.call = *call, .image = *image, .left = std::min(limit, kDefaultPage)};
  const std::string_view from = request.cursor ? request.cursor->topic_name : std::string_view{};
  const auto names = wanted_topics(request, *image);
  for (auto name = names.lower_bound(from); name != names.end(); ++name) {
    const bool here = request.cursor && *name == from;
    if (page.left == 0) {
      page.response.next_cursor = {.topic_name = *name, .partition_index = 0};
      break;
    }
    if (!page.add(*name, here ? request.cursor->partition_index : 0)) break;
  }
  call->reply(page.response);
}

}  // namespace moldau::broker::api
