// OffsetForLeaderEpoch: where a leader epoch ended, so that a follower or consumer can see what was truncated
// (KIP-101, KIP-320).
#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "wire/gen/offset_for_leader_epoch.h"

namespace moldau::broker::api {
namespace {

using wire::ErrorCode;
using Out = wire::OffsetForLeaderEpochResponse::EpochEndOffset;
using In = wire::OffsetForLeaderEpochRequest::OffsetForLeaderPartition;

void fill(Out& out, const In& in, const replica::PartitionRef& partition, ErrorCode absent) {
  if (partition == nullptr) {
    out.error_code = code(absent);
    return;
  }
  partition->with([&](replica::Partition& p) {
    out.error_code = code(p.check_leader(in.current_leader_epoch));
    if (out.error_code != 0) return;
    const auto end = p.log().end_offset_for_epoch(LeaderEpoch{in.leader_epoch});
    if (!end) {
      out.error_code = code(ErrorCode::kKafkaStorageError);
      return;
    }
    out.leader_epoch = end->epoch.value;
    out.end_offset = end->end.value;
  });
}

}  // namespace

void offset_for_leader_epoch(const CallPtr& call) {
  wire::OffsetForLeaderEpochRequest request;
  if (!call->read(request)) return;
  wire::OffsetForLeaderEpochResponse response;
  for (const auto& topic : request.topics) {
    const auto local = call->services().replicas.find(topic.topic);
    auto& out_topic = response.topics.emplace_back();
    out_topic.topic = topic.topic;
    for (const auto& in : topic.partitions) {
      auto& out = out_topic.partitions.emplace_back();
      out.partition = in.partition;
      fill(out, in, local ? local->at(in.partition) : nullptr,
           call->services().absent(topic.topic, in.partition));
      if (out.error_code != 0) call->count_error();
    }
  }
  call->reply(response);
}

}  // namespace moldau::broker::api
