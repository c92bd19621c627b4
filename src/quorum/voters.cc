#include "quorum/voters.h"

#include <span>

#include "record/builder.h"
#include "record/control.h"
#include "wire/gen/control_records.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace moldau::quorum {
namespace {

template <typename Message>
Bytes encoded(const Message& message) {
  wire::Writer writer;
  encode(writer, 0, message);
  return writer.to_bytes();
}

template <typename Message>
Result<Message> decoded(const record::NullableBytes& value) {
  Message message;
  wire::Reader reader(value.value_or(ByteView{}));
  if (!decode(reader, 0, message)) return fail(ErrorKind::kCorrupt, reader.reason());
  return message;
}

// Writes control records one after the other into one batch.
class ControlBatch {
 public:
  ControlBatch(Offset base, LeaderEpoch epoch, std::int64_t now_ms)
      : builder_({.base_offset = base, .leader_epoch = epoch, .control = true}), now_ms_(now_ms) {}

  template <typename Message>
  void add(record::ControlType type, const Message& message) {
    const auto key = record::control_key(type);
    const Bytes value = encoded(message);
    builder_.append({.timestamp = now_ms_, .key = ByteView(key), .value = ByteView(value)});
  }
  void add(const VoterState& state) {
    if (state.kraft_version < 1) return;
    wire::KRaftVersionRecord version;
    version.kraft_version = state.kraft_version;
    add(record::ControlType::kKRaftVersion, version);
    wire::VotersRecord voters;
    for (const Voter& voter : state.voters) {
      auto& out = voters.voters.emplace_back();
      out.voter_id = voter.id.value;
      out.voter_directory_id = voter.directory_id;
      for (const Voter::Endpoint& e : voter.endpoints) out.endpoints.push_back({e.name, e.host, e.port});
      out.kraft_version_feature.max_supported_version = 1;
    }
    add(record::ControlType::kKRaftVoters, voters);
  }
  Bytes finish() {
    record::Compressor compressor;
    return std::move(builder_).finish(compressor);
  }

 private:
  record::BatchBuilder builder_;
  std::int64_t now_ms_;
};

}  // namespace

Status VoterState::follow(const record::Record& record) {
  const auto type = record::control_type(record.key);
  if (!type) return fail(ErrorKind::kCorrupt, "expected a control record's key");
  switch (*type) {
    case record::ControlType::kKRaftVersion: {
      TRY_ASSIGN(message, decoded<wire::KRaftVersionRecord>(record.value));
      kraft_version = message.kraft_version;
      return {};
    }
    case record::ControlType::kKRaftVoters: {
      TRY_ASSIGN(message, decoded<wire::VotersRecord>(record.value));
      voters.clear();
      for (const auto& from : message.voters) {
        Voter voter{BrokerId{from.voter_id}, from.voter_directory_id, {}};
        for (const auto& e : from.endpoints)
          voter.endpoints.push_back({std::string(e.name), std::string(e.host), e.port});
        voters.push_back(std::move(voter));
      }
      return {};
    }
    case record::ControlType::kSnapshotHeader: {
      TRY_ASSIGN(message, decoded<wire::SnapshotHeaderRecord>(record.value));
      last_contained_timestamp = message.last_contained_log_timestamp;
      return {};
    }
    default:
      return {};
  }
}

Bytes leader_change_batch(BrokerId leader, const VoterState& voters, Offset base, LeaderEpoch epoch,
                          std::int64_t now_ms) {
  wire::LeaderChangeMessage change;
  change.leader_id = leader.value;
  change.voters.emplace_back().voter_id = leader.value;
  change.granting_voters = change.voters;
  ControlBatch batch(base, epoch, now_ms);
  batch.add(record::ControlType::kLeaderChange, change);
  batch.add(voters);
  return batch.finish();
}

Bytes snapshot_header_batch(const VoterState& voters, std::int64_t last_contained_timestamp,
                            LeaderEpoch epoch, std::int64_t now_ms) {
  wire::SnapshotHeaderRecord header;
  header.last_contained_log_timestamp = last_contained_timestamp;
  ControlBatch batch(Offset{0}, epoch, now_ms);
  batch.add(record::ControlType::kSnapshotHeader, header);
  batch.add(voters);
  return batch.finish();
}

Bytes snapshot_footer_batch(Offset base, LeaderEpoch epoch, std::int64_t now_ms) {
  ControlBatch batch(base, epoch, now_ms);
  batch.add(record::ControlType::kSnapshotFooter, wire::SnapshotFooterRecord{});
  return batch.finish();
}

Bytes data_batch(std::span<const Bytes> values, Offset base, LeaderEpoch epoch, std::int64_t now_ms) {
  record::BatchBuilder builder({.base_offset = base, .leader_epoch = epoch});
  for (const Bytes& value : values)
    builder.append({.timestamp = now_ms, .key = std::nullopt, .value = ByteView(value)});
  record::Compressor compressor;
  return std::move(builder).finish(compressor);
}

}  // namespace moldau::quorum
