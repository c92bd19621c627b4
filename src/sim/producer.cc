#include "sim/producer.h"

#include <algorithm>
#include <map>
#include <utility>

#include "record/builder.h"

namespace moldau::sim {

using wire::ErrorCode;

std::string ProducerSpec::to_string() const {
  constexpr const char* kNames[] = {"once", "retrying", "idempotent", "corrupting"};
  return std::string(kNames[static_cast<int>(kind)]) + " acks=" + std::to_string(acks) + " Produce " +
         std::to_string(version) + " magic " + std::to_string(magic) + " " +
         std::string(record::codec_name(codec));
}

Producer::Producer(World& world, std::string name, ProducerSpec spec, std::vector<Partition*> targets)
    : Client(world, std::move(name)), spec_(spec), batches_left_(spec.batches) {
  for (Partition* partition : targets) {
    Writer& writer = world.ledger.add_writer(partition->topic->name, partition->index);
    writer.once = spec.kind != ProducerKind::kRetrying;
    writer.ordered = numbered();
    writer.deletes = partition->topic->compacted && spec.magic == 2;
    targets_.push_back({.partition = partition, .writer = &writer, .queue = {}});
  }
}

void Producer::start() {
  connect_soon();
  make_batches();
}

bool Producer::done() const {
  return batches_left_ == 0 && std::ranges::all_of(targets_, [](const Target& t) { return t.queue.empty(); });
}

void Producer::make_batches() {
  if (batches_left_ == 0 || left()) return;
  Target& target = targets_[below(targets_.size())];
  --batches_left_;
  if (!target.partition->topic->dying) make_batch(target);
  pump();
  after(microseconds(world_.random.between(500, one_in(5) ? 600'000 : 60'000)), [this] { make_batches(); });
}

void Producer::make_batch(Target& target) {
  Batch batch{.first = {target.writer->id, target.writer->sent}};
  batch.count = 1 + static_cast<std::uint32_t>(below(spec_.most_records));
  // One message of magic 0 or 1 is a batch, unless they are compressed together.
  batch.time_ms = world_.clock.wall_ms();
  batch.sequence = target.next_sequence;
  target.next_sequence += static_cast<std::int32_t>(batch.count);
  target.writer->sent += batch.count;
  target.queue.push_back(batch);
}

void Producer::pump_soon() {
  if (std::exchange(pump_asked_, true)) return;
  after(milliseconds(world_.random.between(5, 80)), [this] {
    pump_asked_ = false;
    pump();
  });
}

void Producer::get_producer_id() {
  if (asking_for_id_ || requests_in_flight_ > 0) return;
  asking_for_id_ = true;
  wire::InitProducerIdRequest request;
  request.transactional_id = std::nullopt;
  ask<wire::InitProducerIdResponse>(static_cast<std::int16_t>(below(6)), request,
                                    [this](const wire::InitProducerIdResponse& response) {
                                      asking_for_id_ = false;
                                      if (response.error_code != 0) return pump_soon();
                                      producer_id_ = response.producer_id;
                                      producer_epoch_ = response.producer_epoch;
                                      wants_new_id_ = false;
                                      world_.ledger.given(producer_id_);
                                      renumber();
                                      pump();
                                    });
}

// With a new id everything unsettled begins again at sequence 0.
void Producer::renumber() {
  for (Target& target : targets_) {
    // What may be there already would be there twice.
    const std::size_t given_up = std::erase_if(target.queue, &Batch::unknown);
    if (given_up > 0) target.writer->gaps = true;
    target.next_sequence = 0;
    target.begun = target.settling = false;
    for (Batch& batch : target.queue) {
      batch.sequence = target.next_sequence;
      target.next_sequence += static_cast<std::int32_t>(batch.count);
    }
  }
}

// The next batch that may leave, if any.
Producer::Batch* Producer::next_of(Target& target) {
  const bool busy = std::ranges::any_of(target.queue, &Batch::in_flight);
  // A broker that does not know a producer takes any sequence: were the first batch refused, the second would
  // pass it.
  const bool alone = numbered() && !target.begun;
  if ((target.settling || alone) && busy) return nullptr;
  target.settling = false;
  for (Batch& batch : target.queue)
    if (!batch.in_flight) return &batch;
  return nullptr;
}

void Producer::pump() {
  if (!is_connected()) return;
  if (numbered() && (producer_id_ < 0 || wants_new_id_)) return get_producer_id();
  while (requests_in_flight_ < spec_.in_flight) {
    std::vector<std::pair<Target*, Batch*>> chosen;
    for (Target& target : targets_) {
      Batch* const batch = next_of(target);
      if (batch != nullptr && (chosen.empty() || !one_in(3))) chosen.emplace_back(&target, batch);
    }
    if (chosen.empty()) return;
    send(std::move(chosen));
    if (!is_connected()) return;
  }
}

Bytes Producer::encode(const Target& target, const Batch& batch) const {
  record::BatchBuilder builder(
      {.magic = spec_.magic,
       .compression = record::Compression(spec_.codec),
       .producer_id = ProducerId{numbered() ? producer_id_ : -1},
       .producer_epoch = ProducerEpoch{numbered() ? producer_epoch_ : std::int16_t{-1}},
       .base_sequence = numbered() ? batch.sequence : -1});
  for (std::uint32_t i = 0; i < batch.count; ++i) {
    const RecordId id{batch.first.writer, batch.first.number + i};
    const Bytes value = value_of(id);
    const bool compacted = target.partition->topic->compacted;
    const auto key = compacted ? compacted_key_of(id) : key_of(id);
    const Bytes own_name = name_of(id);
    const record::HeaderView header{.key = as_bytes("h"), .value = ByteView(value).first(2)};
    const record::HeaderView naming{.key = as_bytes(kNameHeader), .value = ByteView(own_name)};
    record::NewRecord record{.timestamp = batch.time_ms + timestamp_delta_of(id), .value = ByteView(value)};
    if (key) record.key = ByteView(*key);
    if (spec_.magic == 2 && id.number % 3 == 0) record.headers = {&header, 1};
    if (target.writer->deletes && deletes_its_key(id)) {
      record.value.reset();
      record.headers = {&naming, 1};
    }
    builder.append(record);
  }
  return std::move(builder).finish(world_.compressor);
}

// A bit of what the CRC covers.
void Producer::corrupt(Bytes& batch) {
  const std::size_t from = spec_.magic == 2 ? 57 : 18;
  batch[from + below(batch.size() - from)] ^= static_cast<std::uint8_t>(1u << below(8));
}

void Producer::send(std::vector<std::pair<Target*, Batch*>> chosen) {
  const auto by_id = [](const auto& item) { return item.first->partition->topic->id.is_zero(); };
  std::int16_t version = spec_.version;
  if (version >= 13 && std::ranges::any_of(chosen, by_id)) version = 12;
  wire::ProduceRequest request;
  request.acks = spec_.acks;
  request.timeout_ms = 1000;
  std::vector<Bytes> bytes;
  std::vector<Sent> sent;
  bool corrupted = false;
  for (const auto& [target, batch] : chosen) {
    batch->in_flight = true;
    if (batch->sent_in == 0) batch->sent_in = world_.machine.lives();
    bytes.push_back(encode(*target, *batch));
    if (spec_.kind == ProducerKind::kCorrupting && one_in(3)) corrupted = true, corrupt(bytes.back());
    sent.push_back({target, batch->first});
  }
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const Partition& p = *sent[i].target->partition;
    if (request.topic_data.empty() || request.topic_data.back().name != p.topic->name)
      request.topic_data.push_back({.name = p.topic->name, .topic_id = p.topic->id, .partition_data = {}});
    request.topic_data.back().partition_data.push_back(
        {.index = p.index, .records = wire::Records::view(bytes[i])});
  }
  world_.note([&] {
    std::string text = name() + " sends";
    for (const auto& [target, batch] : chosen)
      text += " " + target->partition->name() + ":" + std::to_string(batch->first.number) + "+" +
              std::to_string(batch->count) + (numbered() ? " s" + std::to_string(batch->sequence) : "");
    return text + (corrupted ? " corrupted" : "");
  });
  if (spec_.acks == 0) {
    ask<wire::ProduceResponse>(version, request, [](const auto&) {}, 0, false);
    for (const Sent& one : sent)
      std::erase_if(one.target->queue, [&](const Batch& b) { return b.first == one.first; });
    return;
  }
  ++requests_in_flight_;
  ask<wire::ProduceResponse>(version, request, [this, sent](const wire::ProduceResponse& response) {
    --requests_in_flight_;
    answered(sent, response);
    pump();
  });
}

