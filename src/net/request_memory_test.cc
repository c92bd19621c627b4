// How much memory requests take, and who gets it when there is not enough. On real sockets.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "net/server.h"
#include "net/testing.h"

namespace moldau::net::testing {
namespace {

using std::chrono::seconds;

// A sanitizer keeps freed memory for a while, and lets it go when it likes.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NEEDS_TRUE_MEMORY() GTEST_SKIP() << "skipped: a sanitizer keeps freed memory"
#else
#define NEEDS_TRUE_MEMORY() static_cast<void>(0)
#endif

// Of this process, in memory.
std::int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

Options with_budget(std::int64_t bytes) {
  Options options;
  options.queued_max_request_bytes = bytes;
  return options;
}

struct RequestMemory : ::testing::Test {
  // Seconds pass one by one, and the loops see each.
  static void pass(TestServer& test, int count) {
    for (int i = 0; i < count; ++i)
      test.advance(std::chrono::milliseconds(1010));  // a timer may be some ms late
  }
  static bool held(TestServer& test, std::uint64_t bytes) {
    return eventually([&] { return test.server->stats().receive_bytes_held == bytes; });
  }
};

TEST_F(RequestMemory, WhatALengthAnnouncesIsNotHeld) {
  NEEDS_TRUE_MEMORY();
  TestServer test(with_budget(1 << 30));
  std::vector<Client> peers;
  for (int i = 0; i < 30; ++i) peers.push_back(test.connect());
  for (const Client& peer : peers) ASSERT_EQ(peer.ask(echo("warm")), "warm");
  const std::int64_t before = resident_bytes();
  Bytes start(1004, 'e');
  store_be<std::int32_t>(start.data(), 90'000'000);
  for (const Client& peer : peers) ASSERT_TRUE(peer.send(ByteView(start)));
  EXPECT_TRUE(held(test, 30u * 1004));
  EXPECT_LT(resident_bytes() - before, 8 << 20);
}

TEST_F(RequestMemory, WhatALargeFrameHeldIsFreeAfterwards) {
  NEEDS_TRUE_MEMORY();
  TestServer test;
  const Client client = test.connect();
  ASSERT_EQ(client.ask(echo("warm")), "warm");
  const std::int64_t before = resident_bytes();
  const Bytes large = frame(hold(std::string(60 << 20, 'x')));
  const std::int64_t with_mine = resident_bytes();
  ASSERT_TRUE(client.send(ByteView(large)));
  ASSERT_TRUE(eventually([&] { return test.handler.requests == 2; }));
  test.handler.release(std::string(16, 'x'));
  EXPECT_EQ(client.receive(), std::string(16, 'x'));
  EXPECT_LT(resident_bytes() - with_mine, 16 << 20);
  EXPECT_GT(with_mine - before, 50 << 20) << "or else this measures nothing";
}

TEST_F(RequestMemory, OneByteAtATimeIsFine) {
  TestServer test(with_budget(1000));
  const Client slow = test.connect(), other = test.connect();
  for (const std::uint8_t byte : frame(echo("slowly"))) {
    ASSERT_TRUE(slow.send(ByteView(&byte, 1)));
    ASSERT_EQ(other.ask(echo("hi")), "hi");
    pass(test, 3);
  }
  EXPECT_EQ(slow.receive(), "slowly");
  EXPECT_EQ(test.count_logged("memory"), 0u);
}

TEST_F(RequestMemory, ZeroIsNoBound) {
  TestServer test(with_budget(0));
  EXPECT_EQ(test.connect().ask(echo("served")), "served");
}

TEST_F(RequestMemory, WhoDoesNotGetOnIsClosedWhenOthersWait) {
  TestServer test(with_budget(100'000));
  const Client stuck = test.connect(), other = test.connect(), third = test.connect();
  const Bytes large = frame(echo(std::string(200'000, 'x')));
  ASSERT_TRUE(stuck.send(ByteView(large).first(120'000)));
  ASSERT_TRUE(held(test, 120'000));
  EXPECT_EQ(test.server->stats().receive_bytes_available, -20'000);
  pass(test, 60);
  EXPECT_EQ(test.server->stats().connections, 3u) << "nobody waits";
  ASSERT_TRUE(other.send(echo("waits")));
  ASSERT_TRUE(
      test.logged("Requests wait for memory: 120000 bytes are held, queued.max.request.bytes is 100000; "
                  "120000 of them by 1 requests that have not come to their end: /127.0.0.1:"));
  pass(test, 5);
  ASSERT_TRUE(third.send(echo("waits, too")));
  pass(test, 4);
  EXPECT_EQ(test.server->stats().connections, 3u);
  EXPECT_EQ(test.handler.requests, 0);
  pass(test, 2);
  EXPECT_EQ(stuck.receive(), "<closed>");
  EXPECT_EQ(other.receive(), "waits");
  EXPECT_EQ(third.receive(), "waits, too");
  EXPECT_TRUE(
      test.logged("its own does not get on: expected 200005 bytes, received 120000, the last 0 of them"));
  EXPECT_EQ(test.count_logged("Requests wait for memory"), 1u) << "once a period";
  const Stats stats = test.server->stats();
  EXPECT_EQ(stats.stalled_closed, 1u);
  EXPECT_EQ(stats.receive_bytes_held, 0u);
  EXPECT_GE(stats.receive_depleted_ms, 10'000u);
  EXPECT_LE(stats.receive_depleted_ms, 12'000u);
}

TEST_F(RequestMemory, WhoGetsOnOrIsHeldBackIsNotClosed) {
  TestServer test(with_budget(100'000));
  const Client steady = test.connect(), held_back = test.connect();
  const Bytes large = frame(echo(std::string(400'000, 'x'))), small = frame(echo(std::string(60'000, 'y')));
  ASSERT_TRUE(held_back.send(ByteView(small).first(20'000)));
  ASSERT_TRUE(held(test, 20'000));
  ASSERT_TRUE(steady.send(ByteView(large).first(90'000)));
  ASSERT_TRUE(held(test, 110'000));
  ASSERT_TRUE(steady.send(ByteView(large).subspan(90'000, 10'000)));
  ASSERT_TRUE(held(test, 120'000)) << "it has the turn";
  ASSERT_TRUE(held_back.send(ByteView(small).subspan(20'000)));
  ASSERT_TRUE(test.logged("120000 of them by 2 requests"));
  std::size_t sent = 100'000;
  for (int i = 0; i < 4; ++i, sent += 70'000) {
    pass(test, 8);
    ASSERT_TRUE(steady.send(ByteView(large).subspan(sent, 70'000)));
    ASSERT_TRUE(held(test, 20'000 + sent + 70'000));
  }
  EXPECT_EQ(test.server->stats().stalled_closed, 0u);
  EXPECT_EQ(test.handler.requests, 0);
  ASSERT_TRUE(steady.send(ByteView(large).subspan(sent)));
  EXPECT_TRUE(steady.receive() == std::string(400'000, 'x'));
  EXPECT_TRUE(held_back.receive() == std::string(60'000, 'y'));
}

TEST_F(RequestMemory, ARequestThatIsServedForLongDoesNotKeepTheTurn) {
  TestServer test(with_budget(100'000));
  const Client served = test.connect(), next = test.connect();
  const std::string name(16, 'k'), text(60'000, 'y');
  const Bytes large = frame(keep(name + std::string(150'000, ' '))), small = frame(echo(text));
  ASSERT_TRUE(next.send(ByteView(small).first(20'000)));
  ASSERT_TRUE(held(test, 20'000));
  ASSERT_TRUE(served.send(ByteView(large).first(100'000)));
  ASSERT_TRUE(held(test, 120'000));
  ASSERT_TRUE(served.send(ByteView(large).subspan(100'000)));
  ASSERT_TRUE(eventually([&] { return test.handler.holds(name); }));
  ASSERT_TRUE(next.send(ByteView(small).subspan(20'000)));
  ASSERT_TRUE(test.logged("Requests wait for memory"));
  pass(test, 8);
  EXPECT_EQ(test.handler.requests, 1);
  pass(test, 4);
  EXPECT_TRUE(next.receive() == text);
  test.handler.release(name);
  EXPECT_EQ(served.receive(), name);
}

TEST_F(RequestMemory, NoMoreIsHeldThanTheBudgetAndOneFrameAndAllComeThrough) {
  constexpr std::int64_t kBudget = 1'000'000, kFrame = 900'000, kOneRead = 512 << 10;
  TestServer test(with_budget(kBudget));
  const std::string text(kFrame, 'z');
  const Bytes large = frame(echo(text));
  std::vector<std::thread> senders;
  std::atomic<int> done = 0;
  for (int i = 0; i < 20; ++i) {
    senders.emplace_back([&] {
      const Client client = test.connect();
      EXPECT_TRUE(client.send(ByteView(large)));
      EXPECT_TRUE(client.receive() == text);
      ++done;
    });
  }
  std::uint64_t most = 0;
  EXPECT_TRUE(eventually([&] {
    most = std::max(most, test.server->stats().receive_bytes_held);
    return done == 20;
  }));
  for (auto& sender : senders) sender.join();
  EXPECT_LE(most, static_cast<std::uint64_t>(kBudget + kFrame + 2 * kOneRead));
  EXPECT_GT(most, 0u);
}

TEST_F(RequestMemory, AHalfFrameBehindAnUnansweredRequestIsIdleToo) {
  Options options;
  options.connections_max_idle_ms = 60'000;
  TestServer test(options);
  const Client client = test.connect();
  ASSERT_TRUE(client.send(hold("long poll")));
  ASSERT_TRUE(client.send(ByteView(frame(echo("abc"))).first(5)));
  ASSERT_TRUE(eventually([&] { return test.server->stats().bytes_in == 4 + 10 + 5; }));
  test.advance(seconds(61));
  EXPECT_EQ(client.receive(), "<closed>");
  test.handler.release("long poll");
}

}  // namespace
}  // namespace moldau::net::testing
