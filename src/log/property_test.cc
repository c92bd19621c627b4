// A log against a naive model of one, on a disk that crashes: random operations, each followed by a look at
// what a reader would see. The model (property_fixture.h) is a list of batches.
#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>
#include <string>

#include "log/property_fixture.h"

namespace moldau::log {
namespace {

using simenv::Crash;
using testing::BatchOptions;
using testing::kFolder;
using testing::make_batch;
using testing::ModelBatch;
using testing::PropertyWorld;

class World : public PropertyWorld {
 public:
  using PropertyWorld::PropertyWorld;

  void step() {
    now_ += random_.between(0, 200);
    const std::uint64_t what = random_.below(20);
    tell(what);
    switch (what) {
      case 0:
        return truncate();
      case 1:
        return advance_start();
      case 2:
        return flush();
      case 3:
        return checkpoint();
      case 4:
        ASSERT_TRUE(log_->roll(now_));
        return;
      case 5:
        return random_.one_in(3) ? retain() : repeat();
      case 6:
        return random_.one_in(3) ? crash(Crash::kPower) : crash(Crash::kProcess);
      case 7:
        return random_.one_in(2) ? reopen_clean() : log_->trim_memory();
      case 8:
        return random_.one_in(3) || !config_->cleanup_compact ? disk_full() : gap();
      case 9:
        return repeat();
      case 10:
        return append_together();
      default:
        return append();
    }
  }

 private:
  // --- writing
  // ---------------------------------------------------------------------------------------------------

  void append() {
    const BatchOptions o = next_batch();
    Bytes bytes = make_batch(o);
    const Offset expected = end();
    const auto done = log_->append(bytes, {.leader_epoch = LeaderEpoch{epoch_}, .now_ms = now_});
    ASSERT_TRUE(done) << done.error().message;
    ASSERT_EQ(done->error, wire::ErrorCode::kNone) << done->message;
    ASSERT_FALSE(done->duplicate);
    ASSERT_EQ(done->first_offset, expected);
    ASSERT_EQ(done->last_offset, expected + o.count - 1);
    note(bytes, o, expected);
  }
  void append_together() {
    std::vector<Bytes> all;
    std::vector<BatchOptions> options;
    std::vector<AppendJob> jobs;
    std::map<ProducerId, std::int32_t> sequences;
    const int count = static_cast<int>(random_.between(2, 40));
    for (int i = 0; i < count; ++i) {
      BatchOptions o = next_batch();
      if (o.producer != kNoProducerId) {
        auto [at, first] = sequences.emplace(o.producer, o.sequence);
        o.sequence = at->second;
        at->second += o.count;
      }
      all.push_back(make_batch(o));
      options.push_back(o);
    }
    for (Bytes& bytes : all)
      jobs.push_back({.batches = bytes, .options = {.leader_epoch = LeaderEpoch{epoch_}, .now_ms = now_}});
    log_->append(jobs);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      ASSERT_TRUE(jobs[i].outcome) << jobs[i].outcome.error().message;
      ASSERT_EQ(jobs[i].outcome->error, wire::ErrorCode::kNone) << jobs[i].outcome->message;
      ASSERT_EQ(jobs[i].outcome->first_offset, end());
      note(all[i], options[i], end());
    }
  }
  // The last batch of a producer, sent again, is answered with its offsets; a gap is refused.
  void repeat() {
    const ProducerId producer{random_.between(1, 3)};
    const ModelBatch* last = last_of(producer);
    if (last == nullptr || last->base < start_) return;
    BatchOptions o{.count = last->count, .producer = producer, .sequence = last->sequence};
    Bytes again = make_batch(o);
    const auto same = log_->append(again, {.now_ms = now_});
    ASSERT_TRUE(same);
    ASSERT_TRUE(same->duplicate) << "producer " << producer.value << " sequence " << o.sequence << ": "
                                 << same->message;
    ASSERT_EQ(same->first_offset, last->base);
    ASSERT_EQ(same->last_offset, last->next() - 1);
    o.sequence += o.count + 1;
    Bytes gap = make_batch(o);
    const auto refused = log_->append(gap, {.now_ms = now_});
    ASSERT_TRUE(refused);
    ASSERT_EQ(refused->error, wire::ErrorCode::kOutOfOrderSequenceNumber);
  }
  // As a follower of a compacted log: offsets are missing.
  void gap() {
    BatchOptions o = next_batch();
    o.base = end() + random_.between(0, 50);
    o.epoch = LeaderEpoch{++epoch_};
    Bytes bytes = make_batch(o);
    const auto done = log_->append(bytes, {.origin = AppendOrigin::kFollower, .now_ms = now_});
    ASSERT_TRUE(done);
    ASSERT_EQ(done->error, wire::ErrorCode::kNone) << done->message;
    note(bytes, o, o.base);
  }
  void disk_full() {
    disk_.set_capacity(disk_.used_bytes() + random_.below(200));
    BatchOptions o = next_batch();
    o.value_bytes = 300;
    Bytes bytes = make_batch(o);
    const Offset before = end();
    const auto done = log_->append(bytes, {.leader_epoch = LeaderEpoch{epoch_}, .now_ms = now_});
    if (done && done->error == wire::ErrorCode::kNone) {
      note(bytes, o, before);
    } else if (done) {
      ASSERT_EQ(done->error, wire::ErrorCode::kRecordListTooLarge);
    } else {
      ASSERT_EQ(done.error().kind, ErrorKind::kNoSpace);
    }
    disk_.set_capacity(1ull << 40);
    check();
    append();
  }

