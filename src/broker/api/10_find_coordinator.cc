// FindCoordinator: whoever leads the group's partition of __consumer_offsets coordinates it. The topic is
// made when it is first asked for. Transactions and share groups are refused at once, with the reason.
#include "broker/api/handlers.h"
#include "broker/cluster_view.h"
#include "broker/errors.h"
#include "broker/internal_topics.h"
#include "wire/gen/find_coordinator.h"

namespace moldau::broker::api {
namespace {

using wire::ErrorCode;
using wire::FindCoordinatorRequest;
using wire::FindCoordinatorResponse;

constexpr std::int8_t kGroup = 0, kTransaction = 1, kShare = 2;  // FindCoordinatorRequest.CoordinatorType
constexpr std::int16_t kFirstWithSeveral = 4;

FindCoordinatorResponse::Coordinator refusal(ErrorCode error, std::string_view why) {
  return {.key = {}, .node_id = -1, .host = "", .port = -1, .error_code = code(error), .error_message = why};
}

// The text of a coordinator that was found, or is not there yet: Kafka's, that knows none where several may
// be asked for.
std::string_view text_of(const Call& call, ErrorCode error) {
  if (call.version() >= kFirstWithSeveral) return "";
  return error == ErrorCode::kNone ? "NONE" : wire::message(error);
}

FindCoordinatorResponse::Coordinator not_available(const Call& call) {
  return refusal(ErrorCode::kCoordinatorNotAvailable, text_of(call, ErrorCode::kCoordinatorNotAvailable));
}

FindCoordinatorResponse::Coordinator find(Call& call, const metadata::Image& image, std::int8_t type,
                                          std::string_view key) {
  if (type == kTransaction)
    return refusal(ErrorCode::kInvalidRequest, "Transactions are not served by this broker");
  if (type == kShare)
    return refusal(ErrorCode::kInvalidRequest, "Share groups are not served by this broker");
  if (type != kGroup) return refusal(ErrorCode::kInvalidRequest, "Unknown coordinator type");
  const metadata::Topic* topic = image.find_topic(kOffsetsTopic);
  if (topic == nullptr || topic->partitions.empty()) return not_available(call);
  const std::int32_t index = group_partition(key, static_cast<std::int32_t>(topic->partitions.size()));
  const BrokerId leader = topic->partitions[static_cast<std::size_t>(index)].leader;
  const auto node = alive_node(image, leader, call.connection().info().listener);
  if (!node) return not_available(call);
  return {.key = key,
          .node_id = node->id,
          .host = node->host,
          .port = node->port,
          .error_code = 0,
          .error_message = text_of(call, ErrorCode::kNone)};
}

void answer(const CallPtr& call, const FindCoordinatorRequest& request) {
  const auto image = call->services().images.get();
  FindCoordinatorResponse response;
  if (call->version() < kFirstWithSeveral) {
    const auto found = find(*call, *image, request.key_type, request.key);
    if (found.error_code != 0) call->count_error();
    response.error_code = found.error_code;
    response.error_message = found.error_message;
    response.node_id = found.node_id;
    response.host = found.host;
    response.port = found.port;
    return call->reply(response);
  }
  response.coordinators.reserve(request.coordinator_keys.size());
  for (const std::string_view key : request.coordinator_keys) {
    auto& found = response.coordinators.emplace_back(find(*call, *image, request.key_type, key));
    if (found.error_code != 0) call->count_error();
    found.key = key;
  }
  call->reply(response);
}

}  // namespace

void find_coordinator(const CallPtr& call) {
  FindCoordinatorRequest request;
  if (!call->read(request)) return;
  Services& services = call->services();
  if (request.key_type != kGroup || services.images.get()->find_topic(kOffsetsTopic) != nullptr)
    return answer(call, request);
  controller::CreateTopics create;
  create.topics.push_back(offsets_topic(*services.settings.get(), *services.images.get()));
  services.admin.ask(call->loop(), std::move(create), [call, request = std::move(request)](auto reply) {
    constexpr std::string_view kLogger = "kafka.server.DefaultAutoTopicCreationManager";
    const auto tell = [&](const std::string& why) {
      call->services().events.write(env::Level::kError, kLogger,
                                    "cannot create topic '" + std::string(kOffsetsTopic) +
                                        "', so there is no coordinator for groups: " + why);
    };
    if (!reply) {
      tell(reply.error().message);
    } else if (const auto& topic = reply->topics.front();
               !topic.error.ok() && topic.error.code != ErrorCode::kTopicAlreadyExists) {
      tell(topic.error.message);
    }
    answer(call, request);
  });
}

}  // namespace moldau::broker::api
