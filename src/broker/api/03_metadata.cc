// Metadata: brokers and topics as a client of this listener sees them; makes topics that are missing where
// auto.create.topics.enable allows it, and answers when they are there.
#include <algorithm>
#include <unordered_set>
#include <utility>

#include "broker/api/handlers.h"
#include "broker/cluster_view.h"
#include "broker/errors.h"
#include "broker/internal_topics.h"
#include "broker/services.h"
#include "wire/gen/metadata.h"

namespace moldau::broker::api {
namespace {

using wire::ErrorCode;
using wire::MetadataRequest;
using wire::MetadataResponse;

bool wants_all(const MetadataRequest& request, std::int16_t version) {
  return !request.topics || (version == 0 && request.topics->empty());
}

struct Answer {
  Call& call;
  const metadata::Image& image;
  const MetadataRequest& request;
  MetadataResponse response{};

  MetadataResponse::MetadataResponseTopic& add(ErrorCode error, std::optional<std::string_view> name,
                                               const Uuid& id = {}) {
    auto& topic = response.topics.emplace_back();
    topic.error_code = code(error);
    // Old versions have no null name.
    topic.name = name || call.version() >= 12 ? name : std::optional<std::string_view>("");
    topic.topic_id = id;
    topic.is_internal = name && is_internal_topic(*name);
    return topic;
  }

  void add_topic(const metadata::Topic& topic) {
    auto& out = add(ErrorCode::kNone, topic.name, topic.id);
    if (request.include_topic_authorized_operations) out.topic_authorized_operations = kTopicOperations;
    out.partitions.reserve(topic.partitions.size());
    for (const metadata::Partition& partition : topic.partitions) {
      PartitionView view = view_of(image, partition, call.connection().info().listener, call.version());
      auto& p = out.partitions.emplace_back();
      p.error_code = code(view.error);
      put(std::move(view), p);
    }
  }

  void add_cluster() {
    for (const Node& node : alive_nodes(image, call.connection().info().listener)) {
      response.brokers.push_back(
          {.node_id = node.id, .host = node.host, .port = node.port, .rack = node.rack});
    }
    response.cluster_id = image.cluster_id();
    response.controller_id = response.brokers.empty() ? -1 : response.brokers.front().node_id;
    if (request.include_cluster_authorized_operations)
      response.cluster_authorized_operations = kClusterOperations;
  }
};

void answer(const CallPtr& call, const MetadataRequest& request) {
  const auto image = call->services().images.get();
  Answer a{.call = *call, .image = *image, .request = request};
  a.add_cluster();
  if (wants_all(request, call->version())) {
    for (const metadata::TopicPtr& topic : image->topics_sorted()) a.add_topic(*topic);
  } else {
    for (const auto& wanted : *request.topics) {
      const bool by_id = !wanted.topic_id.is_zero();
      const metadata::Topic* topic =
          by_id ? image->find_topic(wanted.topic_id) : image->find_topic(wanted.name.value_or(""));
      if (topic != nullptr) {
        a.add_topic(*topic);
      } else if (by_id) {
        a.add(ErrorCode::kUnknownTopicId, std::nullopt, wanted.topic_id);
      } else {
        const bool valid = is_valid_topic_name(wanted.name.value_or(""));
        a.add(valid ? ErrorCode::kUnknownTopicOrPartition : ErrorCode::kInvalidTopicException,
              wanted.name.value_or(""));
      }
    }
  }
  call->reply(a.response);
}

// Names that are asked for, valid, and not there.
controller::CreateTopics missing_topics(const MetadataRequest& request, const Settings& settings,
                                        const metadata::Image& image) {
  controller::CreateTopics create;
  if (!request.topics || !request.allow_auto_topic_creation || !settings.config.auto_create_topics_enable)
    return create;
  std::unordered_set<std::string_view> seen;
  for (const auto& wanted : *request.topics) {
    const std::string_view name = wanted.name.value_or("");
    if (!wanted.topic_id.is_zero() || !is_valid_topic_name(name) || image.find_topic(name) ||
        !seen.insert(name).second)
      continue;
    create.topics.push_back(
        name == kOffsetsTopic
            ? offsets_topic(settings, image)
            : controller::NewTopic{.name = std::string(name), .assignments = {}, .configs = {}});
  }
  return create;
}

}  // namespace

void metadata(const CallPtr& call) {
  MetadataRequest request;
  if (!call->read(request)) return;
  if (call->version() < 12 && request.topics) {
    const bool odd =
        std::ranges::any_of(*request.topics, [](const auto& t) { return !t.topic_id.is_zero() || !t.name; });
    if (odd) return call->close("topic ids and null names need Metadata version 12 or later");
  }
  Services& services = call->services();
  auto create = missing_topics(request, *services.settings.get(), *services.images.get());
  if (create.topics.empty()) return answer(call, request);
  services.admin.ask(call->loop(), std::move(create), [call, request = std::move(request)](auto reply) {
    if (!reply) {
      call->services().events.write(env::Level::kWarn, "kafka.server.DefaultAutoTopicCreationManager",
                                    "cannot create topics: " + reply.error().message);
    } else {
      for (const auto& topic : reply->topics) {
        if (topic.error.ok()) continue;
        call->services().events.write(env::Level::kInfo, "kafka.server.DefaultAutoTopicCreationManager",
                                      "cannot create topic '" + topic.name + "': " + topic.error.message);
      }
    }
    answer(call, request);
  });
}

}  // namespace moldau::broker::api
