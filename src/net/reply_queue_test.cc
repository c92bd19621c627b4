#include "net/reply_queue.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "net/testing.h"

namespace moldau::net::testing {
namespace {

// A reply of a few pieces of every kind (now and then large ones), and the bytes that it stands for.
std::pair<env::Outbound, Bytes> any_reply(TestRandom& random, int i,
                                          const std::shared_ptr<PatternFile>& file) {
  std::pair<env::Outbound, Bytes> reply;
  for (std::uint64_t pieces = random.below(5); pieces > 0; --pieces) {
    const std::uint64_t size =
        random.below(2) == 0 ? random.below(100) : random.below(i % 10 == 0 ? 200'000 : 20'000);
    const std::uint64_t position = random.below(50'000);
    Bytes bytes(size);
    for (std::uint64_t k = 0; k < size; ++k) bytes[k] = PatternFile::pattern(position + k);
    reply.second.insert(reply.second.end(), bytes.begin(), bytes.end());
    const std::uint64_t kind = random.below(3);
    if (kind == 0) reply.first.pieces.emplace_back(std::move(bytes));
    if (kind == 1) {
      auto shared = std::make_shared<Bytes>(std::move(bytes));
      reply.first.pieces.emplace_back(env::SharedBytes{shared, *shared});
    }
    if (kind == 2) reply.first.pieces.emplace_back(env::FileSlice{file, position, size});
  }
  return reply;
}

// Plays one system call that moves some of the bytes.
void send_some(ReplyQueue& queue, bool files, TestRandom& random, Bytes& wire) {
  const auto next = queue.next(files);
  ASSERT_TRUE(next);
  const std::uint64_t whole = next->file != nullptr ? next->file->length : next->size;
  const std::uint64_t moved =
      1 + random.below(random.below(2) == 0 ? whole : std::min<std::uint64_t>(whole, 50));
  if (next->file != nullptr) {
    EXPECT_TRUE(files);
    Bytes bytes(moved);
    ASSERT_EQ(*next->file->file->read_at(next->file->position, bytes), moved);
    wire.insert(wire.end(), bytes.begin(), bytes.end());
  } else {
    std::uint64_t left = moved;
    for (const iovec& part : next->bytes) {
      const auto* from = static_cast<const std::uint8_t*>(part.iov_base);
      const std::uint64_t step = std::min<std::uint64_t>(left, part.iov_len);
      wire.insert(wire.end(), from, from + step);
      left -= step;
    }
  }
  queue.sent(moved);
}

TEST(ReplyQueue, WhateverTheOrderOfAnswersTheWireSeesTheOrderOfSlots) {
  const auto file = std::make_shared<PatternFile>(250'000);
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    TestRandom random(seed);
    ReplyQueue queue;
    const bool files = seed % 2 == 0;
    Bytes expected, wire;
    std::vector<std::pair<std::uint64_t, env::Outbound>> answers;
    for (int i = 0; i < 40; ++i) {
      auto [outbound, bytes] = any_reply(random, i, file);
      expected.insert(expected.end(), bytes.begin(), bytes.end());
      answers.emplace_back(queue.open(), std::move(outbound));
    }
    while (!answers.empty() || queue.has_output()) {
      if (!answers.empty() && random.below(3) > 0) {
        std::swap(answers[random.below(std::min<std::uint64_t>(answers.size(), 6))], answers.back());
        queue.answer(answers.back().first, std::move(answers.back().second));
        answers.pop_back();
      } else if (queue.has_output()) {
        send_some(queue, files, random, wire);
        if (HasFatalFailure()) return;
      }
    }
    ASSERT_TRUE(wire == expected) << "seed " << seed;
    EXPECT_EQ(queue.bytes_queued(), 0u);
    EXPECT_EQ(queue.in_flight(), 0u);
    EXPECT_EQ(queue.unanswered(), 0u);
  }
}

TEST(ReplyQueue, AnEmptyReplyIsDoneWhenThoseBeforeItHaveLeft) {
  ReplyQueue queue;
  for (int i = 0; i < 3; ++i) queue.open();
  queue.answer(0, {});
  EXPECT_EQ(queue.in_flight(), 2u);
  env::Outbound two;
  two.pieces.emplace_back(Bytes(2));
  queue.answer(2, {});
  queue.answer(1, std::move(two));
  EXPECT_EQ(queue.unanswered(), 0u);
  EXPECT_EQ(queue.in_flight(), 2u);
  ASSERT_TRUE(queue.next(true));
  queue.sent(1);
  EXPECT_EQ(queue.in_flight(), 2u);
  queue.sent(1);
  EXPECT_EQ(queue.in_flight(), 0u);
}

TEST(ReplyQueue, WhatHasLeftIsLetGo) {
  ReplyQueue queue;
  const auto bytes = std::make_shared<Bytes>(10);
  for (int i = 0; i < 2; ++i) {
    env::Outbound outbound;
    outbound.pieces.emplace_back(env::SharedBytes{bytes, *bytes});
    queue.answer(queue.open(), std::move(outbound));
  }
  EXPECT_EQ(bytes.use_count(), 3);
  ASSERT_TRUE(queue.next(true));
  queue.sent(15);
  EXPECT_EQ(bytes.use_count(), 2);
  queue.clear();
  EXPECT_EQ(bytes.use_count(), 1);
}

TEST(ReplyQueueDeath, ASlotIsAnsweredOnce) {
  ReplyQueue queue;
  for (int i = 0; i < 3; ++i) queue.open();
  queue.answer(0, {});
  queue.answer(2, {});
  EXPECT_DEATH(queue.answer(0, {}), "not open");
  EXPECT_DEATH(queue.answer(2, {}), "answered twice");
  EXPECT_DEATH(queue.answer(3, {}), "not open");
}

}  // namespace
}  // namespace moldau::net::testing
