// Produce: each partition's records are checked on this loop, appended under their partition's exclusion, and
// answered when all partitions have acknowledged (acks=1: written; acks=-1: below the high watermark) or the
// time is up.
//
//   produce → check → [launch: append ⇄ partition] → all acknowledged ──▶ finished → reply
//                                    └── timeout: give_up → REQUEST_TIMED_OUT ──┘
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "broker/api/handlers.h"
#include "broker/errors.h"
#include "broker/fanout.h"
#include "broker/services.h"
#include "wire/gen/produce.h"
#include "wire/text.h"

namespace moldau::broker::api {
namespace {

using replica::Partition;
using replica::PartitionRef;
using replica::SharedPartition;
using wire::ErrorCode;
using wire::ProduceRequest;
using wire::ProduceResponse;

class Produce;

// One partition's records, from check to acknowledgement.
struct Part final : SharedPartition::Job, replica::AckWaiter {
  // Tells a part that still waits in its partition that the time is up.
  struct GiveUp final : SharedPartition::Job {
    void run(Partition& partition) override;
    Part* part = nullptr;
  };

  void run(Partition& partition) override;
  void acknowledged(ErrorCode error) override;
  void refuse(ErrorCode error, std::string message = {}) {
    outcome.error = error;
    outcome.message = std::move(message);
  }

  Produce* produce = nullptr;
  PartitionRef partition;
  std::int32_t min_in_sync = 1;
  record::Accepted accepted;
  replica::Appended outcome;
  std::vector<record::RecordError> record_errors;
  GiveUp give_up;
};

class Produce final : public Fanout, public env::Timer {
 public:
  Produce(CallPtr call, ProduceRequest request) : call_(std::move(call)), request_(std::move(request)) {}

  void start();

 private:
  friend struct Part;
  void expired() override;
  void finished() override;
  void check(Part& part, const replica::LocalTopicRef& topic,
             const ProduceRequest::PartitionProduceData& partition);
  void validate(Part& part, const config::TopicConfig& topic, const wire::Records& records);
  void count(Part& part, ErrorCode error);
  void fill(ProduceResponse::PartitionProduceResponse& out, Part& part);
  std::string summary() const;

