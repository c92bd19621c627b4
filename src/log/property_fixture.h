// A naive model of a log beside a real one, on a disk that crashes: opening and crashing both, and whether
// they agree. What else happens to them is property_test.cc's.
#pragma once

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "log/log.h"
#include "log/test_batches.h"
#include "record/records.h"
#include "simenv/disk.h"

namespace moldau::log::testing {

using simenv::Crash;

struct ModelBatch {
  Offset base;
  int count = 0;
  Bytes bytes;  // as stored
  std::vector<std::int64_t> timestamps{};
  ProducerId producer = kNoProducerId;
  std::int32_t sequence = -1;

  Offset next() const { return base + count; }
};

inline constexpr const char* kFolder = "/data/t-0";

class PropertyWorld {
 public:
  explicit PropertyWorld(std::uint64_t seed)
      : random_(seed), disk_(seed * 31 + 7), files_(new FileCache(disk_, 3)) {
    config_ = std::make_shared<LogConfig>();
    config_->segment_bytes = static_cast<std::int32_t>(random_.between(900, 4000));
    config_->index_interval_bytes = static_cast<std::int32_t>(random_.between(1, 400));
    config_->segment_ms = random_.one_in(2) ? 5000 : kNever;
    config_->retention_ms = -1;
    config_->producer_id_expiration_ms = kNever;
    config_->preallocate = random_.one_in(5);
    config_->cleanup_compact = random_.one_in(2);  // and then there may be holes
    auto made = Log::create({&disk_, files_.get()}, kFolder, config_, Uuid{}, now_);
    EXPECT_TRUE(made);
    log_ = std::move(*made);
    EXPECT_TRUE(disk_.sync_directory("/"));
    EXPECT_TRUE(disk_.sync_directory("/data"));
    EXPECT_TRUE(disk_.sync_directory(kFolder));
  }

  // The files hold offsets in order, each segment ending before the next begins.
  void check_files() {
    Offset next{0};
    for (const env::DirEntry& entry : *disk_.list(kFolder)) {
      if (!entry.name.ends_with(".log")) continue;
      const Offset base{std::stoll(entry.name)};
      ASSERT_LE(next, base) << entry.name;
      const Bytes content = *disk_.read_file(std::string(kFolder) + "/" + entry.name);
      record::BatchIterator batches(content);
      while (const auto batch = batches.next()) {
        ASSERT_GE(batch->header().base_offset, std::max(base, next))
            << entry.name << " at " << batches.position();
        next = batch->header().next_offset();
      }
    }
  }

  // The last steps, for a failure's message.
  std::string story() const {
    std::string text = "\n";
    for (const std::string& line : story_) text += line + "\n";
    return text;
  }

  void check() {
    ASSERT_EQ(log_->end_offset(), end());
    ASSERT_EQ(log_->start_offset(), start_);
    ASSERT_LE(log_->recovery_point(), end());
    check_files();
    for (int i = 0; i < 3; ++i) check_read();
    check_timestamp();
  }

 protected:
  void tell(std::uint64_t operation) {
    const auto text = [](Offset o) { return std::to_string(o.value); };
    std::string line = "step " + std::to_string(operation) + ": start " + text(start_) + " end " +
                       text(end()) + " durable " + text(durable_) + " checkpoint " + text(checkpointed_) +
                       " written " + text(written_to_) + ", segments " +
                       std::to_string(log_->segment_count()) + ", producers";
    for (const ProducerStatus& p : *log_->producers())
      line += " " + std::to_string(p.producer.value) + ":" + std::to_string(p.last_sequence);
    for (const std::string& file : disk_.files())
      if (file.ends_with(".snapshot"))
        line += (file.ends_with(".log") ? " " : " s") +
                std::to_string(std::stoll(file.substr(file.rfind('/') + 1)));
    story_.push_back(std::move(line));
    if (story_.size() > 25) story_.erase(story_.begin());
  }

  Offset end() const { return batches_.empty() ? empty_end_ : batches_.back().next(); }

  const ModelBatch* last_of(ProducerId producer) const {
    for (auto at = batches_.rbegin(); at != batches_.rend(); ++at)
      if (at->producer == producer) return &*at;
    return nullptr;
  }
  // What the log must accept; any number will do if it has forgotten the producer.
  std::int32_t next_sequence(ProducerId producer) { return next_sequences_[producer]; }
  // After a cut: behind the last batch left, or, where those lie below the start, what the log remembers of
  // them.
  void recount_sequences() {
    next_sequences_.clear();
    for (const ProducerStatus& status : *log_->producers())
      next_sequences_[status.producer] = status.last_sequence + 1;
    for (std::int64_t id = 1; id <= 3; ++id) {
      const ModelBatch* last = last_of(ProducerId{id});
      if (last != nullptr && last->base >= start_)
        next_sequences_[ProducerId{id}] = last->sequence + last->count;
    }
  }

