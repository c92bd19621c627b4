#include <utility>

#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "wire/gen/create_topics.h"
#include "wire/text.h"

namespace moldau::broker::api {
namespace {

using wire::CreateTopicsRequest;
using wire::CreateTopicsResponse;
using wire::ErrorCode;

controller::CreateTopics to_controller(const CreateTopicsRequest& request) {
  controller::CreateTopics create;
  create.validate_only = request.validate_only;
  for (const auto& in : request.topics) {
    auto& topic = create.topics.emplace_back();
    topic.name = in.name;
    topic.num_partitions = in.num_partitions;
    topic.replication_factor = in.replication_factor;
    for (const auto& assignment : in.assignments) {
      auto& out = topic.assignments.emplace_back();
      out.partition = PartitionIndex{assignment.partition_index};
      for (const std::int32_t id : assignment.broker_ids) out.brokers.push_back(BrokerId{id});
    }
    for (const auto& config : in.configs) {
      topic.configs.push_back({std::string(config.name),
                               config.value ? std::optional(std::string(*config.value)) : std::nullopt});
    }
  }
  return create;
}

void answer(Call& call, controller::CreateTopicsReply reply) {
  CreateTopicsResponse response;
  for (auto& topic : reply.topics) {
    auto& out = response.topics.emplace_back();
    out.name = call.keep(topic.name);
    out.topic_id = topic.id;
    out.error_code = code(topic.error.code);
    out.error_message = text_or_null(call, topic.error.message);
    if (!topic.error.ok()) {
      call.count_error();
      continue;
    }
    out.num_partitions = topic.num_partitions;
    out.replication_factor = topic.replication_factor;
    out.configs.emplace();
    for (const auto& config : topic.configs) {
      out.configs->push_back({.name = call.keep(config.name),
                              .value = config.value ? std::optional(call.keep(*config.value)) : std::nullopt,
                              .read_only = config.read_only,
                              .config_source = config.source,
                              .is_sensitive = config.sensitive});
    }
  }
  call.reply(response);
}

}  // namespace

void create_topics(const CallPtr& call) {
  CreateTopicsRequest request;
  if (!call->read(request)) return;
  call->services().admin.ask(call->loop(), to_controller(request), [call, request](auto reply) {
    if (reply) return answer(*call, std::move(*reply));
    CreateTopicsResponse failed;
    for (const auto& topic : request.topics) {
      failed.topics.push_back({.name = topic.name,
                               .error_code = code(ErrorCode::kNotController),
                               .error_message = call->keep(wire::sayable(reply.error().message))});
    }
    call->reply(failed);
  });
}

}  // namespace moldau::broker::api
