// DescribeTransactions (KIP-664). No transaction is coordinated here: of every id that could be one,
// NOT_COORDINATOR, as Kafka says while it has no __transaction_state.
#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "wire/gen/describe_transactions.h"

namespace moldau::broker::api {

using wire::ErrorCode;

void describe_transactions(const CallPtr& call) {
  wire::DescribeTransactionsRequest request;
  if (!call->read(request)) return;
  wire::DescribeTransactionsResponse response;
  for (const auto& id : request.transactional_ids) {
    auto& out = response.transaction_states.emplace_back();
    out.transactional_id = id;
    out.error_code = code(id.empty() ? ErrorCode::kInvalidRequest : ErrorCode::kNotCoordinator);
    call->count_error();
  }
  call->reply(response);
}

}  // namespace moldau::broker::api
