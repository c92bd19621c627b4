// The server at its bounds: connections, memory, time, descriptors, and how it stops. On real sockets.
#include <algorithm>
#include <chrono>
#include <gtest/gtest.h>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <tuple>
#include <unistd.h>
#include <vector>

#include "net/server.h"
#include "net/testing.h"

namespace moldau::net::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ServerBounds, AClientThatNeverReadsIsNotReadEither) {
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

TEST(ServerBounds, TooManyUnansweredRequestsWaitInTheSocket) {
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

TEST(ServerBounds, ASlowReaderGetsEverything) {
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

TEST(ServerBounds, TheBudgetOfRequestBytesHoldsNewRequestsBackUntilThereIsRoom) {
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

TEST(ServerBounds, TheBudgetDoesNotStopAFrameThatHasBegun) {
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

TEST(ServerBounds, ConnectionsOfOneAddressAreLimited) {
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

TEST(ServerBounds, AFullServerLeavesNewcomersInTheQueueUntilSomebodyGoes) {
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
  EXPECT_EQ(first->ask(echo("4")), "4");
  EXPECT_EQ(test.handler.requests, 3) << "the third is not accepted";
  first.reset();
  EXPECT_EQ(third.receive(), "3");
}

TEST(ServerBounds, AListenerHasABoundOfItsOwn) {
  Options options;
  options.listener_limits["SMALL"].max_connections = 1;
  TestServer test(options, {{"SMALL", "127.0.0.1"}, {"LARGE", "127.0.0.1"}});
  auto first = std::make_unique<Client>(test.connect());
  ASSERT_EQ(first->ask(echo("1")), "1");
  const Client second = test.connect();
  ASSERT_TRUE(second.send(echo("2")));
  const Client elsewhere(test.port(1));
  EXPECT_EQ(elsewhere.ask(echo("elsewhere")), "elsewhere");
  EXPECT_EQ(test.handler.requests, 2) << "the second is not accepted";
  first.reset();
  EXPECT_EQ(second.receive(), "2");
}

TEST(ServerBounds, LimitsChangeWhileItServes) {
  Options options;
  options.max_connections = 1;
  TestServer test(options);
  const Client first = test.connect();
  ASSERT_EQ(first.ask(echo("1")), "1");
  const Client second = test.connect();
  ASSERT_TRUE(second.send(echo("2")));
  EXPECT_EQ(first.ask(echo("still alone")), "still alone");
  ASSERT_EQ(test.handler.requests, 2);

  options.max_connections = 10;
  options.max_connections_per_ip = 2;
  ASSERT_TRUE(test.server->change_limits(options));
  EXPECT_EQ(second.receive(), "2") << "it waited in the queue";
  EXPECT_EQ(test.connect().ask(echo("3")), "<closed>");

  options.max_connections_per_ip_overrides = {{"127.0.0.1", 3}};
  ASSERT_TRUE(test.server->change_limits(options));
  const Client third = test.connect();
  EXPECT_EQ(third.ask(echo("3")), "3");

  options.max_connections_per_ip_overrides = {{"no host has two  spaces", 1}};
  EXPECT_FALSE(test.server->change_limits(options));
  EXPECT_EQ(test.connect().ask(echo("4")), "<closed>") << "the limits before hold";

  options.max_connections_per_ip_overrides.clear();
  options.max_connections_per_ip = 1;
  ASSERT_TRUE(test.server->change_limits(options));
  EXPECT_EQ(first.ask(echo("stays")), "stays") << "who is there stays";
}

TEST(ServerBounds, ASmallerMaxConnectionsClosesThoseThatHaveBeenIdleForLongest) {
  Options options;
  options.loops = 1;
  TestServer test(options, {{"PLAINTEXT", "127.0.0.1"}, {"INTERNAL", "127.0.0.1", 0, true}});
  const Client broker(test.port(1));
  ASSERT_EQ(broker.ask(echo("0")), "0");
  std::vector<Client> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(test.connect());
  ASSERT_TRUE(clients[0].send(hold("served")));
  ASSERT_TRUE(eventually([&] { return test.handler.holds("served"); }));
  for (const int i : {1, 2, 4, 3}) {
    test.advance(seconds(1));
    ASSERT_EQ(clients[static_cast<std::size_t>(i)].ask(echo("hi")), "hi");
  }
  options.max_connections = 4;  // the broker's counts, but is not closed
  ASSERT_TRUE(test.server->change_limits(options));
  EXPECT_EQ(clients[1].receive(), "<closed>");
  EXPECT_EQ(clients[2].receive(), "<closed>");
  EXPECT_EQ(clients[3].ask(echo("stays")), "stays");
  EXPECT_EQ(test.server->stats().excess_closed, 2u);
  EXPECT_TRUE(test.logged("more connections than max.connections"));

  options.max_connections = 1;
  ASSERT_TRUE(test.server->change_limits(options));
  for (const std::size_t i : {0u, 3u, 4u})
    EXPECT_EQ(clients[i].receive(), "<closed>") << "also who is served";
  EXPECT_EQ(broker.ask(echo("stays")), "stays");
  test.handler.release("served");
}

TEST(ServerBounds, ABrokerThatComesInTakesTheRoomOfAClient) {
  Options options;
  options.max_connections = 4;
  TestServer test(options, {{"PLAINTEXT", "127.0.0.1"}, {"INTERNAL", "127.0.0.1", 0, true}});
  std::vector<Client> clients, brokers;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(test.connect());
    ASSERT_EQ(clients.back().ask(echo("hi")), "hi");
  }
  for (int i = 0; i < 6; ++i) {
    brokers.emplace_back(test.port(1));
    ASSERT_EQ(brokers.back().ask(echo("hi")), "hi");
  }
  for (const Client& client : clients) EXPECT_EQ(client.receive(), "<closed>");
  for (const Client& broker : brokers) EXPECT_EQ(broker.ask(echo("stays")), "stays");
  EXPECT_EQ(test.server->stats().excess_closed, 4u);
}

TEST(ServerBounds, ASmallerLimitOfAListenerOrAnAddressClosesNobody) {
  Options options;
  TestServer test(options);
  const Client first = test.connect(), second = test.connect();
  ASSERT_EQ(first.ask(echo("1")), "1");
  ASSERT_EQ(second.ask(echo("2")), "2");
  options.listener_limits["PLAINTEXT"].max_connections = 1;
  options.max_connections_per_ip = 1;
  ASSERT_TRUE(test.server->change_limits(options));
  test.advance(seconds(1));
  EXPECT_EQ(first.ask(echo("stays")), "stays");
  EXPECT_EQ(second.ask(echo("stays")), "stays");
}

TEST(ServerBounds, TheWindowOfTheRateIsAsLongAsItIsSet) {
  for (const auto& [samples, size, at_once] :
       {std::tuple{3, 2, 9}, std::tuple{5, 1, 9}, std::tuple{1, 1, 1}}) {
    Options options;
    options.max_connection_creation_rate = 2;
    options.quota_window_num = samples;
    options.quota_window_size_seconds = size;
    TestServer test(options);
    std::vector<Client> clients;
    for (int i = 0; i < 12; ++i) clients.push_back(test.connect());
    ASSERT_TRUE(eventually([&] { return test.handler.opened_ever >= at_once; }));
    ASSERT_EQ(clients.front().ask(echo("hi")), "hi");
    EXPECT_EQ(test.handler.opened_ever, at_once) << samples << " samples of " << size << " s";
    test.advance(milliseconds(505));
    EXPECT_TRUE(eventually([&] { return test.handler.opened_ever == at_once + 1; }));
  }
}

TEST(ServerBounds, NewConnectionsComeAtTheirRate) {
  Options options;
  options.max_connection_creation_rate = 2;
  TestServer test(options, {{"PLAINTEXT", "127.0.0.1"}, {"INTERNAL", "127.0.0.1", 0, true}});
  std::vector<Client> clients;
  for (int i = 0; i < 25; ++i) clients.push_back(test.connect());
  ASSERT_TRUE(eventually([&] { return test.handler.opened_ever >= 21; }));
  for (const Client& client : clients) ASSERT_TRUE(client.send(echo("hi")));
  EXPECT_EQ(Client(test.port(1)).ask(echo("exempt")), "exempt");
  EXPECT_EQ(clients.front().ask(echo("hi")), "hi") << "those within are served";
  EXPECT_EQ(test.handler.opened_ever, 21 + 1) << "ten seconds' worth, and the one that went over";
  for (int more = 1; more <= 4; ++more) {
    test.advance(milliseconds(450));
    EXPECT_EQ(test.handler.opened_ever, 21 + more);
    test.advance(milliseconds(55));  // a timer may be some ms late
    ASSERT_TRUE(eventually([&] { return test.handler.opened_ever == 22 + more; })) << more;
  }
  EXPECT_EQ(clients.back().receive(), "hi");
}

TEST(ServerBounds, ARateIsLiftedAtOnce) {
  Options options;
  options.listener_limits["PLAINTEXT"].max_connection_creation_rate = 1;
  TestServer test(options);
  std::vector<Client> clients;
  for (int i = 0; i < 15; ++i) clients.push_back(test.connect());
  ASSERT_TRUE(eventually([&] { return test.handler.opened_ever == 11; }));
  ASSERT_EQ(clients.front().ask(echo("hi")), "hi");
  EXPECT_EQ(test.handler.opened_ever, 11);
  options.listener_limits["PLAINTEXT"].max_connection_creation_rate = INT32_MAX;
  ASSERT_TRUE(test.server->change_limits(options));
  EXPECT_EQ(clients.back().ask(echo("hi")), "hi");
}

TEST(ServerBounds, IdleConnectionsAreClosed) {
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

TEST(ServerBounds, TwoThousandConnectionsAndBothLoopsServe) {
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

TEST(ServerBounds, StopFinishesWhatIsInFlightAndTakesNothingNew) {
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

TEST(ServerBounds, RunningOutOfDescriptorsPausesAcceptingAndIsSaidOnce) {
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

TEST(ServerBounds, StopTellsOfEachConnectionSoThatWhatWaitsCanBeAnswered) {
  TestServer test;
  const Client client = test.connect(), other = test.connect();
  ASSERT_TRUE(client.send(hold("long poll")));
  ASSERT_EQ(other.ask(echo("hi")), "hi");
  ASSERT_TRUE(eventually([&] { return test.handler.holds("long poll"); }));
  std::atomic<int> told = 0;
  test.server->stop(seconds(30), [&](env::Connection&) {
    if (told++ == 0) test.handler.release("long poll");
  });
  EXPECT_EQ(told, 2);
  EXPECT_EQ(client.receive(), "long poll");
  EXPECT_EQ(client.receive(), "<closed>");
}

TEST(ServerBounds, StopDoesNotWaitBeyondItsGrace) {
  TestServer test;
  const Client client = test.connect();
  ASSERT_TRUE(client.send(hold("never answered")));
  ASSERT_TRUE(eventually([&] { return test.handler.requests == 1; }));
  test.server->stop(milliseconds(10));
  EXPECT_EQ(client.receive(), "<closed>");
  EXPECT_TRUE(test.logged("the server stops"));
}

// Every client sees whole replies in order, then the end.
TEST(ServerBounds, StopDuringTraffic) {
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

}  // namespace
}  // namespace moldau::net::testing
