#include "log/producer_state.h"

#include <gtest/gtest.h>
#include <limits>

#include "log/test_batches.h"

namespace moldau::log {
namespace {

using wire::ErrorCode;

constexpr std::int32_t kLastSequence = std::numeric_limits<std::int32_t>::max();

record::BatchHeader header(std::int64_t producer, int epoch, std::int32_t sequence, int count,
                           std::int64_t offset, bool transactional = false) {
  record::BatchHeader h;
  h.magic = 2;
  h.producer_id = ProducerId{producer};
  h.producer_epoch = ProducerEpoch{static_cast<std::int16_t>(epoch)};
  h.base_sequence = sequence;
  h.last_offset_delta = count - 1;
  h.base_offset = Offset{offset};
  h.last_offset = Offset{offset + count - 1};
  h.max_timestamp = 1000 + offset;
  if (transactional) h.attributes |= record::kTransactionalBit;
  return h;
}
record::BatchHeader marker_header(std::int64_t producer, int epoch, std::int64_t offset) {
  auto h = header(producer, epoch, -1, 1, offset, true);
  h.attributes |= record::kControlBit;
  return h;
}

struct Producers : ::testing::Test {
  ProducerState state;

  ErrorCode check(const record::BatchHeader& h, bool sequence = true, bool verified = true) {
    const auto verdict = state.check_data(h, h.base_offset, sequence, verified);
    EXPECT_EQ(verdict.error == ErrorCode::kNone, verdict.message.empty());
    EXPECT_EQ(verdict.duplicate, nullptr);
    return verdict.error;
  }
  void add(const record::BatchHeader& h) {
    EXPECT_EQ(check(h), ErrorCode::kNone);
    state.apply_data(h);
  }
  std::optional<CompletedTransaction> end(const record::BatchHeader& h, bool commit,
                                          int coordinator_epoch = 0) {
    return state.apply_marker(
        h, {commit ? record::ControlType::kCommit : record::ControlType::kAbort, coordinator_epoch}, 5000);
  }
};

TEST_F(Producers, SequencesFollowEachOther) {
  EXPECT_EQ(check(header(1, 0, 77, 1, 0)), ErrorCode::kNone) << "an unknown producer begins anywhere";
  add(header(1, 0, 0, 5, 0));
  EXPECT_EQ(check(header(1, 0, 6, 1, 5)), ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_EQ(check(header(1, 0, 4, 1, 5)), ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_EQ(check(header(1, 0, 99, 1, 5), false), ErrorCode::kNone) << "coordinators have no sequences";
  add(header(1, 0, 5, 2, 5));
  EXPECT_EQ(state.find(ProducerId{1})->last_sequence(), 6);
}

TEST_F(Producers, SequencesWrap) {
  add(header(1, 0, kLastSequence - 1, 2, 0));
  EXPECT_EQ(check(header(1, 0, kLastSequence, 1, 2)), ErrorCode::kOutOfOrderSequenceNumber);
  add(header(1, 0, 0, 1, 2));
  add(header(1, 0, 1, 3, 3));
  ProducerState other;
  other.apply_data(header(2, 0, kLastSequence, 3, 0));  // over the edge: 2^31-1, 0, 1
  EXPECT_EQ(other.find(ProducerId{2})->last_sequence(), 1);
  EXPECT_EQ(other.find(ProducerId{2})->last()->first_sequence(), kLastSequence);
  const auto again = other.check_data(header(2, 0, kLastSequence, 3, 9), Offset{9}, true, true);
  ASSERT_NE(again.duplicate, nullptr);
  EXPECT_EQ(again.duplicate->first_offset(), Offset{0});
}

TEST_F(Producers, RememberFiveBatches) {
  for (int i = 0; i < 7; ++i) add(header(1, 0, i * 2, 2, i * 2));
  for (int i = 0; i < 7; ++i) {
    const auto verdict = state.check_data(header(1, 0, i * 2, 2, 50), Offset{50}, true, true);
    if (i < 2) {
      EXPECT_EQ(verdict.error, ErrorCode::kOutOfOrderSequenceNumber) << i;
    } else {
      ASSERT_NE(verdict.duplicate, nullptr) << i;
      EXPECT_EQ(verdict.duplicate->first_offset(), Offset{i * 2});
      EXPECT_EQ(verdict.duplicate->last_offset, Offset{i * 2 + 1});
    }
  }
  EXPECT_EQ(check(header(1, 0, 12, 1, 50)), ErrorCode::kOutOfOrderSequenceNumber)
      << "half of a batch is no repeat";
}

TEST_F(Producers, EpochsFence) {
  add(header(1, 3, 0, 1, 0));
  EXPECT_EQ(check(header(1, 2, 1, 1, 1)), ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(check(header(1, 2, 1, 1, 1), false), ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(check(header(1, 4, 1, 1, 1)), ErrorCode::kOutOfOrderSequenceNumber)
      << "a new epoch begins with 0";
  add(header(1, 4, 0, 1, 1));
  EXPECT_EQ(state.find(ProducerId{1})->count, 1) << "batches of the old epoch are forgotten";
}

TEST_F(Producers, Transactions) {
  EXPECT_EQ(check(header(1, 0, 0, 1, 0, true), true, false), ErrorCode::kInvalidTxnState)
      << "not verified (KIP-890)";
  add(header(1, 0, 0, 3, 0, true));
  EXPECT_EQ(check(header(1, 0, 3, 1, 3, true), true, false), ErrorCode::kNone) << "it is open here";
  EXPECT_EQ(check(header(1, 0, 3, 1, 3)), ErrorCode::kInvalidTxnState) << "not part of the open one";
  add(header(2, 0, 0, 2, 3, true));
  EXPECT_EQ(state.first_unstable(Offset{100}), Offset{0});

  const auto done = end(marker_header(1, 0, 5), false);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->first_offset, Offset{0});
  EXPECT_EQ(done->last_offset, Offset{5});
  EXPECT_TRUE(done->aborted);
  EXPECT_EQ(state.stable_after(*done), Offset{3}) << "the other one is open";
  state.complete(*done);
  EXPECT_EQ(state.first_unstable(Offset{5}), Offset{0}) << "its marker is not below the high watermark";
  EXPECT_EQ(state.first_unstable(Offset{6}), Offset{3});
  const auto other = end(marker_header(2, 0, 6), true);
  ASSERT_TRUE(other);
  EXPECT_EQ(state.stable_after(*other), Offset{7});
  state.complete(*other);
  EXPECT_EQ(state.first_unstable(Offset{7}), std::nullopt);
  EXPECT_FALSE(end(marker_header(2, 0, 7), true)) << "nothing was open";
}

TEST_F(Producers, MarkersFence) {
  const record::EndTxnMarker abort{record::ControlType::kAbort, 4};
  EXPECT_EQ(state.check_marker(marker_header(1, 0, 0), abort, Offset{0}).error, ErrorCode::kNone);
  add(header(1, 5, 0, 1, 0, true));
  EXPECT_EQ(state.check_marker(marker_header(1, 4, 1), abort, Offset{1}).error,
            ErrorCode::kInvalidProducerEpoch);
  end(marker_header(1, 6, 1), true, 4);  // KIP-890: a marker brings a new epoch
  EXPECT_EQ(state.find(ProducerId{1})->count, 0);
  EXPECT_EQ(state.check_marker(marker_header(1, 6, 2), {record::ControlType::kAbort, 3}, Offset{2}).error,
            ErrorCode::kTransactionCoordinatorFenced);
  EXPECT_EQ(check(header(1, 6, 1, 1, 2)), ErrorCode::kOutOfOrderSequenceNumber);
  EXPECT_EQ(check(header(1, 6, 0, 1, 2)), ErrorCode::kNone);
}

TEST_F(Producers, SnapshotsGoBothWays) {
  add(header(7, 1, 0, 3, 10));
  add(header(7, 1, 3, 2, 13));
  add(header(9, 0, 0, 1, 15, true));
  end(marker_header(8, 2, 16), true, 3);
  const Bytes bytes = state.snapshot();
  EXPECT_EQ(bytes.size(), 10u + 3 * 46);
  ProducerState loaded;
  ASSERT_TRUE(loaded.load(bytes, "f", 2000, 100'000));
  EXPECT_EQ(loaded.snapshot(), bytes);
  EXPECT_EQ(loaded.first_unstable(Offset{50}), Offset{15});
  EXPECT_EQ(loaded.find(ProducerId{7})->last()->first_offset(), Offset{13});
  EXPECT_EQ(loaded.find(ProducerId{8})->coordinator_epoch, 3);
  EXPECT_EQ(loaded.status().size(), 3u);

  ProducerState expired;
  ASSERT_TRUE(expired.load(bytes, "f", 1'000'000, 100'000));
  EXPECT_EQ(expired.status().size(), 1u) << "an open transaction does not expire";
  loaded.expire(1'000'000, 100'000);
  EXPECT_EQ(loaded.status().size(), 1u);

  for (std::size_t i = 0; i < bytes.size(); ++i) {
    Bytes bad = bytes;
    bad[i] ^= 0x10;
    ProducerState none;
    EXPECT_FALSE(none.load(bad, "f", 0, 0)) << i;
    EXPECT_FALSE(ProducerState().load(ByteView(bytes).first(i), "f", 0, 0)) << i;
  }
}

}  // namespace
}  // namespace moldau::log