  // --- cutting
  // ---------------------------------------------------------------------------------------------------

  void truncate() {
    if (batches_.empty()) return;
    const Offset low = std::max(start_, batches_.front().base);
    if (low >= end()) return;
    const Offset to =
        low + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(end() - low) + 1));
    ASSERT_TRUE(log_->truncate_to(to));
    while (!batches_.empty() && batches_.back().next() > to) batches_.pop_back();
    empty_end_ = log_->end_offset();
    ASSERT_LE(empty_end_, to);
    ASSERT_GE(empty_end_, batches_.empty() ? Offset{0} : batches_.back().next());
    after_cut();
  }
  void advance_start() {
    const auto to =
        start_ + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(end() - start_) + 1));
    ASSERT_EQ(*log_->advance_start_offset(end() + 1, end() + 5), wire::ErrorCode::kOffsetOutOfRange);
    ASSERT_EQ(*log_->advance_start_offset(to, end()), wire::ErrorCode::kNone);
    start_ = to;
  }
  void retain() {
    ASSERT_TRUE(log_->delete_old_segments(now_, end()));
    ASSERT_LE(log_->first_segment_base(), start_);
    for (const Removal& removal : log_->take_removals()) ASSERT_TRUE(disk_.remove_all(removal.path));
  }

  // --- durability
  // ------------------------------------------------------------------------------------------------

  void flush() {
    const bool all = random_.one_in(2);
    auto work = log_->prepare_flush(all);
    ASSERT_TRUE(work);
    if (random_.one_in(3)) append();  // meanwhile
    ASSERT_TRUE(work->run(disk_));
    log_->complete_flush(*work, now_);
    durable_ = std::max(durable_, log_->recovery_point());
    if (random_.one_in(2)) checkpointed_ = log_->recovery_point();
  }
  void checkpoint() {
    const auto written = log_->write_out();
    ASSERT_TRUE(written);
    if (random_.one_in(2)) written_to_ = *written;
    checkpointed_ = log_->recovery_point();
    checkpointed_start_ = start_;
  }
};

TEST(LogProperties, AgreesWithItsModel) {
  const char* wanted = std::getenv("MOLDAU_SEED");
  const std::uint64_t first = wanted ? std::strtoull(wanted, nullptr, 10) : 1;
  const std::uint64_t last = wanted ? first : 300;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    World world(seed);
    for (int i = 0; i < 200; ++i) {
      SCOPED_TRACE("MOLDAU_SEED=" + std::to_string(seed) + " step " + std::to_string(i));
      world.step();
      if (!::testing::Test::HasFatalFailure()) world.check();
      if (::testing::Test::HasFailure()) FAIL() << world.story();
    }
  }
}

}  // namespace
}  // namespace moldau::log