void Producer::disconnected() {
  requests_in_flight_ = 0;
  asking_for_id_ = false;
  for (Target& target : targets_) {
    if (!sends_again()) std::erase_if(target.queue, &Batch::in_flight);
    for (Batch& batch : target.queue) {
      batch.unknown |= batch.in_flight;
      batch.in_flight = false;
    }
    target.settling = false;
  }
}

void Producer::answered(const std::vector<Sent>& sent, const wire::ProduceResponse& response) {
  std::size_t at = 0;
  for (const auto& topic : response.responses) {
    for (const auto& result : topic.partition_responses) {
      if (at == sent.size() || sent[at].target->partition->index != result.index)
        return world_.violate(name() + " got a Produce reply with other partitions than it asked for");
      settle(*sent[at].target, sent[at].first, result);
      ++at;
    }
  }
  if (at != sent.size()) world_.violate(name() + " got a Produce reply with too few partitions");
}

void Producer::settle(Target& target, RecordId first,
                      const wire::ProduceResponse::PartitionProduceResponse& result) {
  const auto batch = std::ranges::find(target.queue, first, &Batch::first);
  if (batch == target.queue.end()) return;
  const ErrorCode error = error_of(result.error_code);
  world_.note([&] {
    return name() + " is told " + target.partition->name() + ":" + std::to_string(first.number) + " " +
           (error == ErrorCode::kNone ? "at " + std::to_string(result.base_offset)
                                      : std::string(wire::name(error)));
  });
  if (error != ErrorCode::kNone) return refused(target, batch, error);
  if (result.base_offset < 0 && !target.partition->topic->dying)
    return world_.violate(name() + " is told the offset " + std::to_string(result.base_offset) +
                          " without an error");
  const std::uint32_t count = batch->count;
  target.queue.erase(batch);
  target.begun = true;
  world_.ledger.acked(*target.partition, first, count, result.base_offset);
}

