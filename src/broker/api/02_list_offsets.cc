// ListOffsets: where a time, or a named place (latest -1, earliest -2, max timestamp -3, earliest local -4,
// latest tiered -5), lies in each partition. Version 0 answers with a list of segment starts. What is not in
// memory is read in first (ColdReads), and only the partitions that missed it are looked at again.
#include <algorithm>
#include <memory>
#include <unordered_set>
#include <utility>
#include <vector>

#include "broker/api/handlers.h"
#include "broker/cold_reads.h"
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

class ListOffsets final : public std::enable_shared_from_this<ListOffsets> {
 public:
  explicit ListOffsets(CallPtr call) : call_(std::move(call)) {}

  void start() {
    if (!call_->read(request_)) return;
    for (const auto& topic : request_.topics) take(topic);
    go_on();
  }

 private:
  struct Open {  // a partition not answered for yet; points into request_ and response_
    const InPartition* in;
    std::size_t topic, partition;
    replica::PartitionRef at;
  };

  void take(const ListOffsetsRequest::ListOffsetsTopic& topic);
  void go_on();
  bool look_up(const Open& open);
  void answer();

  CallPtr call_;
  ListOffsetsRequest request_;
  ListOffsetsResponse response_;
  std::vector<Open> open_;
  ColdReads cold_;
};

void ListOffsets::take(const ListOffsetsRequest::ListOffsetsTopic& topic) {
  Services& services = call_->services();
  const auto local = services.replicas.find(topic.name);
  auto& out_topic = response_.topics.emplace_back();
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
      out.error_code = storage_error_for(call_->version(), services.absent(topic.name, in.partition_index));
    } else if (call_->version() == 0) {
      fill_v0(out, in, partition, call_->loop().wall_ms());
    } else if (in.timestamp < log::kEarliestPendingUpload || call_->version() < needs_version(in.timestamp)) {
      out.error_code = code(ErrorCode::kUnsupportedVersion);
    } else {
      open_.push_back({&in, response_.topics.size() - 1, out_topic.partitions.size() - 1, partition});
    }
  }
}

void ListOffsets::go_on() {
  std::erase_if(open_, [&](const Open& open) { return look_up(open); });
  if (open_.empty()) return answer();
  if (!cold_.read_in(*call_, [self = shared_from_this()] { self->go_on(); })) go_on();
}

// False: something of it is not in memory.
bool ListOffsets::look_up(const Open& open) {
  const auto isolation = static_cast<replica::Isolation>(request_.isolation_level);
  const auto found = open.at->with([&](replica::Partition& p) {
    return p.find_offset(open.in->timestamp, isolation, open.in->current_leader_epoch, cold_.haste());
  });
  if (found.cold) return false;
  auto& out = response_.topics[open.topic].partitions[open.partition];
  out.error_code = storage_error_for(call_->version(), found.error);
  if (!found.at) return true;
  out.timestamp = found.at->timestamp;
  out.offset = found.at->offset.value;
  if (call_->version() >= 4) out.leader_epoch = found.at->leader_epoch.value;
  return true;
}

void ListOffsets::answer() {
  for (const auto& topic : response_.topics) {
    for (const auto& out : topic.partitions) {
      if (out.error_code != 0) call_->count_error();
    }
  }
  call_->reply(response_);
}

}  // namespace

void list_offsets(const CallPtr& call) { std::make_shared<ListOffsets>(call)->start(); }

}  // namespace moldau::broker::api
