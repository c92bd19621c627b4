// A virtual producer. Kinds, as real clients are:
//
//   kOnce        acks 0, 1 or -1, never sends a batch again: no record twice, some perhaps not at all
//   kRetrying    sends again what was not acknowledged: every record at least once
//   kIdempotent  KIP-98: producer id and sequences, several requests in flight, in order: exactly once
//   kCorrupting  like kOnce, and some batches arrive with a bit turned over: those must be refused
//
// The rules of an idempotent producer for one partition: batches leave in order; when one fails, none leaves
// until all that are under way are settled, then they leave again from the first unsettled one, with the
// sequences that they had. A new producer id only after OUT_OF_ORDER_SEQUENCE, which only lost records
// excuse. One thread.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "record/compression.h"
#include "sim/client.h"
#include "wire/gen/init_producer_id.h"
#include "wire/gen/produce.h"

namespace moldau::sim {

enum class ProducerKind : std::uint8_t { kOnce, kRetrying, kIdempotent, kCorrupting };

struct ProducerSpec {
  ProducerKind kind = ProducerKind::kIdempotent;
  std::int16_t acks = -1;
  std::int16_t version = 9;
  std::int8_t magic = 2;
  record::Codec codec = record::Codec::kNone;
  std::size_t in_flight = 3;   // requests
  std::uint32_t batches = 10;  // to be made, for all partitions together
  std::uint32_t most_records = 4;
  std::string to_string() const;
};

class Producer final : public Client {
 public:
  Producer(World& world, std::string name, ProducerSpec spec, std::vector<Partition*> targets);

  void start() override;
  bool done() const override;

 private:
  struct Batch {
    RecordId first;
    std::uint32_t count = 0;
    std::int32_t sequence = -1;
    std::int64_t time_ms = 0;
    bool in_flight = false;
    bool unknown = false;       // it was on its way when the connection ended: it may be there or not
    std::uint64_t sent_in = 0;  // the broker's life in which it was sent first; 0: not yet
  };
  struct Target {
    Partition* partition;
    Writer* writer;
    std::deque<Batch> queue;
    std::int32_t next_sequence = 0;
    bool begun = false;     // a batch was acknowledged under this producer id
    bool settling = false;  // something failed: first everything under way must be settled
  };
  struct Sent {
    Target* target;
    RecordId first;
  };

  bool numbered() const { return spec_.kind == ProducerKind::kIdempotent; }
  bool sends_again() const { return numbered() || spec_.kind == ProducerKind::kRetrying; }
  void connected() override { pump(); }
  void disconnected() override;
  void make_batches();
  void make_batch(Target& target);
  void pump();
  void pump_soon();
  void get_producer_id();
  void renumber();
  Batch* next_of(Target& target);
  void send(std::vector<std::pair<Target*, Batch*>> chosen);
  Bytes encode(const Target& target, const Batch& batch) const;
  void corrupt(Bytes& batch);
  void answered(const std::vector<Sent>& sent, const wire::ProduceResponse& response);
  void settle(Target& target, RecordId first, const wire::ProduceResponse::PartitionProduceResponse& result);
  void refused(Target& target, std::deque<Batch>::iterator batch, wire::ErrorCode error);

  const ProducerSpec spec_;
  std::deque<Target> targets_;
  std::uint32_t batches_left_;
  std::size_t requests_in_flight_ = 0;
  std::int64_t producer_id_ = -1;
  std::int16_t producer_epoch_ = -1;
  bool asking_for_id_ = false, wants_new_id_ = false, pump_asked_ = false;
};

}  // namespace moldau::sim