  BatchOptions next_batch() {
    BatchOptions o;
    o.count = static_cast<int>(random_.between(1, 5));
    o.timestamp = now_ + random_.between(-1000, 1000);
    o.value_bytes = static_cast<std::size_t>(random_.between(1, 120));
    o.tag = "b" + std::to_string(tag_++) + "-";
    o.codec = random_.one_in(6) ? record::Codec::kLz4 : record::Codec::kNone;
    if (random_.one_in(2)) {
      o.producer = ProducerId{random_.between(1, 3)};
      o.sequence = next_sequence(o.producer);
    }
    return o;
  }
  void note(const Bytes& stored, const BatchOptions& o, Offset base) {
    ModelBatch batch{
        .base = base, .count = o.count, .bytes = stored, .producer = o.producer, .sequence = o.sequence};
    for (int i = 0; i < o.count; ++i) batch.timestamps.push_back(o.timestamp + i);
    written_[base].insert(stored);
    if (o.producer != kNoProducerId) next_sequences_[o.producer] = o.sequence + o.count;
    batches_.push_back(std::move(batch));
  }

  // --- opening and crashing
  // ---------------------------------------------------------------------------------------------------

  // Between batches an end may lie in a hole: the model takes the log's word for it.
  void after_cut() {
    hole_ = log_->end_offset();
    start_ = log_->start_offset();
    recount_sequences();
    durable_ = std::min(durable_, hole_);
    checkpointed_ = std::min(checkpointed_, hole_);
    checkpointed_start_ = std::min(checkpointed_start_, start_);
    written_to_ = std::min(written_to_, hole_);
    if (batches_.empty() || batches_.back().next() != hole_) {
      // Append at once, so that the end is a batch's again.
      empty_end_ = hole_;
      BatchOptions o = next_batch();
      o.base = hole_;
      o.epoch = LeaderEpoch{epoch_};
      Bytes bytes = make_batch(o);
      const auto done = log_->append(bytes, {.origin = AppendOrigin::kFollower, .now_ms = now_});
      ASSERT_TRUE(done);
      ASSERT_EQ(done->error, wire::ErrorCode::kNone) << done->message;
      note(bytes, o, hole_);
    }
  }
  void open(bool clean, bool same_boot) {
    files_.reset(new FileCache(disk_, 3));
    OpenOptions options{.clean_shutdown = clean,
                        .recovery_point = checkpointed_,
                        .recovery_point_known = true,
                        .recover_from = same_boot ? std::max(checkpointed_, written_to_) : checkpointed_,
                        .checkpoints_whole = true,
                        .log_start = checkpointed_start_,
                        .now_ms = now_};
    auto opened = Log::open({&disk_, files_.get()}, kFolder, config_, options);
    ASSERT_TRUE(opened) << opened.error().message;
    log_ = std::move(*opened);
    for (const std::string& note : log_->recovery().notes)
      ASSERT_EQ(note.find("expected to end"), std::string::npos) << note;
  }
  void reopen_clean() {
    ASSERT_TRUE(log_->close());
    checkpointed_ = durable_ = log_->recovery_point();
    checkpointed_start_ = start_;
    log_.reset();
    open(true, true);
  }
  void crash(Crash kind) {
    log_.reset();
    files_.reset();
    disk_.crash(kind);
    if (kind == Crash::kPower) written_to_ = Offset{0};
    open(false, kind == Crash::kProcess);
    if (kind == Crash::kProcess) {
      ASSERT_EQ(log_->end_offset(), end()) << log_->recovery().why;
      ASSERT_EQ(log_->recovery().bytes_dropped, config_->preallocate ? log_->recovery().bytes_dropped : 0)
          << log_->recovery().why;
      start_ = log_->start_offset();
      recount_sequences();
    } else {
      adopt();
    }
    now_ += 1;
  }
  // After a power loss: everything durable as it was, and behind it batches that were written at some time.
  void adopt() {
    const Offset first = log_->first_segment_base();
    start_ = log_->start_offset();
    std::vector<ModelBatch> survivors;
    record::Decompressor decompressor;
    for (Offset at = first; at < log_->end_offset();) {
      const auto read = log_->read(std::max(at, start_), 1, log_->end_offset(), true);
      ASSERT_TRUE(read);
      if (read->slice.length == 0) break;
      Bytes bytes(read->slice.length);
      ASSERT_EQ(*read->slice.file->read_at(read->slice.position, bytes), bytes.size());
      const auto batch = record::BatchIterator(bytes).next();
      ASSERT_TRUE(batch);
      const auto& header = batch->header();
      ASSERT_TRUE(written_[header.base_offset].contains(bytes)) << "a batch that nobody wrote";
      ModelBatch model{.base = header.base_offset,
                       .count = header.record_count,
                       .bytes = bytes,
                       .producer = header.producer_id,
                       .sequence = header.base_sequence};
      record::RecordIterator records(*batch, decompressor);
      while (const auto record = records.next()) model.timestamps.push_back(record->timestamp);
      survivors.push_back(std::move(model));
      at = header.next_offset();
    }
    for (const ModelBatch& old : batches_) {
      if (old.next() > durable_ || old.next() <= start_) continue;
      const auto same = std::ranges::find(survivors, old.base, &ModelBatch::base);
      ASSERT_TRUE(same != survivors.end() && same->bytes == old.bytes)
          << "a durable batch is lost: " << old.base.value << " below " << durable_.value << "; the log has "
          << first.value << " to " << log_->end_offset().value << ", start " << start_.value << "; "
          << log_->recovery().why << " " << ::testing::PrintToString(log_->recovery().notes);
    }
    // Batches below the start that nobody can read any more still tell the producers' sequences.
    std::vector<ModelBatch> all;
    for (ModelBatch& old : batches_)
      if (old.next() <= start_ && old.next() <= durable_) all.push_back(std::move(old));
    all.insert(all.end(), survivors.begin(), survivors.end());
    batches_ = std::move(all);
    recount_sequences();
    durable_ = std::min(durable_, log_->end_offset());
    checkpointed_ = log_->recovery_point();
    if (batches_.empty() || batches_.back().next() != log_->end_offset()) {
      empty_end_ = log_->end_offset();
      after_cut();
    }
  }

