#include "net/frame_reader.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <gtest/gtest.h>
#include <memory>
#include <string>

#include "net/testing.h"

namespace moldau::net::testing {
namespace {

using Cut = FrameReader::Cut;

const env::Clock& clock() {
  static const ManualClock still;
  return still;
}

std::shared_ptr<ReceiveBudget> budget(std::int64_t limit = -1) {
  return std::make_shared<ReceiveBudget>(limit, clock(), nullptr);
}

// Gives the reader up to `most` bytes of `stream`; returns what it took.
std::size_t feed(FrameReader& reader, ByteView stream, std::size_t most) {
  std::size_t taken = 0;
  for (const iovec& part : reader.space()) {
    const std::size_t step = std::min({part.iov_len, stream.size() - taken, most - taken});
    std::memcpy(part.iov_base, stream.data() + taken, step);
    taken += step;
  }
  reader.filled(taken);
  return taken;
}

std::string text_of(const env::Inbound& frame) { return std::string(as_text(frame.bytes)); }

TEST(FrameReader, AnyCutOfTheStreamGivesTheSameFrames) {
  BufferPool pool(budget());
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    TestRandom random(seed);
    FrameReader reader(pool, 4 << 20);
    std::deque<std::string> sent;
    Bytes stream;
    const std::uint64_t largest = std::uint64_t{1} << (4 + random.below(18));
    while (stream.size() < 200'000 + largest) {
      sent.push_back(std::string(random.below(largest), static_cast<char>('a' + sent.size() % 26)));
      const Bytes one = frame(sent.back());
      stream.insert(stream.end(), one.begin(), one.end());
    }
    const std::uint64_t most = std::uint64_t{1} << (5 + random.below(15));
    std::vector<std::pair<env::Inbound, std::string>> held;  // frames stay intact while later ones are read
    for (ByteView left = stream; !left.empty();) {
      left = left.subspan(feed(reader, left, 1 + random.below(most)));
      for (env::Inbound got; reader.next(got) == Cut::kFrame; got = {}) {
        ASSERT_TRUE(text_of(got) == sent.front()) << "seed " << seed;
        if (random.below(10) == 0) held.emplace_back(std::move(got), sent.front());
        sent.pop_front();
      }
    }
    EXPECT_TRUE(sent.empty()) << "seed " << seed;
    for (const auto& [inbound, text] : held) ASSERT_TRUE(text_of(inbound) == text) << "seed " << seed;
  }
}

TEST(FrameReader, BetweenReadsItHoldsOnlyWhatAPartOfAFrameNeeds) {
  const auto counted = budget(1'000'000);
  BufferPool pool(counted);
  FrameReader reader(pool, 1 << 20);
  env::Inbound got;
  const Bytes stream = frame(std::string(500, 'x'));
  for (std::size_t i = 0; i < 3; ++i) {
    feed(reader, ByteView(stream).subspan(i, 1), 1);
    EXPECT_EQ(reader.next(got), Cut::kNone);
    EXPECT_FALSE(reader.in_mid_frame()) << "nothing is known of the frame yet";
  }
  EXPECT_EQ(counted->used(), 0);
  feed(reader, ByteView(stream).subspan(3, 100), 100);
  EXPECT_EQ(reader.next(got), Cut::kNone);
  EXPECT_TRUE(reader.in_mid_frame());
  EXPECT_FALSE(reader.holds_frames());
  EXPECT_EQ(reader.bytes_of_partial(), 103u);
  EXPECT_EQ(reader.size_of_partial(), 504u);
  EXPECT_EQ(counted->used(), 103) << "what has come, not what was announced";
  feed(reader, ByteView(stream).subspan(103), 1000);
  EXPECT_EQ(reader.next(got), Cut::kFrame);
  EXPECT_EQ(counted->used(), 504) << "until the frame is let go";
  got = {};
  EXPECT_EQ(counted->used(), 0);
}

TEST(FrameReader, ABufferIsAtMostFourTimesWhatHasArrived) {
  const auto counted = budget(10'000'000);
  BufferPool pool(counted);
  FrameReader reader(pool, 2 << 20);
  env::Inbound got;
  std::string text(1'000'000, 'x');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
  const Bytes stream = frame(text);
  std::size_t taken = feed(reader, stream, 1000);
  ASSERT_EQ(reader.next(got), Cut::kNone);
  while (taken < stream.size()) {
    const std::size_t room = reader.space()[0].iov_len;
    reader.filled(0);
    ASSERT_EQ(reader.next(got), Cut::kNone);
    EXPECT_LE(taken + room, std::max<std::size_t>(4 * taken, BufferPool::kSmallest)) << taken;
    taken += feed(reader, ByteView(stream).subspan(taken), 30'000);
    EXPECT_EQ(counted->used(), static_cast<std::int64_t>(taken));
    ASSERT_EQ(reader.next(got), taken == stream.size() ? Cut::kFrame : Cut::kNone);
  }
  EXPECT_TRUE(text_of(got) == text);
  got = {};
  EXPECT_EQ(counted->used(), 0);
}

TEST(FrameReader, LargeFramesOfOneSizeAreReadStraightIntoTheirBuffers) {
  BufferPool pool(budget());
  FrameReader reader(pool, 1 << 20);
  env::Inbound got;
  const Bytes large = frame(std::string(200'000, 'y'));
  feed(reader, large, large.size());
  EXPECT_EQ(reader.next(got), Cut::kNone);
  EXPECT_EQ(feed(reader, ByteView(large).subspan(65'536), large.size()), large.size() - 65'536);
  ASSERT_EQ(reader.next(got), Cut::kFrame);
  ASSERT_EQ(reader.next(got), Cut::kNone);
  Bytes two = large;
  two.insert(two.end(), large.begin(), large.end());
  EXPECT_EQ(feed(reader, two, two.size()), large.size() + 4) << "one frame, and the next one's length";
  ASSERT_EQ(reader.next(got), Cut::kFrame);
  EXPECT_EQ(got.bytes.size(), 200'000u);
  ASSERT_EQ(reader.next(got), Cut::kNone);
  two.insert(two.end(), large.begin(), large.end());
  EXPECT_EQ(feed(reader, ByteView(two).subspan(large.size() + 4), two.size()), large.size())
      << "the rest of the second, and the third one's length";
  ASSERT_EQ(reader.next(got), Cut::kFrame);
  EXPECT_EQ(as_text(got.bytes), std::string(200'000, 'y'));
  EXPECT_FALSE(reader.holds_frames());
  ASSERT_EQ(reader.next(got), Cut::kNone);
  EXPECT_EQ(feed(reader, ByteView(large).subspan(4), large.size()), large.size() - 4);
  ASSERT_EQ(reader.next(got), Cut::kFrame);
  EXPECT_EQ(as_text(got.bytes), std::string(200'000, 'y'));
}

std::string complaint_about(ByteView stream, std::int32_t largest = 1000) {
  BufferPool pool(budget());
  FrameReader reader(pool, largest);
  feed(reader, stream, stream.size());
  env::Inbound got;
  return reader.next(got) == Cut::kBad ? reader.complaint() : "fine";
}

TEST(FrameReader, BadLengthsAndForeignProtocols) {
  EXPECT_EQ(complaint_about(Bytes{0, 0, 0x03, 0xe8}), "fine");
  EXPECT_NE(complaint_about(Bytes{0, 0, 0x03, 0xe9}), "fine");
  EXPECT_EQ(complaint_about(Bytes{0, 0, 0, 0}), "fine");
  EXPECT_NE(complaint_about(Bytes{0x80, 0, 0, 0}), "fine");
  EXPECT_EQ(complaint_about(as_bytes("HEAD / HTTP/1.0\r\n")),
            "expected Kafka's protocol, found an HTTP request (HEAD / HTTP/1.0)");
  EXPECT_NE(complaint_about(Bytes{0x16, 3, 1, 2, 0}, 0x7fffffff), "fine")
      << "also where the length would be allowed";
}

TEST(FrameReader, OnlyTheStartOfAConnectionIsTakenForAForeignProtocol) {
  BufferPool pool(budget());
  FrameReader reader(pool, 1000);
  Bytes stream = frame("a request");
  const std::string http = "GET / HTTP/1.0\r\n";
  stream.insert(stream.end(), http.begin(), http.end());
  feed(reader, stream, stream.size());
  env::Inbound got;
  EXPECT_EQ(reader.next(got), Cut::kFrame);
  EXPECT_EQ(reader.next(got), Cut::kBad);
  EXPECT_EQ(reader.complaint().find("HTTP"), std::string::npos) << reader.complaint();
}

}  // namespace
}  // namespace moldau::net::testing
