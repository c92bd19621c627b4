// DescribeGroups: each group is described by its coordinator (group/admin_requests.cc).
#include <memory>

#include "broker/api/handlers.h"
#include "broker/cluster_view.h"
#include "broker/errors.h"
#include "broker/group/merge.h"
#include "wire/gen/describe_groups.h"

namespace moldau::broker::api {

using wire::DescribeGroupsRequest;
using wire::DescribeGroupsResponse;

void describe_groups(const CallPtr& call) {
  DescribeGroupsRequest request;
  if (!call->read(request)) return;
  const auto response = std::make_shared<DescribeGroupsResponse>();
  const bool operations = request.include_authorized_operations;
  ask_by_name<DescribeGroupsResponse>(
      call, request.groups,
      [](const std::vector<std::string_view>& names) { return DescribeGroupsRequest{.groups = names}; },
      [response](DescribeGroupsResponse&& part) {
        for (auto& group : part.groups) response->groups.push_back(std::move(group));
      },
      [response](std::string_view name, wire::ErrorCode error) {
        auto& out = response->groups.emplace_back();
        out.group_id = name;
        out.error_code = code(error);
      },
      [call, response, operations] {
        for (auto& group : response->groups)
          if (operations && group.error_code == 0) group.authorized_operations = kGroupOperations;
        call->reply(*response);
      });
}

}  // namespace moldau::broker::api
