// DeleteGroups: group/admin_requests.cc decides, for each coordinator's groups together.
#include <memory>

#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/group/merge.h"
#include "wire/gen/delete_groups.h"

namespace moldau::broker::api {

using wire::DeleteGroupsRequest;
using wire::DeleteGroupsResponse;

void delete_groups(const CallPtr& call) {
  DeleteGroupsRequest request;
  if (!call->read(request)) return;
  const auto response = std::make_shared<DeleteGroupsResponse>();
  ask_by_name<DeleteGroupsResponse>(
      call, request.groups_names,
      [](const std::vector<std::string_view>& names) { return DeleteGroupsRequest{.groups_names = names}; },
      [response](DeleteGroupsResponse&& part) {
        for (const auto& result : part.results) response->results.push_back(result);
      },
      [response](std::string_view name, wire::ErrorCode error) {
        response->results.push_back({.group_id = name, .error_code = code(error)});
      },
      [call, response] { call->reply(*response); });
}

}  // namespace moldau::broker::api
