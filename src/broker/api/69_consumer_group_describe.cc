// ConsumerGroupDescribe: each group is described by its coordinator (group/consumer_describe.cc).
#include <memory>

#include "broker/api/handlers.h"
#include "broker/cluster_view.h"
#include "broker/errors.h"
#include "broker/group/merge.h"
#include "broker/group/protocols.h"
#include "wire/gen/consumer_group_describe.h"

namespace moldau::broker::api {

using wire::ConsumerGroupDescribeRequest;
using wire::ConsumerGroupDescribeResponse;

void consumer_group_describe(const CallPtr& call) {
  ConsumerGroupDescribeRequest request;
  if (!call->read(request)) return;
  const auto response = std::make_shared<ConsumerGroupDescribeResponse>();
  const auto refuse = [response](std::string_view name, wire::ErrorCode error) {
    auto& out = response->groups.emplace_back();
    out.group_id = name;
    out.error_code = code(error);
  };
  if (!speaks_group_protocol(call->services(), "consumer")) {
    call->count_error();
    for (const std::string_view name : request.group_ids) refuse(name, wire::ErrorCode::kUnsupportedVersion);
    return call->reply(*response);
  }
  const bool operations = request.include_authorized_operations;
  ask_by_name<ConsumerGroupDescribeResponse>(
      call, request.group_ids,
      [](const std::vector<std::string_view>& names) {
        return ConsumerGroupDescribeRequest{.group_ids = names};
      },
      [response](ConsumerGroupDescribeResponse&& part) {
        for (auto& group : part.groups) response->groups.push_back(std::move(group));
      },
      refuse,
      [call, response, operations] {
        for (auto& group : response->groups)
          if (operations && group.error_code == 0) group.authorized_operations = kGroupOperations;
        call->reply(*response);
      });
}

}  // namespace moldau::broker::api