  CallPtr call_;
  ProduceRequest request_;
  std::vector<Part> parts_;  // in the order of the request; never moved once launched
  std::int64_t now_ms_ = 0;
};

void Part::run(Partition& p) {
  // Ours is the loop's: what it holds must not go on the thread that happens to tell it.
  outcome = p.append(accepted.bytes(), {.now_ms = produce->now_ms_}, produce->request_.acks, min_in_sync,
                     replica::unowned(*this));
  if (!outcome.waits) produce->part_done();
}

void Part::acknowledged(ErrorCode error) {
  if (error != ErrorCode::kNone) outcome.error = error;
  produce->part_done();
}

void Produce::start() {
  Services& services = call_->services();
  services.metrics.total_produce.add();
  now_ms_ = call_->loop().wall_ms();
  std::size_t count = 0;
  for (const auto& topic : request_.topic_data) count += topic.partition_data.size();
  parts_ = std::vector<Part>(count);

  std::size_t at = 0, to_launch = 0;
  for (const auto& data : request_.topic_data) {
    const auto topic =
        call_->version() >= 13 ? services.replicas.find(data.topic_id) : services.replicas.find(data.name);
    for (const auto& partition : data.partition_data) {
      Part& part = parts_[at++];
      part.produce = this;
      check(part, topic, partition);
      if (part.outcome.error == ErrorCode::kNone && !part.accepted.empty()) ++to_launch;
    }
  }
  launching(call_->loop(), to_launch);
  for (Part& part : parts_) {
    if (part.outcome.error == ErrorCode::kNone && !part.accepted.empty()) part.partition->execute(part);
  }
  // A wait that is over at once never touches the wheel. With acks=1 the client waits for this broker alone,
  // which its timeout is not about (Kafka: ReplicaManager.delayedProduceRequestRequired).
  if (request_.acks == -1) {
    const std::chrono::milliseconds patience(std::max(request_.timeout_ms, 0));
    call_->loop().schedule(*this, call_->loop().now() + patience);
    services.metrics.waiting_produces.add(1);
  }
  launched();
}

void Produce::check(Part& part, const replica::LocalTopicRef& topic,
                    const ProduceRequest::PartitionProduceData& partition) {
  const std::int16_t acks = request_.acks;
  if (acks < -1 || acks > 1) return part.refuse(ErrorCode::kInvalidRequiredAcks);
  if (topic == nullptr) {
    return part.refuse(call_->version() >= 13 ? ErrorCode::kUnknownTopicId
                                              : ErrorCode::kUnknownTopicOrPartition);
  }
  part.partition = topic->at(partition.index);
  if (part.partition == nullptr) {
    return part.refuse(call_->services().absent(topic->name, partition.index));
  }
  if (is_internal_topic(topic->name) && call_->client_id() != "__admin_client") {
    return part.refuse(ErrorCode::kInvalidTopicException, "Cannot append to internal topic " + topic->name);
  }
  part.min_in_sync = topic->config->min_insync_replicas;
  validate(part, *topic->config, partition.records);
}

void Produce::validate(Part& part, const config::TopicConfig& topic, const wire::Records& records) {
  record::ProduceRules rules{
      .produce_version = call_->version(),
      .compacted = topic.cleanup_compact,
      .timestamp_type = static_cast<record::TimestampType>(topic.timestamp_type),
      .before_max_ms = topic.timestamp_before_max_ms,
      .after_max_ms = topic.timestamp_after_max_ms,
      .max_batch_bytes = topic.max_message_bytes,
      .max_segment_bytes = topic.segment_bytes,
      .now_ms = now_ms_,
  };
  if (topic.compression != config::Compression::kAsProduced) {
    const auto codec = static_cast<record::Codec>(topic.compression);
    rules.compression.emplace(codec);
    if (codec == record::Codec::kGzip) rules.compression->level = topic.gzip_level;
    if (codec == record::Codec::kLz4) rules.compression->level = topic.lz4_level;
    if (codec == record::Codec::kZstd) rules.compression->level = topic.zstd_level;
  }
  // The frame is ours to write into: offsets, epoch and timestamps are patched where the records lie.
  const MutableBytes bytes(const_cast<std::uint8_t*>(records.bytes.data()), records.bytes.size());
  auto accepted = record::validate_produce(bytes, rules, call_->services().tools_of(call_->loop()).workbench);
  if (accepted && accepted->header.transactional()) {
    // Nobody here could end its transaction, and readers would wait for that end for ever.
    return part.refuse(ErrorCode::kInvalidTxnState, "Transactions are not served by this broker");
  }
  if (accepted) {
    part.accepted = std::move(*accepted);
    return;
  }
  part.refuse(accepted.error().code, std::move(accepted.error().message));
  part.record_errors = std::move(accepted.error().records);
  call_->services().metrics.bytes_rejected.add(bytes.size());
}

void Part::GiveUp::run(Partition& p) {
  p.give_up(part);
  part->produce->part_done();
}

void Produce::expired() {
  const auto waits = [](const Part& part) { return part.partition != nullptr && !part.accepted.empty(); };
  if (!launching_more(static_cast<std::size_t>(std::ranges::count_if(parts_, waits)))) return;
  for (Part& part : parts_) {
    if (!waits(part)) continue;
    part.give_up.part = &part;
    part.partition->execute(part.give_up);
  }
}

void Produce::count(Part& part, ErrorCode error) {
  Metrics& metrics = call_->services().metrics;
  if (error == ErrorCode::kNone) {
    metrics.messages_in.add(static_cast<std::uint64_t>(part.accepted.record_count()));
    metrics.bytes_in.add(part.accepted.bytes().size());
    if (part.accepted.converted_records > 0) metrics.produce_conversions.add();
    return;
  }
  metrics.failed_produce.add();
  call_->count_error();
  if (error == ErrorCode::kCorruptMessage) metrics.invalid_crc.add();
  if (error == ErrorCode::kOutOfOrderSequenceNumber) metrics.invalid_sequence.add();
}

void Produce::fill(ProduceResponse::PartitionProduceResponse& out, Part& part) {
  const log::AppendInfo& info = part.outcome.info;
  const ErrorCode error = part.outcome.error;
  out.error_code = code(error);
  out.base_offset = -1;
  count(part, error);
  if (error == ErrorCode::kNone) {
    out.base_offset = info.first_offset.value;
    out.log_append_time_ms = info.log_append_time_ms;
    out.log_start_offset = info.log_start_offset.value;
    return;
  }
  out.error_message = text_or_null(*call_, part.outcome.message);
  for (record::RecordError& wrong : part.record_errors) {
    out.record_errors.push_back(
        {.batch_index = wrong.index,
         .batch_index_error_message = call_->keep(wire::sayable(std::move(wrong.message)))});
  }
}

// Records that nobody sent (Produce 0 to 2 may carry none) are acknowledged as Kafka does: no offset, no
// error.
void Produce::finished() {
  if (scheduled) {
    call_->loop().cancel(*this);
  }
  if (request_.acks == -1) call_->services().metrics.waiting_produces.add(-1);
  ProduceResponse response;
  response.responses.resize(request_.topic_data.size());
  std::size_t at = 0;
  bool failed = false;
  for (std::size_t t = 0; t < request_.topic_data.size(); ++t) {
    const auto& data = request_.topic_data[t];
    auto& topic = response.responses[t];
    topic.name = data.name;
    topic.topic_id = data.topic_id;
    topic.partition_responses.resize(data.partition_data.size());
    for (std::size_t p = 0; p < data.partition_data.size(); ++p) {
      Part& part = parts_[at++];
      topic.partition_responses[p].index = data.partition_data[p].index;
      fill(topic.partition_responses[p], part);
      failed |= part.outcome.error != ErrorCode::kNone;
    }
  }
  if (request_.acks != 0) return call_->reply(response);
  // Nobody awaits a reply: a closed connection is how a producer learns that something went wrong.
  failed ? call_->close("produce with acks=0 failed: " + summary()) : call_->reply_nothing();
}

std::string Produce::summary() const {
  std::string text;
  std::size_t at = 0;
  for (const auto& data : request_.topic_data) {
    for (const auto& partition : data.partition_data) {
      const Part& part = parts_[at++];
      if (part.outcome.error == ErrorCode::kNone || text.size() > 500) continue;
      text += (text.empty() ? "" : ", ") + std::string(data.name) + "-" + std::to_string(partition.index) +
              ": " + std::string(wire::name(part.outcome.error));
    }
  }
  return text;
}

}  // namespace

void produce(const CallPtr& call) {
  ProduceRequest request;
  if (!call->read(request)) return;
  std::make_shared<Produce>(call, std::move(request))->start();
}

}  // namespace moldau::broker::api
