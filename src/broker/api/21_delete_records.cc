// DeleteRecords: moves the log start of partitions forward; -1 means up to the high watermark.
#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "wire/gen/delete_records.h"

namespace moldau::broker::api {

using wire::ErrorCode;

void delete_records(const CallPtr& call) {
  wire::DeleteRecordsRequest request;
  if (!call->read(request)) return;
  wire::DeleteRecordsResponse response;
  for (const auto& topic : request.topics) {
    const auto local = call->services().replicas.find(topic.name);
    auto& out_topic = response.topics.emplace_back();
    out_topic.name = topic.name;
    for (const auto& in : topic.partitions) {
      auto& out = out_topic.partitions.emplace_back();
      out.partition_index = in.partition_index;
      out.low_watermark = -1;
      const auto partition = local ? local->at(in.partition_index) : nullptr;
      if (partition == nullptr) {
        out.error_code = code(call->services().absent(topic.name, in.partition_index));
      } else if (is_internal_topic(topic.name)) {
        out.error_code = code(ErrorCode::kInvalidTopicException);
      } else if (local->config->cleanup_compact && !local->config->cleanup_delete) {
        out.error_code = code(ErrorCode::kPolicyViolation);
      } else {
        const auto done =
            partition->with([&](replica::Partition& p) { return p.delete_records(Offset{in.offset}); });
        out.error_code = code(done.error);
        out.low_watermark = done.low_watermark.value;
      }
      if (out.error_code != 0) call->count_error();
    }
  }
  call->reply(response);
}

}  // namespace moldau::broker::api
