// The server on real sockets of this machine: what a client sends, and what comes back.
#include "net/server.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "net/testing.h"

namespace moldau::net::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Server, AnswersAndSaysWhoAsked) {
  TestServer test;
  const Client client = test.connect();
  EXPECT_EQ(client.ask(echo("hello")), "hello");
  const std::lock_guard lock(test.handler.mutex);
  EXPECT_EQ(test.handler.last_info.listener, "PLAINTEXT");
  EXPECT_EQ(test.handler.last_info.client_host, "/127.0.0.1");
  EXPECT_EQ(test.handler.last_info.local_address, "127.0.0.1");
  EXPECT_EQ(test.handler.last_info.local_port, test.port());
}

TEST(Server, AnEmptyFrameAndAnEmptyReplyAreFrames) {
  TestServer test;
  const Client client = test.connect();
  EXPECT_EQ(client.ask(echo("")), "");
}

TEST(Server, PipelinedRequestsAreAnsweredInOrderWithOneReadAndOneWrite) {
  Options options;
  options.loops = 1;
  TestServer test(options);
  const Client client = test.connect();
  ASSERT_EQ(client.ask(echo("warm")), "warm");
  const Stats before = test.server->stats();
  std::vector<std::string> requests;
  for (int i = 0; i < 200; ++i) requests.push_back(echo(std::to_string(i)));
  ASSERT_TRUE(client.send(joined(requests)));
  for (int i = 0; i < 200; ++i) ASSERT_EQ(client.receive(), std::to_string(i));
  const Stats after = test.server->stats();
  EXPECT_EQ(after.requests - before.requests, 200u);
  EXPECT_LE(after.reads - before.reads, 2u) << "the client's write may arrive in two pieces";
  EXPECT_LE(after.writes - before.writes, 4u) << "128 pieces a call";
}

TEST(Server, RepliesLeaveInTheOrderOfRequestsHoweverTheyAreMade) {
  TestServer test;
  const Client client = test.connect();
  ASSERT_TRUE(client.send(joined({delay(300, "first"), hold("second"), delay(100, "third"), no_reply(),
                                  echo("fifth"), delay(200, "sixth")})));
  ASSERT_TRUE(eventually([&] { return test.handler.requests == 6; }));
  test.advance(milliseconds(250));
  EXPECT_EQ(test.handler.expired, 2);
  test.handler.release("second");
  test.advance(milliseconds(100));
  for (const char* expected : {"first", "second", "third", "fifth", "sixth"})
    EXPECT_EQ(client.receive(), expected);
}

TEST(Server, ARequestThatWaitsDoesNotBlockTheReadingOfLaterOnes) {
  TestServer test;
  const Client client = test.connect();
  ASSERT_TRUE(client.send(hold("slow")));
  ASSERT_TRUE(client.send(echo("quick")));
  ASSERT_TRUE(eventually([&] { return test.handler.requests == 2; }));
  test.handler.release("slow");
  EXPECT_EQ(client.receive(), "slow");
  EXPECT_EQ(client.receive(), "quick");
}

TEST(Server, OneByteAtATimeWorks) {
  TestServer test;
  const Client client = test.connect();
  for (const std::uint8_t byte : joined({echo("one"), echo("two")}))
    ASSERT_TRUE(client.send(ByteView(&byte, 1)));
  EXPECT_EQ(client.receive(), "one");
  EXPECT_EQ(client.receive(), "two");
}

