// DescribeQuorum: who leads the metadata quorum, how far it is, who votes (KIP-595, KIP-836, KIP-853).
#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "wire/gen/describe_quorum.h"

namespace moldau::broker::api {
namespace {

using wire::DescribeQuorumRequest;
using wire::DescribeQuorumResponse;
using wire::ErrorCode;

constexpr std::string_view kMetadataTopic = "__cluster_metadata";

void fill(DescribeQuorumResponse& response, DescribeQuorumResponse::PartitionData& out,
          const quorum::QuorumState& state, Call& call) {
  out.leader_id = state.leader.value;
  out.leader_epoch = state.epoch.value;
  out.high_watermark = state.high_watermark.value;
  for (const quorum::Voter& voter : state.voters) {
    auto& replica = out.current_voters.emplace_back();
    replica.replica_id = voter.id.value;
    if (call.version() >= 2) replica.replica_directory_id = voter.directory_id;
    replica.log_end_offset = state.log_end.value;
    if (voter.id == state.leader)
      replica.last_fetch_timestamp = replica.last_caught_up_timestamp = call.loop().wall_ms();
    if (call.version() < 2) continue;
    auto& node = response.nodes.emplace_back();
    node.node_id = voter.id.value;
    for (const auto& endpoint : voter.endpoints) {
      node.listeners.push_back(
          {.name = call.keep(endpoint.name), .host = call.keep(endpoint.host), .port = endpoint.port});
    }
  }
}

void answer(Call& call, const DescribeQuorumRequest& request, const quorum::QuorumState& state) {
  DescribeQuorumResponse response;
  for (const auto& topic : request.topics) {
    auto& out_topic = response.topics.emplace_back();
    out_topic.topic_name = topic.topic_name;
    for (const auto& partition : topic.partitions) {
      auto& out = out_topic.partitions.emplace_back();
      out.partition_index = partition.partition_index;
      if (topic.topic_name == kMetadataTopic && partition.partition_index == 0) {
        fill(response, out, state, call);
      } else {
        out.error_code = code(ErrorCode::kUnknownTopicOrPartition);
        call.count_error();
      }
    }
  }
  call.reply(response);
}

}  // namespace

void describe_quorum(const CallPtr& call) {
  DescribeQuorumRequest request;
  if (!call->read(request)) return;
  const auto work = [](controller::Driver& driver) -> Result<quorum::QuorumState> {
    return driver.quorum_state();
  };
  call->services().admin.run(call->loop(), work, [call, request](auto state) {
    if (!state) return call->close(state.error().message);
    answer(*call, request, *state);
  });
}

}  // namespace moldau::broker::api
