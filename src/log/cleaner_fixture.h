// A compacted log in a manager on a simulated disk, and what is known of all that was ever written to it.
//
// The naive model: every record ever appended, by offset. Of it follows what must be there, what may be gone,
// and, below the cleaner's checkpoint, what must be gone.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "log/checkpoint.h"
#include "log/manager_fixture.h"

namespace moldau::log::testing {

struct Written {
  std::optional<std::string> key{}, value{};
  std::int64_t timestamp = -1;
  bool operator==(const Written&) const = default;
};
using Records = std::map<Offset, Written>;

struct KeyedBatch {
  std::vector<Written> records{};
  std::int8_t magic = 2;
  record::Codec codec = record::Codec::kNone;
  ProducerId producer = kNoProducerId;
  std::int32_t sequence = 0;
  bool transactional = false;
};

inline record::NullableBytes view(const std::optional<std::string>& text) {
  return text ? record::NullableBytes(as_bytes(*text)) : std::nullopt;
}

class CleanerFixture : public ManagerFixture {
 public:
  static inline const TopicPartition kName{"c", PartitionIndex{0}};
  static inline const Uuid kId = *Uuid::parse("Nf8SNjxxS1iaaNI5b1REpA");

  explicit CleanerFixture(std::uint64_t seed = 1) : ManagerFixture(seed) {
    config->cleanup_compact = true;
    config->cleanup_delete = false;
    config->min_cleanable_dirty_ratio = 0.01;
    config->segment_bytes = 700;
    config->index_interval_bytes = 100;
    config->file_delete_delay_ms = 0;
    options.cleaner_settings = [this] { return settings; };
  }

  void make() {
    ASSERT_TRUE(open());
    auto made = manager->create(kName, kId);
    ASSERT_TRUE(made) << made.error().message;
  }
  LogManager::Handle handle() { return manager->find(kName); }
  Log& log() { return LogManager::log(handle()); }

  // Taken as from a leader, so that old magics may be mixed in.
  Status write(const KeyedBatch& batch) {
    const Offset base = log().end_offset();
    record::BatchSpec spec{.magic = batch.magic, .base_offset = base, .compression = batch.codec};
    if (batch.magic == 2) {
      spec.leader_epoch = LeaderEpoch{0};
      if (batch.producer != kNoProducerId) {
        spec.producer_id = batch.producer;
        spec.producer_epoch = ProducerEpoch{0};
        spec.base_sequence = batch.sequence;
        spec.transactional = batch.transactional;
      }
    }
    record::BatchBuilder builder(spec);
    for (const Written& record : batch.records)
      builder.append({.timestamp = record.timestamp, .key = view(record.key), .value = view(record.value)});
    record::Compressor compressor;
    return put(std::move(builder).finish(compressor), [&] {
      for (std::size_t i = 0; i < batch.records.size(); ++i) {
        Written record = batch.records[i];
        if (batch.magic == 0) record.timestamp = -1;
        written[base + static_cast<std::int64_t>(i)] = record;
      }
    });
  }
  Status write(const std::string& key, std::optional<std::string> value) {
    return write({.records = {{key, std::move(value), clock.wall_ms()}}});
  }
  Status end_transaction(ProducerId producer, bool commit) {
    Bytes marker = make_marker(producer, 0, commit, 0, clock.wall_ms());
    store_be(marker.data(), log().end_offset().value);
    return put(std::move(marker), [] {});
  }
  Status flush() { return manager->flush(handle()); }
  Status roll() { return log().roll(clock.wall_ms()); }

  Offset cleaned_to() {
    const auto offsets = load_offsets(disk, "/data/cleaner-offset-checkpoint");
    const auto found = offsets ? offsets->find(kName) : OffsetMap::const_iterator{};
    return offsets && found != offsets->end() ? found->second : Offset{0};
  }

  // The records in the log, of data batches.
  Records found() {
    Records all;
    each_batch([&](const record::BatchView& batch) {
      if (batch.header().control()) return;
      record::Decompressor decompressor;
      record::RecordIterator records(batch, decompressor);
      while (const auto record = records.next()) {
        EXPECT_TRUE(all.empty() || all.rbegin()->first < record->offset) << "offsets ascend";
        const auto text = [](const record::NullableBytes& bytes) {
          return bytes ? std::optional(std::string(as_text(*bytes))) : std::nullopt;
        };
        all[record->offset] = {text(record->key), text(record->value), record->timestamp};
      }
      EXPECT_TRUE(records.fault().ok()) << records.fault().message;
    });
    return all;
  }
  template <typename Visit>
  void each_batch(Visit visit) {
    for (Offset at = log().start_offset(); at < log().end_offset();) {
      const auto read = log().read(at, 1 << 20, log().end_offset(), true);
      ASSERT_TRUE(read) << read.error().message;
      if (read->slice.length == 0) break;
      Bytes bytes(read->slice.length);
      ASSERT_TRUE(read->slice.file->read_at(read->slice.position, bytes));
      record::BatchIterator batches(bytes);
      while (const auto batch = batches.next()) {
        EXPECT_TRUE(batch->crc_ok());
        if (batch->header().last_offset >= at) visit(*batch);
        at = std::max(at, batch->header().next_offset());
      }
    }
  }

  // Whether a later record of its key was written.
  bool superseded(Offset offset, Offset below) const {
    const Written& record = written.at(offset);
    for (auto later = written.upper_bound(offset); later != written.end() && later->first < below; ++later)
      if (later->second.key == record.key) return true;
    return false;
  }

  // Nothing is there that was not written, and nothing has gone that may not: a value that nothing
  // supersedes, and whatever lies behind the end of a round.
  void expect_nothing_lost() {
    const Records there = found();
    for (const auto& [offset, record] : there) {
      ASSERT_TRUE(written.contains(offset)) << offset.value;
      EXPECT_EQ(record, written.at(offset)) << offset.value;
    }
    for (const auto& [offset, record] : written) {
      if (there.contains(offset) || !record.key || superseded(offset, log().end_offset())) continue;
      EXPECT_FALSE(record.value) << "lost the newest value of " << *record.key << " at " << offset.value;
      if (record.value) continue;
      for (const auto& [older, old] : there)
        EXPECT_FALSE(old.key == record.key && older < offset) << "back from the dead: " << *old.key;
    }
  }
  // Below the checkpoint each key is there once.
  void expect_clean() {
    const Offset to = cleaned_to();
    for (const auto& [offset, record] : found()) {
      if (offset >= to) break;
      EXPECT_TRUE(record.key) << offset.value;
      EXPECT_FALSE(superseded(offset, to)) << offset.value;
    }
  }

  Records written;
  CleanerSettings settings;

 private:
  template <typename Done>
  Status put(Bytes batch, Done done) {
    const auto appended = log().append(batch, {.origin = AppendOrigin::kFollower, .now_ms = clock.wall_ms()});
    if (!appended) return std::unexpected(appended.error());
    if (appended->error != wire::ErrorCode::kNone) return fail(ErrorKind::kInvalid, appended->message);
    done();
    return {};
  }
};

}  // namespace moldau::log::testing
