// ListTransactions (KIP-664, KIP-994, KIP-1152). No transaction is coordinated here, so the list is empty;
// the filters are checked all the same.
#include <algorithm>

#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "group/regex_subscription.h"
#include "wire/gen/list_transactions.h"

namespace moldau::broker::api {
namespace {

// The states of transactions by the names that tools use (org.apache.kafka.coordinator.transaction).
constexpr std::string_view kStates[] = {"Empty",        "Ongoing",          "PrepareCommit",
                                        "PrepareAbort", "CompleteCommit",   "CompleteAbort",
                                        "Dead",         "PrepareEpochFence"};

}  // namespace

void list_transactions(const CallPtr& call) {
  wire::ListTransactionsRequest request;
  if (!call->read(request)) return;
  wire::ListTransactionsResponse response;
  if (const auto& pattern = request.transactional_id_pattern; pattern && group::regex_error(*pattern)) {
    response.error_code = code(wire::ErrorCode::kInvalidRegularExpression);
    call->count_error();
    return call->reply(response);
  }
  for (const auto& state : request.state_filters) {
    if (std::ranges::find(kStates, state) == std::end(kStates))
      response.unknown_state_filters.push_back(state);
  }
  call->reply(response);
}

}  // namespace moldau::broker::api
