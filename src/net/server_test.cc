// The server on real sockets of this machine: what a client sends, and what comes back.
#include "net/server.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "net/testing.h"

namespace moldau::net::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

bool is_pattern(std::string_view bytes, std::uint64_t position) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (static_cast<std::uint8_t>(bytes[i]) != PatternFile::pattern(position + i)) return false;
  }
  return true;
}

Bytes joined(const std::vector<std::string>& payloads) {
  Bytes all;
  for (const std::string& payload : payloads) {
    const Bytes one = frame(payload);
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

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

TEST(Server, AClientThatNeverReadsIsNotReadEither) {
  Options options;
  options.queued_reply_bytes = 1u << 20;
  TestServer test(options);
  const Client client = test.connect();
  constexpr int kRequests = 200;
  constexpr std::uint32_t kSize = 256u << 10;
  ASSERT_TRUE(client.send(joined(std::vector<std::string>(kRequests, produce_bytes(kSize)))));
  ASSERT_TRUE(eventually([&] { return test.server->stats().read_pauses > 0; }));
  // What fits the bound and the two sockets' buffers, and not 50 MB.
  EXPECT_LT(test.handler.requests, 100);
  const Client other = test.connect();
  EXPECT_EQ(other.ask(echo("served meanwhile")), "served meanwhile");
  for (int i = 0; i < kRequests; ++i) ASSERT_TRUE(is_pattern(client.receive(), 0)) << i;
  EXPECT_EQ(client.ask(echo("done")), "done");
}

TEST(Server, TooManyUnansweredRequestsWaitInTheSocket) {
  Options options;
  options.pipelined_requests = 10;
  TestServer test(options);
  const Client client = test.connect();
  std::vector<std::string> requests{hold("first")};
  for (int i = 1; i < 50; ++i) requests.push_back(echo(std::to_string(i)));
  ASSERT_TRUE(client.send(joined(requests)));
  ASSERT_TRUE(eventually([&] { return test.server->stats().read_pauses > 0; }));
  EXPECT_EQ(test.handler.requests, 10);
  EXPECT_EQ(test.server->stats().requests_in_flight, 10u);
  test.handler.release("first");
  EXPECT_EQ(client.receive(), "first");
  for (int i = 1; i < 50; ++i) EXPECT_EQ(client.receive(), std::to_string(i));
  EXPECT_TRUE(eventually([&] { return test.server->stats().requests_in_flight == 0; }));
}

TEST(Server, ASlowReaderGetsEverything) {
  TestServer test;
  const Client client = test.connect();
  constexpr std::uint32_t kSize = 3'000'000;
  ASSERT_TRUE(client.send(joined({produce_bytes(kSize), echo("end")})));
  std::string all;
  std::array<std::uint8_t, 777> some{};
  while (all.size() < 4 + kSize + 4 + 3) {
    const std::size_t got = client.receive_some(some);
    ASSERT_GT(got, 0u);
    all.append(as_text({some.data(), got}));
  }
  EXPECT_TRUE(is_pattern(std::string_view(all).substr(4, kSize), 0));
  EXPECT_EQ(all.substr(all.size() - 3), "end");
}

TEST(Server, TheBudgetOfRequestBytesHoldsNewRequestsBackUntilThereIsRoom) {
  Options options;
  options.queued_max_request_bytes = 1000;
  TestServer test(options);
  const Client first = test.connect(), second = test.connect(), third = test.connect();
  ASSERT_TRUE(first.send(keep("first" + std::string(900, ' '))));
  ASSERT_TRUE(eventually([&] { return test.handler.requests == 1; }));
  ASSERT_TRUE(
      second.send(keep("second" + std::string(5000, ' '))));  // larger than what is left: let in, as the last
  ASSERT_TRUE(eventually([&] { return test.handler.requests == 2; }));
  EXPECT_EQ(test.server->stats().receive_bytes_held, 4u + 906 + 4 + 5007);
  ASSERT_TRUE(third.send(echo("waits")));
  ASSERT_TRUE(eventually([&] { return test.server->stats().read_pauses > 0; }));
  EXPECT_EQ(test.handler.requests, 2);
  test.handler.release("second" + std::string(10, ' '));
  EXPECT_EQ(third.receive(), "waits");
  test.handler.release("first" + std::string(11, ' '));
  EXPECT_TRUE(eventually([&] { return test.server->stats().receive_bytes_held == 0; }));
}

TEST(Server, TheBudgetDoesNotStopAFrameThatHasBegun) {
  Options options;
  options.queued_max_request_bytes = 1000;
  TestServer test(options);
  const std::string text(100'000, 'y');
  std::vector<Client> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(test.connect());
  for (const Client& client : clients) ASSERT_TRUE(client.send(ByteView(frame(echo(text))).first(50'000)));
  // Which of them was let in is not known: all go on.
  std::vector<std::thread> senders;
  for (const Client& client : clients) {
    senders.emplace_back([&] { EXPECT_TRUE(client.send(ByteView(frame(echo(text))).subspan(50'000))); });
  }
  for (const Client& client : clients) EXPECT_TRUE(client.receive() == text);
  for (auto& sender : senders) sender.join();
}

TEST(Server, ConnectionsOfOneAddressAreLimited) {
  Options options;
  options.max_connections_per_ip = 3;
  options.max_connections_per_ip_overrides = {{"127.0.0.2", 1}};
  TestServer test(options);
  std::vector<Client> three;
  for (int i = 0; i < 3; ++i) {
    three.push_back(test.connect());
    ASSERT_EQ(three.back().ask(echo("hi")), "hi");
  }
  EXPECT_EQ(test.connect().ask(echo("hi")), "<closed>");
  EXPECT_TRUE(test.logged("Refused a connection from /127.0.0.1"));
  const Client other(test.port(), "127.0.0.2");
  EXPECT_EQ(other.ask(echo("hi")), "hi");
  EXPECT_EQ(Client(test.port(), "127.0.0.2").ask(echo("hi")), "<closed>");
  EXPECT_EQ(test.server->stats().connections_refused, 2u);
  three.pop_back();
  ASSERT_TRUE(eventually([&] { return test.handler.open == 3; }));
  EXPECT_EQ(test.connect().ask(echo("room again")), "room again");
}

TEST(Server, AFullServerLeavesNewcomersInTheQueueUntilSomebodyGoes) {
  Options options;
  options.max_connections = 2;
  TestServer test(options, {{"PLAINTEXT", "127.0.0.1"}, {"INTERNAL", "127.0.0.1", 0, true}});
  auto first = std::make_unique<Client>(test.connect());
  const Client second = test.connect();
  ASSERT_EQ(first->ask(echo("1")), "1");
  ASSERT_EQ(second.ask(echo("2")), "2");
  const Client third = test.connect();
  ASSERT_TRUE(third.connected());
  ASSERT_TRUE(third.send(echo("3")));
  EXPECT_EQ(Client(test.port(1)).ask(echo("exempt")), "exempt");
  EXPECT_EQ(test.handler.requests, 3) << "the third is not accepted";
  first.reset();
  EXPECT_EQ(third.receive(), "3");
}

TEST(Server, IdleConnectionsAreClosed) {
  Options options;
  options.connections_max_idle_ms = 60'000;
  TestServer test(options);
  const Client idle = test.connect(), busy = test.connect(), waiting = test.connect(),
               partial = test.connect();
  ASSERT_EQ(idle.ask(echo("1")), "1");
  ASSERT_EQ(busy.ask(echo("1")), "1");
  ASSERT_TRUE(waiting.send(hold("long")));
  ASSERT_TRUE(partial.send(ByteView(frame(echo("abc"))).first(5)));
  ASSERT_TRUE(eventually([&] { return test.server->stats().bytes_in == 6 + 6 + 9 + 5; }));
  test.advance(seconds(40));
  ASSERT_EQ(busy.ask(echo("2")), "2");
  test.advance(seconds(21));
  EXPECT_EQ(idle.receive(), "<closed>");
  EXPECT_EQ(partial.receive(), "<closed>") << "a frame that does not go on is idle too";
  EXPECT_EQ(test.server->stats().idle_closed, 2u);
  EXPECT_EQ(busy.ask(echo("3")), "3");
  test.advance(seconds(200));
  test.handler.release("long");
  EXPECT_EQ(waiting.receive(), "long") << "a request under way is not idleness";
  EXPECT_EQ(busy.receive(), "<closed>");
}

TEST(Server, TwoThousandConnectionsAndBothLoopsServe) {
  Options options;
  options.socket_listen_backlog_size = 2000;
  TestServer test(options);
  std::vector<Client> clients;
  for (int i = 0; i < 2000; ++i) {
    clients.push_back(test.connect());
    ASSERT_TRUE(clients.back().connected());
  }
  for (int round = 0; round < 3; ++round) {
    for (const Client& client : clients) ASSERT_TRUE(client.send(echo(std::to_string(client.fd()))));
    for (const Client& client : clients) ASSERT_EQ(client.receive(), std::to_string(client.fd()));
  }
  EXPECT_EQ(test.server->stats().connections, 2000u);
  for (std::size_t loop = 0; loop < 2; ++loop) {
    EXPECT_NEAR(static_cast<double>(test.server->stats_of_loop(loop).connections), 1000, 1);
  }
  clients.clear();
  EXPECT_TRUE(eventually([&] { return test.handler.open == 0; }));
}

TEST(Server, StopFinishesWhatIsInFlightAndTakesNothingNew) {
  Options options;
  options.loops = 1;  // so that the end of the idle one tells that the other is read no more
  TestServer test(options);
  const Client client = test.connect(), idle = test.connect();
  ASSERT_EQ(idle.ask(echo("hi")), "hi");
  ASSERT_TRUE(client.send(joined({hold("in flight"), echo("behind it")})));
  ASSERT_TRUE(eventually([&] { return test.handler.requests == 3; }));
  std::thread stopper([&] { test.server->stop(seconds(30)); });
  EXPECT_EQ(idle.receive(), "<closed>");
  ASSERT_TRUE(client.send(echo("too late")));
  for (int i = 0; i < 300; ++i) test.advance(milliseconds(0));  // time enough for a stop that does not wait
  test.handler.release("in flight");
  EXPECT_EQ(client.receive(), "in flight");
  EXPECT_EQ(client.receive(), "behind it");
  EXPECT_EQ(client.receive(), "<closed>");
  stopper.join();
  EXPECT_EQ(test.handler.requests, 3);
  EXPECT_EQ(test.handler.open, 0);
  EXPECT_FALSE(test.connect().connected());
}

// Lowers the limit of open files so that only `left` more can be opened; puts it back at the end.
class FewDescriptors {
 public:
  explicit FewDescriptors(int left) {
    getrlimit(RLIMIT_NOFILE, &before_);
    std::vector<int> taken;
    for (int i = 0; i < left; ++i) taken.push_back(dup(0));
    rlimit few = before_;
    few.rlim_cur = static_cast<rlim_t>(std::ranges::max(taken)) + 1;
    setrlimit(RLIMIT_NOFILE, &few);
    for (const int fd : taken) ::close(fd);
  }
  ~FewDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST(Server, RunningOutOfDescriptorsPausesAcceptingAndIsSaidOnce) {
  TestServer test;
  // The first time it is over before accepting is tried again; the second time it goes on for a while. (In
  // this order, because a sanitizer needs descriptors when it meets the acceptor's timer for the first time.)
  for (int round = 1; round <= 2; ++round) {
    std::vector<Client> clients;
    for (int i = 0; i < 6; ++i) clients.emplace_back(Client::Unconnected{});
    {
      const FewDescriptors few(3);
      for (Client& client : clients) ASSERT_TRUE(client.connect(test.port()));
      ASSERT_TRUE(eventually([&] { return test.count_logged("Too many open files") >= std::size_t(round); }));
      const std::uint64_t turns = test.server->stats().turns;
      EXPECT_EQ(clients.front().ask(echo("served meanwhile")), "served meanwhile");
      EXPECT_EQ(clients.front().receive_within(milliseconds(50)), "<nothing>");
      EXPECT_LT(test.server->stats().turns - turns, 20u) << "the listener spins";
      for (int i = 1; i < round * 2; ++i) test.advance(milliseconds(round == 1 ? 0 : 150));
      EXPECT_EQ(test.server->stats().connections, 3u);
    }
    test.advance(milliseconds(150));
    for (const Client& client : clients) EXPECT_EQ(client.ask(echo("here")), "here");
    EXPECT_EQ(test.count_logged("Cannot accept connections on listener PLAINTEXT"), std::size_t(round));
    EXPECT_EQ(test.count_logged("Accepting connections on listener PLAINTEXT again"), std::size_t(round));
    clients.clear();
    ASSERT_TRUE(eventually([&] { return test.server->stats().connections == 0; }));
  }
}

TEST(Server, StopTellsOfEachConnectionSoThatWhatWaitsCanBeAnswered) {
  TestServer test;
  const Client client = test.connect(), other = test.connect();
  ASSERT_TRUE(client.send(hold("long poll")));
  ASSERT_EQ(other.ask(echo("hi")), "hi");
  ASSERT_TRUE(eventually([&] { return test.handler.holds("long poll"); }));
  std::atomic<int> told = 0;
  test.server->stop(std::chrono::hours(1), [&](env::Connection&) {
    if (told++ == 0) test.handler.release("long poll");
  });
  EXPECT_EQ(told, 2);
  EXPECT_EQ(client.receive(), "long poll");
  EXPECT_EQ(client.receive(), "<closed>");
}

TEST(Server, StopDoesNotWaitBeyondItsGrace) {
  TestServer test;
  const Client client = test.connect();
  ASSERT_TRUE(client.send(hold("never answered")));
  ASSERT_TRUE(eventually([&] { return test.handler.requests == 1; }));
  test.server->stop(milliseconds(10));
  EXPECT_EQ(client.receive(), "<closed>");
  EXPECT_TRUE(test.logged("the server stops"));
}

// Every client sees whole replies in order, then the end.
TEST(Server, StopDuringTraffic) {
  for (int round = 0; round < 5; ++round) {
    TestServer test;
    std::atomic<int> replies = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 6; ++t) {
      threads.emplace_back([&] {
        const Client client = test.connect();
        for (int i = 0;; ++i) {
          const std::string text = std::to_string(i) + std::string(static_cast<std::size_t>(i % 5000), '.');
          if (!client.send(joined({echo(text), echo(text)}))) return;
          for (int k = 0; k < 2; ++k) {
            const std::string reply = client.receive();
            if (reply == "<closed>") return;
            ASSERT_TRUE(reply == text);
            ++replies;
          }
        }
      });
    }
    ASSERT_TRUE(eventually([&] { return replies > 2000; }));
    test.server->stop(seconds(10));
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(test.handler.opened_ever, test.handler.closed_ever);
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
