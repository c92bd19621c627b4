// The driver against a broker of a few lines that misbehaves on purpose: what goes wrong must show in the
// result.
#include "loadgen/drive.h"

#include <arpa/inet.h>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "loadgen/clock.h"
#include "loadgen/replies.h"

namespace moldau::bench {
namespace {

using testing::HasSubstr;

constexpr int kErrorByte = 8;  // in a reply frame: size, correlation id, then our one byte of outcome

// The broker's end of a connection.
struct Peer {
  int fd;
  bool hang_up = false;  // after what is sent now

  void send(const Bytes& bytes) const { ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  bool asks_more_within(int ms) const {
    pollfd wait{fd, POLLIN, 0};
    return poll(&wait, 1, ms) > 0;
  }
};

// Serves one connection, hands every request's correlation id to `serve`, and ends with the connection.
class FakeBroker {
 public:
  using Serve = std::function<void(std::int32_t correlation_id, Peer& peer)>;

  explicit FakeBroker(Serve serve) : listener_(socket(AF_INET, SOCK_STREAM, 0)), serve_(std::move(serve)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    EXPECT_EQ(listen(listener_, 1), 0);
    socklen_t size = sizeof at;
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size), 0);
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] { run({accept(listener_, nullptr, nullptr)}); });
  }
  ~FakeBroker() {
    thread_.join();
    close(listener_);
  }

  int port() const { return port_; }

 private:
  void run(Peer peer) {
    for (Bytes head(12); !peer.hang_up && recv(peer.fd, head.data(), head.size(), MSG_WAITALL) == 12;) {
      Bytes rest(static_cast<std::size_t>(load_be<std::int32_t>(head.data()) - 8));
      recv(peer.fd, rest.data(), rest.size(), MSG_WAITALL);
      serve_(load_be<std::int32_t>(&head[8]), peer);
    }
    close(peer.fd);
  }

  int listener_;
  int port_ = 0;
  Serve serve_;
  std::thread thread_;
};

Bytes reply(std::int32_t correlation_id, std::uint8_t outcome = 0) {
  Bytes out(9);
  store_be(&out[0], std::int32_t{5});
  store_be(&out[4], correlation_id);
  out[kErrorByte] = outcome;
  return out;
}

Load one_frame(std::int32_t correlation_id = 7) {
  Load load;
  load.frames.push_back({.text = api_versions_frame(correlation_id),
                         .cuts = {},
                         .batch = {},
                         .correlation_id = correlation_id});
  load.records_per_frame = 3;
  load.bytes_per_frame = 100;
  load.error_of = [](ByteView bytes, const Frame&) -> std::int16_t { return bytes[kErrorByte - 4]; };
  return load;
}

Options options_for(const FakeBroker& broker, std::int64_t requests) {
  Options options;
  options.address.port = broker.port();
  options.requests = requests;
  return options;
}

double figure(const Report& report, const std::string& name) {
  const std::string json = report.json();
  const std::size_t at = json.find("\"" + name + "\": ");
  EXPECT_NE(at, std::string::npos) << name << " in " << json;
  return std::stod(json.substr(at + name.size() + 4));
}

TEST(Drive, counts_exactly_what_was_asked_for) {
  FakeBroker broker([](std::int32_t id, Peer& peer) { peer.send(reply(id)); });
  Options options = options_for(broker, 1000);
  options.depth = 16;
  const auto report = drive(options, one_frame());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(figure(*report, "requests"), 1000);
  EXPECT_EQ(figure(*report, "records"), 3000);
  EXPECT_EQ(figure(*report, "bytes"), 100'000);
}

// The broker holds back every answer until 200 requests have come. At 2,000 a second that takes 100 ms, in
// which a generator that waits for replies would have sent, and counted, only one.
TEST(Drive, an_open_loop_charges_a_stall_to_every_request_that_was_due) {
  int seen = 0;
  FakeBroker broker([&](std::int32_t id, Peer& peer) {
    if (++seen == 200)
      for (int i = 0; i < 200; ++i) peer.send(reply(id));
  });
  Options options = options_for(broker, 200);
  options.rate = 2000;
  const auto report = drive(options, one_frame());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(figure(*report, "requests"), 200);
  EXPECT_GE(figure(*report, "latency_max_us"), 99'000);
  EXPECT_GE(figure(*report, "latency_p50_us"), 49'000);
}

// The generator itself is held up for 50 ms at the first reply; what was due meanwhile is late all the same.
TEST(Drive, an_open_loop_charges_the_generators_own_stalls) {
  FakeBroker broker([](std::int32_t id, Peer& peer) { peer.send(reply(id)); });
  Load load = one_frame();
  bool first = true;
  load.error_of = [&](ByteView, const Frame&) -> std::int16_t {
    const std::int64_t until = now_ns() + kSecond / 20;
    while (first && now_ns() < until) continue;
    return first = false, 0;
  };
  Options options = options_for(broker, 500);
  options.rate = 1000;
  const auto report = drive(options, load);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_GE(figure(*report, "send_lag_max_us"), 45'000);
  EXPECT_GE(figure(*report, "latency_mean_us"), figure(*report, "send_lag_mean_us"));
}

TEST(Drive, bursts_wait_for_all_replies) {
  int waiting = 0;
  bool early = false;
  FakeBroker broker([&](std::int32_t id, Peer& peer) {
    if (++waiting < 8) return;
    for (; waiting > 1; --waiting) peer.send(reply(id));
    early = early || peer.asks_more_within(20);
    for (; waiting > 0; --waiting) peer.send(reply(id));
  });
  Options options = options_for(broker, 64);
  options.depth = 8;
  options.burst = true;
  const auto report = drive(options, one_frame());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(figure(*report, "requests"), 64);
  EXPECT_FALSE(early);
}

TEST(Drive, an_error_code_fails_the_run) {
  int seen = 0;
  FakeBroker broker([&](std::int32_t id, Peer& peer) { peer.send(reply(id, ++seen == 5 ? 6 : 0)); });
  const auto report = drive(options_for(broker, 10), one_frame());
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message, HasSubstr("error code 6"));
}

TEST(Drive, the_reply_to_another_request_fails_the_run) {
  FakeBroker broker([](std::int32_t id, Peer& peer) { peer.send(reply(id + 1)); });
  const auto report = drive(options_for(broker, 10), one_frame());
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message, HasSubstr("expected the reply to 7, found that to 8"));
}

TEST(Drive, a_hang_up_fails_the_run) {
  int seen = 0;
  FakeBroker broker([&](std::int32_t id, Peer& peer) {
    peer.hang_up = ++seen == 3;
    if (!peer.hang_up) peer.send(reply(id));
  });
  const auto report = drive(options_for(broker, 10), one_frame());
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().message, HasSubstr("closed the connection"));
}

TEST(Drive, without_replies_the_end_is_fenced) {
  int seen = 0;
  {
    FakeBroker broker([&](std::int32_t id, Peer& peer) {
      ++seen;
      if (id != 7) peer.send(reply(id));
    });
    Load load = one_frame();
    load.has_replies = false;
    const auto report = drive(options_for(broker, 500), load);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(figure(*report, "requests"), 500);
  }
  EXPECT_EQ(seen, 501);
}

}  // namespace
}  // namespace moldau::bench
