#include "sim/reader.h"

#include <algorithm>
#include <string>

#include "record/batch.h"
#include "record/records.h"
#include "sim/world.h"

namespace moldau::sim {

namespace {

// Of a record that deletes its key.
std::optional<RecordId> name_in(const record::Record& record) {
  for (const record::HeaderView header : record.headers)
    if (as_text(header.key) == kNameHeader && header.value) return named(*header.value);
  return std::nullopt;
}

}  // namespace

bool Reader::wrong(const std::string& what) {
  world_.violate("a reader of " + partition_.name() + " at offset " + std::to_string(position_) + ": " +
                 what);
  return false;
}

// A batch that a bit has been turned over in: readers notice, and step over it.
bool Reader::rotten(std::int64_t next, const char* what) {
  if (!partition_.rotted) return wrong(what);
  saw_rot_ = true;
  if (next <= position_) return false;
  for (; position_ < next; ++position_)
    if (on_record_) on_record_(position_, std::nullopt);
  return true;
}

bool Reader::take(ByteView bytes, bool whole) {
  record::BatchIterator batches(bytes);
  while (const auto batch = batches.next())
    if (!take_batch(*batch) || world_.over()) return false;
  // Fetch 0 to 2 tell of a message that is larger than what was asked for by the head of one without end.
  if (!whole && batches.left_over() == record::kSizePrefix) return true;
  if (!batches.corrupt().empty()) return wrong("expected a batch, found " + std::string(batches.corrupt()));
  if (whole && batches.left_over() > 0)
    return wrong("the last batch is cut after " + std::to_string(batches.left_over()) + " bytes");
  return true;
}

bool Reader::take_batch(const record::BatchView& batch) {
  const record::BatchHeader& header = batch.header();
  const std::int64_t next = header.last_offset.value + 1;
  if (header.magic > largest_magic_) return wrong("a batch of magic " + std::to_string(header.magic));
  if (header.magic >= 2) {
    const std::int32_t epoch = header.partition_leader_epoch.value;
    if (epoch < 0 || epoch < epoch_)
      return wrong("the leader epoch " + std::to_string(epoch) + " in a batch, behind " +
                   std::to_string(epoch_));
    if (partition_.watched && epoch > partition_.watched->leader_epoch)
      return wrong("the leader epoch " + std::to_string(epoch) + " in a batch, and nobody has led in it");
    epoch_ = epoch;
    if (header.control()) return wrong("a control batch");
  }
  if (!batch.crc_ok()) return rotten(next, "a batch with a wrong CRC");
  record::RecordIterator records(batch, world_.decompressor);
  while (const auto record = records.next()) {
    const std::int64_t offset = record->offset.value;
    if (offset < position_) continue;
    const bool compacted = partition_.topic->compacted;
    if (compacted) position_ = std::max(position_, offset);
    if (offset > position_)
      return wrong("expected the record at this offset, found one at " + std::to_string(offset));
    if (offset >= limit_)
      return wrong("a record at or above " + std::to_string(limit_) + ", up to where it may be read");
    const auto id = record->value ? id_of(*record->value) : compacted ? name_in(*record) : std::nullopt;
    if (!id && compacted && !record->value && largest_magic_ < 2) {  // old readers get no headers
      position_ = offset + 1;
      continue;
    }
    if (!id) return wrong("a value that nobody wrote");
    const auto key = compacted ? compacted_key_of(*id) : key_of(*id);
    if (key.has_value() != record->key.has_value() || (key && !std::ranges::equal(*key, *record->key)))
      return wrong("another key than that of " + to_string(*id));
    world_.ledger.observed(partition_, offset, *id, header.magic >= 1 ? record->timestamp : -1);
    if (on_record_) on_record_(offset, id);
    position_ = offset + 1;
    if (world_.over()) return false;
  }
  if (!records.fault().ok()) return wrong("a batch that cannot be read: " + records.fault().message);
  if (partition_.topic->compacted) position_ = std::max(position_, next);
  if (header.magic >= 2 && position_ < next)
    return wrong("a batch that names offsets up to " + std::to_string(next - 1) +
                 " and has no records for them");
  return true;
}

}  // namespace moldau::sim