void Producer::refused(Target& target, std::deque<Batch>::iterator batch, ErrorCode error) {
  const Partition& p = *target.partition;
  const bool unknown = error == ErrorCode::kUnknownTopicOrPartition || error == ErrorCode::kUnknownTopicId;
  if (unknown && !p.topic->dying && world_.disk_is_well() && p.index < p.topic->partitions_promised)
    return world_.violate(name() + " is told that " + p.name() + " does not exist");
  if (!sends_again() || p.topic->dying) {
    target.queue.erase(batch);
    return;
  }
  const bool first = batch == target.queue.begin();
  batch->in_flight = false;
  // Written perhaps, and not synced; with another producer id nobody would notice that it is there.
  if (error == ErrorCode::kKafkaStorageError) batch->unknown = true;
  target.settling = true;
  const bool sequence =
      error == ErrorCode::kOutOfOrderSequenceNumber || error == ErrorCode::kUnknownProducerId;
  if (numbered() && sequence && batch->sent_in != world_.machine.lives()) {
    target.writer->gaps = true;
    target.queue.erase(batch);
    wants_new_id_ = true;
    return pump_soon();
  }
  if (numbered() && sequence && first) {
    if (!p.lost_something && !p.rotted)
      return world_.violate(name() + " is told " + std::string(wire::name(error)) + " for the batch " +
                            std::to_string(batch->first.number) + " of " + p.name() +
                            ", which follows what was acknowledged");
    wants_new_id_ = true;
  }
  if (numbered() && error == ErrorCode::kInvalidProducerEpoch)
    return world_.violate(name() + " is told INVALID_PRODUCER_EPOCH in its only epoch");
  pump_soon();
}

}  // namespace moldau::sim
