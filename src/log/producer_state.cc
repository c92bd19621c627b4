#include "log/producer_state.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/crc.h"
#include "base/fault.h"
#include "record/records.h"

namespace moldau::log {
namespace {

constexpr std::int16_t kVersion = 1;
constexpr std::size_t kFront = 2 + 4 + 4;
constexpr std::size_t kEntryBytes = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;

bool in_sequence(std::int32_t last, std::int32_t next) {
  return next == std::int64_t{last} + 1 || (next == 0 && last == std::numeric_limits<std::int32_t>::max());
}

std::string producer_at(const record::BatchHeader& header, Offset offset) {
  return "producer " + std::to_string(header.producer_id.value) + " at offset " +
         std::to_string(offset.value);
}

ProducerVerdict out_of_order(const record::BatchHeader& header, Offset offset, std::int32_t last) {
  return {wire::ErrorCode::kOutOfOrderSequenceNumber,
          "Sequence gap of " + producer_at(header, offset) + ": expected a batch that follows sequence " +
              std::to_string(last) + ", found one that begins with " + std::to_string(header.base_sequence)};
}

ProducerVerdict old_epoch(const record::BatchHeader& header, Offset offset, ProducerEpoch current) {
  return {wire::ErrorCode::kInvalidProducerEpoch,
          "Old epoch of " + producer_at(header, offset) + ": expected " + std::to_string(current.value) +
              " or later, found " + std::to_string(header.producer_epoch.value)};
}

}  // namespace

std::optional<MarkerRecord> read_marker(ByteView batch, const record::BatchHeader& header) {
  const record::BatchView view(batch, header);
  record::Decompressor decompressor;
  record::RecordIterator records(view, decompressor);
  const auto first = records.next();
  if (!first) return std::nullopt;
  const auto marker = record::end_txn_marker(*first);
  if (!marker) return std::nullopt;
  return MarkerRecord{*marker, first->timestamp};
}

std::int32_t ProducerBatch::first_sequence() const {
  // Sequences wrap from 2^31-1 to 0.
  if (last_sequence >= offset_delta) return last_sequence - offset_delta;
  return std::numeric_limits<std::int32_t>::max() - (offset_delta - last_sequence) + 1;
}

const ProducerBatch* ProducerEntry::find(std::int32_t first_sequence, std::int32_t last_sequence) const {
  for (std::size_t i = 0; i < count; ++i) {
    const ProducerBatch& batch = batches[(newest + kKept - i) % kKept];
    if (batch.last_sequence == last_sequence && batch.first_sequence() == first_sequence) return &batch;
  }
  return nullptr;
}

void ProducerEntry::set_epoch(ProducerEpoch new_epoch) {
  if (epoch == new_epoch) return;
  epoch = new_epoch;
  count = 0;
}

void ProducerEntry::add(const ProducerBatch& batch) {
  newest = static_cast<std::uint8_t>((newest + 1) % kKept);
  batches[newest] = batch;
  count = static_cast<std::uint8_t>(std::min<std::size_t>(count + 1u, kKept));
}

const ProducerState::Known& ProducerState::known() const {
  static const Known kNothing;
  return known_ ? *known_ : kNothing;
}

ProducerState::Known& ProducerState::made() {
  if (!known_) known_ = std::make_unique<Known>();
  return *known_;
}

void ProducerState::copy_from(const ProducerState& other) {
  known_ = other.known_ ? std::make_unique<Known>(*other.known_) : nullptr;
}

const ProducerEntry* ProducerState::find(ProducerId producer) const {
  const auto found = known().producers.find(producer);
  return found == known().producers.end() ? nullptr : &found->second;
}

ProducerVerdict ProducerState::check_data(const record::BatchHeader& header, Offset offset,
                                          bool check_sequence, bool transaction_verified) const {
  if (fault_is(Fault::kReuseSequence)) return {};
  const ProducerEntry* entry = find(header.producer_id);
  const bool open = entry != nullptr && entry->transaction_start != kNoOffset;
  if (check_sequence && entry != nullptr && entry->epoch == header.producer_epoch) {
    if (const ProducerBatch* same = entry->find(header.base_sequence, header.last_sequence()))
      return {.error = {}, .message = {}, .duplicate = same};
  }
  if (header.transactional() && !open && !transaction_verified)
    return {wire::ErrorCode::kInvalidTxnState,
            "Expected a batch of an ongoing transaction, found none open for " + producer_at(header, offset)};
  if (entry == nullptr) return {};  // a producer that we do not know may begin with any sequence
  if (header.producer_epoch < entry->epoch) return old_epoch(header, offset, entry->epoch);
  if (check_sequence) {
    const bool new_epoch = header.producer_epoch != entry->epoch;
    if (new_epoch ? header.base_sequence != 0 && entry->epoch != kNoProducerEpoch
                  : !in_sequence(entry->last_sequence(), header.base_sequence))
      return out_of_order(header, offset, new_epoch ? record::kNoSequence : entry->last_sequence());
  }
  if (open && !header.transactional())
    return {wire::ErrorCode::kInvalidTxnState,
            "Expected a transactional batch, found another while a transaction is open for " +
                producer_at(header, offset)};
  return {};
}

ProducerVerdict ProducerState::check_marker(const record::BatchHeader& header,
                                            const record::EndTxnMarker& marker, Offset offset) const {
  const ProducerEntry* entry = find(header.producer_id);
  if (entry == nullptr) return {};
  if (header.producer_epoch < entry->epoch) return old_epoch(header, offset, entry->epoch);
  if (entry->coordinator_epoch > marker.coordinator_epoch)
    return {wire::ErrorCode::kTransactionCoordinatorFenced,
            "Old coordinator epoch of " + producer_at(header, offset) + ": expected " +
                std::to_string(entry->coordinator_epoch) + " or later, found " +
                std::to_string(marker.coordinator_epoch)};
  return {};
}

void ProducerState::apply_data(const record::BatchHeader& header) {
  ProducerEntry& entry = made().producers[header.producer_id];
  entry.set_epoch(header.producer_epoch);
  entry.add({.last_offset = header.last_offset,
             .timestamp = header.max_timestamp,
             .last_sequence = header.last_sequence(),
             .offset_delta = header.last_offset_delta});
  entry.last_timestamp = header.max_timestamp;
  if (header.transactional() && entry.transaction_start == kNoOffset) {
    entry.transaction_start = header.base_offset;
    made().open[header.base_offset] = header.producer_id;
  }
}

std::optional<CompletedTransaction> ProducerState::apply_marker(const record::BatchHeader& header,
                                                                const record::EndTxnMarker& marker,
                                                                std::int64_t timestamp) {
  ProducerEntry& entry = made().producers[header.producer_id];
  const Offset start = entry.transaction_start;
  entry.set_epoch(header.producer_epoch);
  entry.coordinator_epoch = marker.coordinator_epoch;
  entry.last_timestamp = timestamp;
  entry.transaction_start = kNoOffset;
  if (start == kNoOffset) return std::nullopt;
  return CompletedTransaction{.producer = header.producer_id,
                              .first_offset = start,
                              .last_offset = header.base_offset,
                              .aborted = marker.type == record::ControlType::kAbort};
}

Offset ProducerState::stable_after(const CompletedTransaction& done) const {
  for (const auto& [first, producer] : known().open)
    if (producer != done.producer) return first;
  return done.last_offset + 1;
}

void ProducerState::complete(const CompletedTransaction& done) {
  made().open.erase(done.first_offset);
  made().unreplicated[done.first_offset] = {done.producer, done.last_offset};
}

std::optional<Offset> ProducerState::first_unstable(Offset high_watermark) {
  start_moved_to(high_watermark);  // a marker below it is stable for good
  std::optional<Offset> first;
  const auto& [producers, open, unreplicated] = known();
  if (!open.empty()) first = open.begin()->first;
  if (!unreplicated.empty() && (!first || unreplicated.begin()->first < *first))
    first = unreplicated.begin()->first;
  return first;
}

void ProducerState::start_moved_to(Offset start) {
  if (!known_) return;
  std::erase_if(known_->unreplicated, [&](const auto& entry) { return entry.second.last_offset < start; });
}

void ProducerState::expire(std::int64_t now_ms, std::int64_t after_ms) {
  if (!known_) return;
  std::erase_if(known_->producers, [&](const auto& item) {
    return item.second.transaction_start == kNoOffset && now_ms - item.second.last_timestamp >= after_ms;
  });
  if (known_->producers.empty() && known_->unreplicated.empty()) known_.reset();
}

void ProducerState::clear() { known_.reset(); }

std::vector<ProducerStatus> ProducerState::status() const {
  std::vector<ProducerStatus> all;
  for (const auto& [id, entry] : known().producers) {
    all.push_back({.producer = id,
                   .epoch = entry.epoch,
                   .last_sequence = entry.last_sequence(),
                   .last_timestamp = entry.last_timestamp,
                   .coordinator_epoch = entry.coordinator_epoch,
                   .transaction_start = entry.transaction_start});
  }
  std::ranges::sort(all, {}, &ProducerStatus::producer);
  return all;
}

Bytes ProducerState::snapshot() const {
  std::vector<ProducerId> ids;
  for (const auto& item : known().producers) ids.push_back(item.first);
  std::ranges::sort(ids);

  Bytes out(kFront + ids.size() * kEntryBytes);
  store_be(out.data(), kVersion);
  store_be(out.data() + 6, static_cast<std::int32_t>(ids.size()));
  std::uint8_t* at = out.data() + kFront;
  const auto put = [&](auto value) { store_be(at, value), at += sizeof value; };
  for (const ProducerId id : ids) {
    const ProducerEntry& entry = known().producers.at(id);
    const ProducerBatch* last = entry.last();
    put(id.value);
    put(entry.epoch.value);
    put(entry.last_sequence());
    put(last ? last->last_offset.value : std::int64_t{-1});
    put(last ? last->offset_delta : std::int32_t{0});
    put(entry.last_timestamp);
    put(entry.coordinator_epoch);
    put(entry.transaction_start.value);
  }
  store_be(out.data() + 2, crc32c(ByteView(out).subspan(6)));
  return out;
}

Status ProducerState::load(ByteView in, const std::string& path, std::int64_t now_ms,
                           std::int64_t expire_after_ms) {
  const auto corrupt = [&](const std::string& what) { return fail(ErrorKind::kCorrupt, path + ": " + what); };
  if (in.size() < kFront)
    return corrupt("expected at least " + std::to_string(kFront) + " bytes, found " +
                   std::to_string(in.size()));
  const auto version = load_be<std::int16_t>(in.data());
  if (version != kVersion) return corrupt("expected version 1, found " + std::to_string(version));
  const auto stored = load_be<std::uint32_t>(in.data() + 2), computed = crc32c(in.subspan(6));
  if (stored != computed)
    return corrupt("expected the checksum " + std::to_string(computed) + ", found " + std::to_string(stored));
  const auto count = load_be<std::int32_t>(in.data() + 6);
  if (count < 0 || static_cast<std::size_t>(count) > (in.size() - kFront) / kEntryBytes)
    return corrupt("expected room for " + std::to_string(count) + " producers, found " +
                   std::to_string(in.size()) + " bytes");
  const std::uint8_t* at = in.data() + kFront;
  const auto take = [&]<typename T>(T) {
    const T value = load_be<T>(at);
    at += sizeof value;
    return value;
  };
  for (std::int32_t i = 0; i < count; ++i) {
    const ProducerId id{take(std::int64_t{})};
    ProducerEntry entry;
    entry.epoch = ProducerEpoch{take(std::int16_t{})};
    ProducerBatch batch;
    batch.last_sequence = take(std::int32_t{});
    batch.last_offset = Offset{take(std::int64_t{})};
    batch.offset_delta = take(std::int32_t{});
    entry.last_timestamp = batch.timestamp = take(std::int64_t{});
    entry.coordinator_epoch = take(std::int32_t{});
    const auto start = take(std::int64_t{});
    if (start >= 0) entry.transaction_start = Offset{start};
    if (batch.last_offset.value >= 0) entry.add(batch);
    if (start < 0 && now_ms - entry.last_timestamp >= expire_after_ms) continue;
    if (start >= 0) made().open[entry.transaction_start] = id;
    made().producers[id] = entry;
  }
  return {};
}

}  // namespace moldau::log