TEST(Server, RequestsOfAllSizesComeThroughWhole) {
  TestServer test;
  const Client client = test.connect();
  for (const std::size_t size : {1u, 60'000u, 65'531u, 65'532u, 65'533u, 70'000u, 140'000u, 140'000u,
                                 140'100u, 1'048'572u, 1'048'573u, 5'000'000u, 10u}) {
    const std::string text(size, static_cast<char>('a' + size % 26));
    std::thread sender([&] { EXPECT_TRUE(client.send(joined({echo(text), echo("x"), echo(text)}))); });
    EXPECT_TRUE(client.receive() == text) << size;
    EXPECT_EQ(client.receive(), "x");
    EXPECT_TRUE(client.receive() == text) << size;
    sender.join();
  }
}

TEST(Server, ALargeFrameCostsNoReadThatFindsNothing) {
  Options options;
  options.loops = 1;
  TestServer test(options);
  const Client client = test.connect();
  const std::string text(100'000, 'x');
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(client.ask(echo(text)) == text);
  for (int i = 0; i < 20; ++i) {
    const Stats before = test.server->stats();
    {
      const BusyLoop busy(*test.server->loops()[0]);
      ASSERT_TRUE(client.send(echo(text)));  // fits the socket: it is there in full when the loop looks
    }
    ASSERT_TRUE(client.receive() == text);
    ASSERT_EQ(client.ask(echo("small")), "small");  // so that what came behind the large one is counted
    ASSERT_LE(test.server->stats().reads - before.reads, 3u);
  }
}

TEST(Server, AConnectionCutInMidFrameTouchesNobodyElse) {
  TestServer test;
  const Client other = test.connect();
  {
    const Client client = test.connect();
    const Bytes whole = frame(echo("never complete"));
    ASSERT_TRUE(client.send(ByteView(whole).first(9)));
    ASSERT_TRUE(eventually([&] { return test.server->stats().bytes_in == 9; }));
  }
  EXPECT_TRUE(test.logged("stopped within a request, after 9 of 19 bytes"));
  EXPECT_EQ(other.ask(echo("still here")), "still here");
  EXPECT_EQ(test.handler.requests, 1);
}

TEST(Server, AFrameLongerThanAllowedClosesAfterTheEarlierReplies) {
  Options options;
  options.socket_request_max_bytes = 1000;
  TestServer test(options);
  const Client client = test.connect();
  EXPECT_EQ(client.ask(echo(std::string(999, 'x'))), std::string(999, 'x')) << "the limit itself is allowed";
  ASSERT_TRUE(client.send(joined({echo("before"), echo(std::string(1000, 'x'))})));
  EXPECT_EQ(client.receive(), "before");
  EXPECT_EQ(client.receive(), "<closed>");
  EXPECT_TRUE(test.logged("found a request of 1001 bytes, expected at most 1000 (socket.request.max.bytes)"));
  EXPECT_TRUE(test.logged("/127.0.0.1:"));
}

TEST(Server, ANegativeLengthClosesTheConnection) {
  TestServer test;
  const Client client = test.connect();
  ASSERT_TRUE(client.send(ByteView(Bytes{0xff, 0xff, 0xff, 0xfe, 1, 2, 3})));
  EXPECT_EQ(client.receive(), "<closed>");
  EXPECT_TRUE(test.logged("the negative number -2"));
}

TEST(Server, HttpAndTlsOnThePlaintextPortAreNamed) {
  TestServer test;
  const Client browser = test.connect();
  ASSERT_TRUE(browser.send(as_bytes("GET /topics HTTP/1.1\r\nHost: broker\r\n\r\n")));
  EXPECT_EQ(browser.receive(), "<closed>");
  EXPECT_TRUE(test.logged("an HTTP request (GET /topics HTTP/1.1)"));
  const Client tls = test.connect();
  ASSERT_TRUE(tls.send(ByteView(Bytes{0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc})));
  EXPECT_EQ(tls.receive(), "<closed>");
  EXPECT_TRUE(test.logged("a TLS handshake"));
}

TEST(Server, AHalfClosedClientGetsItsReplies) {
  TestServer test;
  const Client client = test.connect();
  ASSERT_TRUE(client.send(joined({echo("one"), hold("two")})));
  client.stop_sending();
  EXPECT_EQ(client.receive(), "one");
  ASSERT_TRUE(eventually([&] { return test.handler.holds("two"); }));
  test.handler.release("two");
  EXPECT_EQ(client.receive(), "two");
  EXPECT_EQ(client.receive(), "<closed>");
}

// Both the last request and the end of the stream are there before the loop looks: one edge tells of both.
TEST(Server, AnEndThatCameTogetherWithTheLastRequestIsSeen) {
  Options options;
  options.loops = 1;
  TestServer test(options);
  const Client client = test.connect();
  ASSERT_EQ(client.ask(echo("warm")), "warm");
  {
    const BusyLoop busy(*test.server->loops()[0]);
    ASSERT_TRUE(client.send(echo("last")));
    client.stop_sending();
  }
  EXPECT_EQ(client.receive(), "last");
  EXPECT_EQ(client.receive(), "<closed>");
}

TEST(Server, AClientThatLeavesWhileItsRequestWaitsIsNoticed) {
  TestServer test;
  {
    const Client client = test.connect();
    ASSERT_TRUE(client.send(hold("forever")));
    ASSERT_TRUE(eventually([&] { return test.handler.holds("forever"); }));
  }
  ASSERT_TRUE(eventually([&] { return test.advance(milliseconds(100)), test.handler.open == 0; }));
  test.handler.release("forever");  // a reply to nobody is ignored
  test.advance(milliseconds(0));
}

TEST(Server, CloseLetsEarlierRepliesLeave) {
  TestServer test;
  const Client client = test.connect();
  ASSERT_TRUE(client.send(joined({hold("earlier"), echo("next"), close_now(), echo("too late")})));
  ASSERT_TRUE(eventually([&] { return test.handler.requests == 3; }));
  test.handler.release("earlier");
  EXPECT_EQ(client.receive(), "earlier");
  EXPECT_EQ(client.receive(), "next");
  EXPECT_EQ(client.receive(), "<closed>");
  EXPECT_TRUE(test.logged("the test said so"));
  EXPECT_EQ(test.handler.requests, 3);
}

TEST(Server, AnExceptionCostsOneConnection) {
  TestServer test;
  const Client other = test.connect();
  const Client client = test.connect();
  EXPECT_EQ(client.ask(throw_now()), "<closed>");
  EXPECT_TRUE(test.logged("an exception ended it: the test said so"));
  EXPECT_EQ(other.ask(echo("still here")), "still here");
}

void check_file_reply(const Client& client, std::uint64_t position, std::uint64_t length) {
  ASSERT_TRUE(client.send(send_file(position, length)));
  std::array<std::uint8_t, 6> head{};
  ASSERT_TRUE(client.receive_exactly(head));
  ASSERT_EQ(load_be<std::int32_t>(head.data()), static_cast<std::int32_t>(length + 4));
  std::string part(1u << 20, '\0');
  for (std::uint64_t done = 0; done < length;) {
    part.resize(static_cast<std::size_t>(std::min<std::uint64_t>(1u << 20, length - done)));
    ASSERT_TRUE(client.receive_exactly({reinterpret_cast<std::uint8_t*>(part.data()), part.size()}));
    ASSERT_TRUE(is_pattern(part, position + done)) << "at " << done;
    done += part.size();
  }
  std::array<std::uint8_t, 2> tail{};
  ASSERT_TRUE(client.receive_exactly(tail));
  ASSERT_EQ(tail[1], '>');
}

TEST(Server, SlicesOfFilesOfAllSizes) {
  TestServer test;
  const auto file = std::make_shared<PatternFile>(1u << 20);
  test.handler.file = file;
  const Client client = test.connect();
  for (const bool handle : {true, false}) {
    file->shows_handle = handle;
    for (const std::uint64_t length : {0u, 1u, 8191u, 8192u, 8193u, 65536u, 300'000u, 1u << 20}) {
      check_file_reply(client, (1u << 20) - length, length);
      if (HasFatalFailure()) FAIL() << length;
    }
  }
}

TEST(Server, AHundredMegabytesLeaveBySendfile) {
  constexpr std::uint64_t kSize = 100'000'000;
  TestServer test;
  test.handler.file = std::make_shared<PatternFile>(kSize);
  const Client client = test.connect();
  check_file_reply(client, 0, kSize);
  EXPECT_EQ(test.server->stats().bytes_sent_by_file, kSize);
  EXPECT_EQ(client.ask(echo("after")), "after");
}

TEST(Server, AFileThatEndsEarlyEndsTheConnectionNotTheStream) {
  TestServer test;
  test.handler.file = std::make_shared<PatternFile>(20'000);
  for (const std::uint64_t length : {30'000u, 4'000u}) {
    const Client client = test.connect();
    ASSERT_TRUE(client.send(send_file(19'000, length)));
    EXPECT_EQ(client.receive(), "<closed>");
    EXPECT_TRUE(test.logged("a reply's file ends early"));
  }
}

TEST(Server, RandomTrafficFromManyClientsComesBackAsSent) {
  Options options;
  options.pipelined_requests = 7;
  options.queued_reply_bytes = 10'000;
  options.queued_max_request_bytes = 50'000;
  TestServer test(options);
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    threads.emplace_back([&, seed] {
      TestRandom random(seed);
      const Client client = test.connect();
      std::vector<std::string> texts;
      Bytes stream;
      for (int i = 0; i < 300; ++i) {
        const std::uint64_t most = i % 50 == 0 ? 200'000 : 2'000;
        texts.push_back(std::to_string(i) + std::string(random.below(most), 'z'));
        const Bytes one = frame(echo(texts.back()));
        stream.insert(stream.end(), one.begin(), one.end());
      }
      std::thread sender([&] {
        for (ByteView left = stream; !left.empty();) {
          const std::size_t step = std::min<std::size_t>(left.size(), 1 + random.below(20'000));
          if (!client.send(left.first(step))) return;
          left = left.subspan(step);
        }
      });
      for (const std::string& text : texts) EXPECT_TRUE(client.receive() == text) << text.substr(0, 9);
      sender.join();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(eventually([&] { return test.server->stats().receive_bytes_held == 0; }));
}

}  // namespace
}  // namespace moldau::net::testing
