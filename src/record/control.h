// Control records: what brokers write between the records of clients. Key: int16 version 0, int16 type.
// Value: by type, a message of schema/control_records.def; of transaction markers, int16 version 0, int32
// coordinator epoch. Plain values; any thread. (Kafka: ControlRecordType, EndTransactionMarker,
// ControlRecordUtils.)
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/ids.h"
#include "record/batch.h"
#include "record/record.h"

namespace moldau::record {

enum class ControlType : std::int16_t {
  kAbort = 0,
  kCommit = 1,
  kLeaderChange = 2,    // KIP-595
  kSnapshotHeader = 3,  // KIP-630
  kSnapshotFooter = 4,
  kKRaftVersion = 5,  // KIP-853
  kKRaftVoters = 6,
  kUnknown = -1,  // of a newer version: ignored
};

std::array<std::uint8_t, 4> control_key(ControlType type);
// Nothing when the key is too short or of a negative version: damaged. kUnknown for types that are not
// listed.
std::optional<ControlType> control_type(const NullableBytes& key);

// The value of kCommit and kAbort.
struct EndTxnMarker {
  ControlType type = ControlType::kAbort;
  std::int32_t coordinator_epoch = 0;
  bool operator==(const EndTxnMarker&) const = default;
};
// Nothing for other control records and damaged ones.
std::optional<EndTxnMarker> end_txn_marker(const Record& record);

// A control batch of one record. Whatever `value` encodes for the type.
Bytes control_batch(ControlType type, ByteView value, Offset offset, std::int64_t timestamp,
                    LeaderEpoch epoch);

// A transaction marker, as it ends the transaction of (producer, epoch) in one partition.
Bytes end_txn_batch(const EndTxnMarker& marker, ProducerId producer, ProducerEpoch producer_epoch,
                    Offset offset, std::int64_t timestamp, LeaderEpoch epoch);

}  // namespace moldau::record
