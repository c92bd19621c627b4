// InitProducerId without a transactional id: the next producer id, from a block that the controller has set
// aside.
#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "wire/gen/init_producer_id.h"

namespace moldau::broker::api {
namespace {

using wire::ErrorCode;

void answer(Call& call, ErrorCode error, std::int64_t producer_id = -1) {
  wire::InitProducerIdResponse response;
  response.error_code = code(error);
  response.producer_id = producer_id;
  response.producer_epoch = error == ErrorCode::kNone ? 0 : -1;
  if (error != ErrorCode::kNone) call.count_error();
  call.reply(response);
}

// Transactions belong to a coordinator, and this broker has none (FindCoordinator says so).
ErrorCode refusal(Call& call, const wire::InitProducerIdRequest& request) {
  if (request.transactional_id->empty()) return ErrorCode::kInvalidRequest;
  const std::int32_t timeout_ms = request.transaction_timeout_ms;
  const std::int32_t most_ms = call.services().settings.get()->config.transaction_max_timeout_ms;
  return timeout_ms <= 0 || timeout_ms > most_ms ? ErrorCode::kInvalidTransactionTimeout
                                                 : ErrorCode::kNotCoordinator;
}

void allocate(const CallPtr& call) {
  Services& services = call->services();
  const controller::AllocateProducerIds request{.broker = services.node,
                                                .broker_epoch = services.registration_epoch};
  services.admin.ask(call->loop(), request, [call](auto block) {
    if (!block || block->error != ErrorCode::kNone)
      return answer(*call, ErrorCode::kCoordinatorLoadInProgress);
    ProducerIds& ids = call->services().producer_ids;
    // Others may have refilled meanwhile: then this block replaces theirs, and a few ids are nobody's.
    ids.refill(block->first + 1, block->count - 1);
    answer(*call, ErrorCode::kNone, block->first);
  });
}

}  // namespace

void init_producer_id(const CallPtr& call) {
  wire::InitProducerIdRequest request;
  if (!call->read(request)) return;
  const bool one_of_two = (request.producer_id == -1) != (request.producer_epoch == -1);
  if (one_of_two) return answer(*call, ErrorCode::kInvalidRequest);
  if (request.transactional_id) return answer(*call, refusal(*call, request));
  // Without a transactional id a producer that asks again gets a new id, whatever it had (KIP-360).
  if (const auto id = call->services().producer_ids.take()) return answer(*call, ErrorCode::kNone, *id);
  allocate(call);
}

}  // namespace moldau::broker::api
