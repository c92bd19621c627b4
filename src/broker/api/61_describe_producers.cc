// DescribeProducers: who has written idempotently to a partition, as far as it remembers (KIP-664).
#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/services.h"
#include "controller/topic_name.h"
#include "wire/gen/describe_producers.h"
#include "wire/text.h"

namespace moldau::broker::api {
namespace {

using wire::ErrorCode;
using Out = wire::DescribeProducersResponse::PartitionResponse;

void fill(Out& out, Call& call, const replica::PartitionRef& partition) {
  partition->with([&](replica::Partition& p) {
    out.error_code = code(p.check_leader());
    if (out.error_code != 0) return;
    const auto producers = p.log().producers();
    if (!producers) {
      out.error_code = code(ErrorCode::kKafkaStorageError);
      out.error_message = call.keep(producers.error().message);
      return;
    }
    for (const log::ProducerStatus& producer : *producers) {
      out.active_producers.push_back({.producer_id = producer.producer.value,
                                      .producer_epoch = producer.epoch.value,
                                      .last_sequence = producer.last_sequence,
                                      .last_timestamp = producer.last_timestamp,
                                      .coordinator_epoch = producer.coordinator_epoch,
                                      .current_txn_start_offset = producer.transaction_start.value});
    }
  });
}

}  // namespace

void describe_producers(const CallPtr& call) {
  wire::DescribeProducersRequest request;
  if (!call->read(request)) return;
  wire::DescribeProducersResponse response;
  for (const auto& topic : request.topics) {
    const auto local = call->services().replicas.find(topic.name);
    const bool unknown = call->services().images.get()->find_topic(topic.name) == nullptr;
    const auto invalid = controller::invalid_topic_name(topic.name);
    auto& out_topic = response.topics.emplace_back();
    out_topic.name = topic.name;
    for (const std::int32_t index : topic.partition_indexes) {
      auto& out = out_topic.partitions.emplace_back();
      out.partition_index = index;
      const auto partition = local ? local->at(index) : nullptr;
      if (invalid) {
        out.error_code = code(ErrorCode::kInvalidTopicException);
        out.error_message = call->keep(wire::sayable(*invalid));
      } else if (partition == nullptr) {
        out.error_code = code(call->services().absent(topic.name, index));
        // As Kafka tells them apart: of a topic that is there it says no more than the error.
        if (unknown) out.error_message = wire::message(ErrorCode::kUnknownTopicOrPartition);
      } else {
        fill(out, *call, partition);
      }
      if (out.error_code != 0) call->count_error();
    }
  }
  call->reply(response);
}

}  // namespace moldau::broker::api
