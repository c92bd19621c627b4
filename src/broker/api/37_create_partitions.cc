#include <utility>

#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "wire/gen/create_partitions.h"
#include "wire/text.h"

namespace moldau::broker::api {
namespace {

using wire::CreatePartitionsRequest;
using wire::CreatePartitionsResponse;
using wire::ErrorCode;

controller::CreatePartitions to_controller(const CreatePartitionsRequest& request) {
  controller::CreatePartitions out;
  out.validate_only = request.validate_only;
  for (const auto& in : request.topics) {
    auto& topic = out.topics.emplace_back();
    topic.name = in.name;
    topic.count = in.count;
    if (!in.assignments) continue;
    topic.assignments.emplace();
    for (const auto& assignment : *in.assignments) {
      auto& brokers = topic.assignments->emplace_back();
      for (const std::int32_t id : assignment.broker_ids) brokers.push_back(BrokerId{id});
    }
  }
  return out;
}

}  // namespace

void create_partitions(const CallPtr& call) {
  CreatePartitionsRequest request;
  if (!call->read(request)) return;
  call->services().admin.ask(call->loop(), to_controller(request), [call, request](auto reply) {
    CreatePartitionsResponse response;
    if (reply) {
      for (const auto& topic : reply->topics) {
        response.results.push_back({.name = call->keep(topic.name),
                                    .error_code = code(topic.error.code),
                                    .error_message = text_or_null(*call, topic.error.message)});
        if (!topic.error.ok()) call->count_error();
      }
    } else {
      for (const auto& topic : request.topics) {
        response.results.push_back({.name = topic.name,
                                    .error_code = code(ErrorCode::kNotController),
                                    .error_message = call->keep(wire::sayable(reply.error().message))});
      }
    }
    call->reply(response);
  });
}

}  // namespace moldau::broker::api
