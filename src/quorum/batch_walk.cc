#include "quorum/batch_walk.h"

#include <limits>

#include "record/batch.h"
#include "record/records.h"

namespace moldau::quorum {
namespace {

std::unexpected<Error> damaged(const Walk& walk, std::size_t position, std::string_view why) {
  return fail(ErrorKind::kCorrupt, walk.where + ": expected whole, valid batches, found at byte " +
                                       std::to_string(position) + ": " + std::string(why));
}

Status walk_one(const record::BatchView& batch, std::size_t position, const Walk& walk,
                record::Decompressor& decompressor) {
  const record::BatchHeader& header = batch.header();
  ReplayedBatch replayed{.from_snapshot = walk.from_snapshot,
                         .base_offset = header.base_offset,
                         .last_offset = header.last_offset,
                         .epoch = header.partition_leader_epoch,
                         .timestamp_ms = header.max_timestamp,
                         .values = {}};
  if (walk.from_snapshot && walk.voters != nullptr && walk.voters->last_contained_timestamp)
    replayed.timestamp_ms = *walk.voters->last_contained_timestamp;
  record::RecordIterator records(batch, decompressor);
  while (const auto record = records.next()) {
    if (!header.control()) {
      replayed.values.push_back(record->value.value_or(ByteView{}));
    } else if (walk.voters != nullptr) {
      if (const Status status = walk.voters->follow(*record); !status)
        return damaged(walk, position, status.error().message);
    }
  }
  if (!records.fault().ok()) return damaged(walk, position, records.fault().message);
  return walk.visitor != nullptr ? (*walk.visitor)(replayed) : Status{};
}

}  // namespace

Status walk_batches(ByteView bytes, const Walk& walk) {
  record::Decompressor decompressor;
  record::BatchIterator batches(bytes);
  for (;;) {
    const std::size_t position = batches.position();
    const auto batch = batches.next();
    if (!batch) break;
    if (!batch->crc_ok()) return damaged(walk, position, "a wrong CRC");
    if (walk.visitor == nullptr && !batch->header().control()) continue;
    TRY(walk_one(*batch, position, walk, decompressor));
  }
  if (!batches.corrupt().empty()) return damaged(walk, batches.position(), batches.corrupt());
  if (batches.left_over() > 0) return damaged(walk, batches.position(), "a batch that ends too early");
  return {};
}

std::optional<std::size_t> find_batch_behind(ByteView bytes, std::size_t from, Offset next) {
  for (std::size_t at = from + 1; at + record::kHeaderSizeV2 <= bytes.size(); ++at) {
    if (bytes[at + record::kMagicAt] != 2) continue;
    const auto parsed = record::parse_header(bytes.subspan(at));
    if (parsed.state != record::ParseState::kOk || parsed.header.base_offset < next) continue;
    const auto size = static_cast<std::size_t>(parsed.header.size);
    if (size > bytes.size() - at) continue;
    if (record::BatchView(bytes.subspan(at, size), parsed.header).crc_ok()) return at;
  }
  return std::nullopt;
}

}  // namespace moldau::quorum
