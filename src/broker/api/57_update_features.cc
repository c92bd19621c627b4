// UpdateFeatures: finalizes feature levels, as far as one broker can stand by them (KIP-584, KIP-778).
#include <utility>

#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "wire/gen/update_features.h"
#include "wire/text.h"

namespace moldau::broker::api {
namespace {

constexpr std::int8_t kUpgrade = 1, kSafeDowngrade = 2;

}  // namespace

void update_features(const CallPtr& call) {
  wire::UpdateFeaturesRequest request;
  if (!call->read(request)) return;
  controller::UpdateFeatures update;
  update.validate_only = request.validate_only;
  for (const auto& in : request.feature_updates) {
    const std::int8_t v0_type = in.allow_downgrade ? kSafeDowngrade : kUpgrade;
    update.updates.push_back(
        {std::string(in.feature), in.max_version_level, call->version() == 0 ? v0_type : in.upgrade_type});
  }
  call->services().admin.ask(call->loop(), std::move(update), [call](auto reply) {
    wire::UpdateFeaturesResponse response;
    if (!reply) {
      response.error_code = code(wire::ErrorCode::kNotController);
      response.error_message = call->keep(wire::sayable(reply.error().message));
      return call->reply(response);
    }
    response.error_code = code(reply->error.code);
    response.error_message = text_or_null(*call, reply->error.message);
    if (!reply->error.ok()) call->count_error();
    for (const auto& feature : reply->features) {
      response.results.push_back({.feature = call->keep(feature.name),
                                  .error_code = code(feature.error.code),
                                  .error_message = text_or_null(*call, feature.error.message)});
    }
    call->reply(response);
  });
}

}  // namespace moldau::broker::api
