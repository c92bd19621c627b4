#include <utility>

#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "wire/gen/delete_topics.h"

namespace moldau::broker::api {
namespace {

using wire::DeleteTopicsRequest;
using wire::DeleteTopicsResponse;
using wire::ErrorCode;

controller::DeleteTopics to_controller(const DeleteTopicsRequest& request) {
  controller::DeleteTopics out;
  for (const std::string_view name : request.topic_names)
    out.topics.push_back({.name = std::string(name), .id = {}});
  for (const auto& topic : request.topics) {
    out.topics.push_back(
        {.name = topic.name ? std::optional(std::string(*topic.name)) : std::nullopt, .id = topic.topic_id});
  }
  return out;
}

void answer(Call& call, const controller::DeleteTopicsReply& reply) {
  DeleteTopicsResponse response;
  for (const auto& topic : reply.topics) {
    auto& out = response.responses.emplace_back();
    out.name = topic.name ? std::optional(call.keep(*topic.name)) : std::nullopt;
    out.topic_id = topic.id;
    out.error_code = code(topic.error.code);
    out.error_message = text_or_null(call, topic.error.message);
    if (!topic.error.ok()) call.count_error();
  }
  call.reply(response);
}

}  // namespace

void delete_topics(const CallPtr& call) {
  DeleteTopicsRequest request;
  if (!call->read(request)) return;
  auto wanted = to_controller(request);
  const bool enabled = call->services().settings.get()->config.delete_topic_enable;
  if (!enabled) {
    controller::DeleteTopicsReply reply;
    const ErrorCode error =
        call->version() < 3 ? ErrorCode::kInvalidRequest : ErrorCode::kTopicDeletionDisabled;
    for (auto& topic : wanted.topics)
      reply.topics.push_back({topic.name, topic.id, {error, "Topic deletion is disabled."}});
    return answer(*call, reply);
  }
  call->services().admin.ask(call->loop(), wanted, [call, wanted](auto reply) {
    if (reply) return answer(*call, *reply);
    controller::DeleteTopicsReply failed;
    for (const auto& topic : wanted.topics)
      failed.topics.push_back({topic.name, topic.id, {ErrorCode::kNotController, reply.error().message}});
    answer(*call, failed);
  });
}

}  // namespace moldau::broker::api
