// ListOffsets: where a time, or a named place (latest -1, earliest -2, max timestamp -3, earliest local -4,
// latest tiered -5), lies in each partition. Version 0 answers with a list of segment starts.
#include <algorithm>
#include <unordered_set>

#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "wire/gen/list_offsets.h"

namespace moldau::broker::api {
namespace {

using wire::ErrorCode;
using wire::ListOffsetsRequest;
using wire::ListOffsetsResponse;
using InPartition = ListOffsetsRequest::ListOffsetsPartition;
using OutPartition = ListOffsetsResponse::ListOffsetsPartitionResponse;

// Which version brought a special timestamp (ListOffsetsRequest in Kafka).
std::int16_t needs_version(std::int64_t timestamp) {
  switch (timestamp) {
    case log::kMaxTimestamp:
      return 7;
    case log::kEarliestLocalTimestamp:
      return 8;
    case log::kLatestTieredTimestamp:
      return 9;
    case log::kEarliestPendingUpload:
      return 11;
    default:
      return 0;
  }
}

// Clients of these versions do not know KAFKA_STORAGE_ERROR (KIP-112).
std::int16_t storage_error_for(std::int16_t version, ErrorCode error) {
  return code(error == ErrorCode::kKafkaStorageError && version <= 4 ? ErrorCode::kNotLeaderOrFollower
                                                                     : error);
}

void fill(OutPartition& out, const Call& call, const ListOffsetsRequest& request, const InPartition& in,
          const replica::PartitionRef& partition) {
  const auto isolation = static_cast<replica::Isolation>(request.isolation_level);
  if (in.timestamp < log::kEarliestPendingUpload || call.version() < needs_version(in.timestamp)) {
    out.error_code = code(ErrorCode::kUnsupportedVersion);
    return;
  }
  const auto found = partition->with(
      [&](replica::Partition& p) { return p.find_offset(in.timestamp, isolation, in.current_leader_epoch); });
  out.error_code = storage_error_for(call.version(), found.error);
  if (!found.at) return;
  out.timestamp = found.at->timestamp;
  out.offset = found.at->offset.value;
  if (call.version() >= 4) out.leader_epoch = found.at->leader_epoch.value;
}

void fill_v0(OutPartition& out, const InPartition& in, const replica::PartitionRef& partition,
             std::int64_t now_ms) {
  partition->with([&](replica::Partition& p) {
    out.error_code = storage_error_for(0, p.check_leader());
    if (out.error_code != 0) return;
    const auto count = static_cast<std::size_t>(std::max(in.max_num_offsets, 0));
    const auto offsets = p.log().offsets_before(in.timestamp, count, now_ms);
    if (!offsets) {
      out.error_code = code(ErrorCode::kNotLeaderOrFollower);
      return;
    }
    // Consumers may not see beyond the high watermark.
    for (const Offset offset : *offsets) {
      const std::int64_t shown = std::min(offset, p.high_watermark()).value;
      if (out.old_style_offsets.empty() || out.old_style_offsets.back() != shown)
        out.old_style_offsets.push_back(shown);
    }
  });
}

}  // namespace

void list_offsets(const CallPtr& call) {
  ListOffsetsRequest request;
  if (!call->read(request)) return;
  Services& services = call->services();
  ListOffsetsResponse response;
  for (const auto& topic : request.topics) {
    const auto local = services.replicas.find(topic.name);
    auto& out_topic = response.topics.emplace_back();
    out_topic.name = topic.name;
    std::unordered_set<std::int32_t> seen, twice;
    for (const auto& in : topic.partitions) {
      if (!seen.insert(in.partition_index).second) twice.insert(in.partition_index);
    }
    for (const auto& in : topic.partitions) {
      auto& out = out_topic.partitions.emplace_back();
      out.partition_index = in.partition_index;
      const auto partition = local ? local->at(in.partition_index) : nullptr;
      if (twice.contains(in.partition_index)) {
        out.error_code = code(ErrorCode::kInvalidRequest);
      } else if (partition == nullptr) {
        out.error_code = storage_error_for(call->version(), services.absent(topic.name, in.partition_index));
      } else if (call->version() == 0) {
        fill_v0(out, in, partition, call->loop().wall_ms());
      } else {
        fill(out, *call, request, in, partition);
      }
      if (out.error_code != 0) call->count_error();
    }
  }
  call->reply(response);
}

}  // namespace moldau::broker::api