  // --- reading
  // ---------------------------------------------------------------------------------------------------

  void check_read() {
    const auto from =
        start_ + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(end() - start_) + 1));
    const Offset upper =
        random_.one_in(3) && !batches_.empty() ? batches_[random_.below(batches_.size())].base : end();
    const std::uint64_t max_bytes =
        random_.one_in(4) ? 1 : static_cast<std::uint64_t>(random_.between(1, 3000));
    const bool min_one = random_.one_in(2);
    const auto read = log_->read(from, max_bytes, upper, min_one);
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(read->error, wire::ErrorCode::kNone);
    const auto first = std::ranges::find_if(batches_, [&](const ModelBatch& b) { return b.next() > from; });
    Bytes bytes(read->slice.length);
    if (!bytes.empty()) {
      ASSERT_EQ(*read->slice.file->read_at(read->slice.position, bytes), bytes.size());
    }
    std::size_t at = 0;
    auto batch = first;
    for (; at < bytes.size(); ++batch) {
      ASSERT_TRUE(batch != batches_.end());
      ASSERT_LE(batch->next(), upper);
      ASSERT_LE(at + batch->bytes.size(), bytes.size()) << "cut in mid-batch";
      ASSERT_TRUE(std::ranges::equal(batch->bytes, ByteView(bytes).subspan(at, batch->bytes.size())))
          << "expected the batch of offset " << batch->base.value << ", found "
          << load_be<std::int64_t>(bytes.data() + at) << " when reading from " << from.value << " to "
          << upper.value;
      at += batch->bytes.size();
      ASSERT_LT(batch->next() - 1, read->end_bound)
          << "reading from " << from.value << " to " << upper.value << " at most " << max_bytes
          << " bytes, got " << bytes.size() << " at " << read->slice.position;
    }
    const bool any = first != batches_.end() && first->next() <= upper && from < upper;
    ASSERT_TRUE(bytes.size() <= max_bytes || (min_one && batch == first + 1));
    if (any && (min_one || first->bytes.size() <= max_bytes)) {
      ASSERT_FALSE(bytes.empty()) << from.value;
    }
    if (!any) {
      ASSERT_TRUE(bytes.empty());
    }
    ASSERT_EQ(log_->read(end() + 1, 1, end(), true)->error, wire::ErrorCode::kOffsetOutOfRange);
    ASSERT_EQ(log_->read(start_ - 1, 1, end(), true)->error, wire::ErrorCode::kOffsetOutOfRange);
  }

  void check_timestamp() {
    const std::int64_t wanted = now_ - random_.between(-500, 3000);
    const auto found = log_->lookup(wanted);
    ASSERT_TRUE(found);
    for (const ModelBatch& batch : batches_) {
      for (int i = 0; i < batch.count; ++i) {
        if (batch.base + i < start_ || batch.timestamps[static_cast<std::size_t>(i)] < wanted) continue;
        ASSERT_TRUE(*found) << wanted;
        ASSERT_EQ((*found)->offset, batch.base + i);
        ASSERT_EQ((*found)->timestamp, batch.timestamps[static_cast<std::size_t>(i)]);
        return;
      }
    }
    ASSERT_FALSE(*found);
  }

  simenv::Random random_;
  simenv::Disk disk_;
  std::unique_ptr<FileCache> files_;
  std::shared_ptr<LogConfig> config_;
  std::unique_ptr<Log> log_;
  std::int64_t now_ = 1'000'000;
  std::int32_t epoch_ = 0;
  int tag_ = 0;
  std::vector<std::string> story_;

  std::vector<ModelBatch> batches_;
  Offset empty_end_{0}, hole_{0};
  Offset start_{0};
  Offset durable_{0};       // synced, and known to be
  Offset checkpointed_{0};  // recovery point and start as the next opening is told
  Offset checkpointed_start_{0};
  Offset written_to_{0};
  std::map<ProducerId, std::int32_t> next_sequences_;
  std::map<Offset, std::set<Bytes>> written_;  // all there ever was
};

}  // namespace moldau::log::testing
