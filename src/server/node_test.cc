// A whole node in this process, real files and sockets, and clients on threads of their own that all write to
// and read from the same partition: what the thread sanitizer should see.
#include "server/node.h"

#include <arpa/inet.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <set>
#include <stdlib.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "config/load.h"
#include "record/builder.h"
#include "record/records.h"
#include "wire/frame.h"
#include "wire/gen/fetch.h"
#include "wire/gen/metadata.h"
#include "wire/gen/produce.h"

namespace moldau::server {
namespace {

// A blocking connection that sends one request and waits for its reply.
class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{.tv_sec = 30, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { ::close(socket_); }

  template <typename Response, typename Request>
  bool ask(std::int16_t version, const Request& request, Response& response) {
    if (!connected_) return false;
    wire::Writer writer;
    if (!wire::append_request(
            writer, {.api_key = Request::kKey, .api_version = version, .correlation_id = ++correlation_},
            request))
      return false;
    const ByteView frame = writer.view();
    if (::send(socket_, frame.data(), frame.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(frame.size()))
      return false;
    std::uint8_t size[4];
    if (!receive(size)) return false;
    reply_.resize(load_be<std::uint32_t>(size));
    if (!receive(reply_)) return false;
    wire::Reader reader(reply_);
    return wire::decode_response_header(reader, Request::kKey, version) == correlation_ &&
           decode(reader, version, response);
  }

 private:
  bool receive(MutableBytes into) {
    while (!into.empty()) {
      const ssize_t got = ::recv(socket_, into.data(), into.size(), 0);
      if (got <= 0) return false;
      into = into.subspan(static_cast<std::size_t>(got));
    }
    return true;
  }

  int socket_;
  bool connected_ = false;
  std::int32_t correlation_ = 0;
  Bytes reply_;
};

Bytes one_record(std::string_view value) {
  record::BatchBuilder builder({});
  builder.append({.timestamp = 1, .value = as_bytes(value)});
  record::Compressor compressor;
  return std::move(builder).finish(compressor);
}

bool produce(Client& client, std::string_view value) {
  Bytes batch = one_record(value);
  wire::ProduceRequest request{
      .transactional_id = std::nullopt, .acks = -1, .timeout_ms = 10'000, .topic_data = {}};
  request.topic_data.push_back({.name = "shared",
                                .topic_id = {},
                                .partition_data = {{.index = 0, .records = wire::Records::view(batch)}}});
  wire::ProduceResponse response;
  return client.ask(9, request, response) &&
         response.responses.at(0).partition_responses.at(0).error_code == 0;
}

// Reads from `offset` on, waiting up to half a second; the values go into `seen`.
bool fetch(Client& client, std::int64_t& offset, std::set<std::string>& seen) {
  wire::FetchRequest request;
  request.cluster_id = std::nullopt;
  request.max_wait_ms = 500;
  request.min_bytes = 1;
  request.topics.push_back(
      {.topic = "shared",
       .topic_id = {},
       .partitions = {{.partition = 0, .fetch_offset = offset, .partition_max_bytes = 1 << 20}}});
  wire::FetchResponse response;
  if (!client.ask(12, request, response)) return false;
  const auto& partition = response.responses.at(0).partitions.at(0);
  if (partition.error_code != 0) return false;
  record::Decompressor decompressor;
  record::BatchIterator batches(partition.records.bytes);
  while (const auto batch = batches.next()) {
    record::RecordIterator records(*batch, decompressor);
    while (const auto record = records.next()) {
      if (record->offset.value < offset) continue;
      offset = record->offset.value + 1;
      seen.emplace(as_text(*record->value));
    }
  }
  return true;
}

struct NodeTest : testing::Test {
  NodeTest() {
    char name[] = "/tmp/moldau-node-XXXXXX";
    folder = ::mkdtemp(name);
  }
  ~NodeTest() override { std::filesystem::remove_all(folder); }

  std::unique_ptr<Node> start() {
    auto loaded = config::load(
        "test.properties",
        "listeners=PLAINTEXT://127.0.0.1:0\nnum.network.threads=2\nlog.dirs=" + folder + "/data\n", {});
    EXPECT_TRUE(loaded) << loaded.error().message;
    auto node = std::make_unique<Node>(std::move(*loaded), log);
    const Status started = node->start();
    EXPECT_TRUE(started) << started.error().message;
    const std::string& address = node->addresses().at(0);
    port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    return node;
  }

  std::string folder;
  Logger log;
  std::uint16_t port = 0;
};

TEST_F(NodeTest, ManyClientsShareOnePartition) {
  constexpr int kWriters = 4, kReaders = 2, kEach = 100;
  auto node = start();
  {
    Client client(port);
    wire::MetadataRequest request;
    request.topics.emplace().push_back({.topic_id = {}, .name = "shared"});
    wire::MetadataResponse response;
    ASSERT_TRUE(client.ask(9, request, response));
    ASSERT_EQ(response.topics.at(0).error_code, 0);
  }
  std::vector<std::thread> threads;
  std::vector<int> written(kWriters, 0);
  std::vector<std::set<std::string>> seen(kReaders);
  for (int w = 0; w < kWriters; ++w) {
    threads.emplace_back([&, w] {
      Client client(port);
      for (int i = 0; i < kEach; ++i)
        written[static_cast<std::size_t>(w)] += produce(client, std::to_string(w) + ":" + std::to_string(i));
    });
  }
  for (int r = 0; r < kReaders; ++r) {
    threads.emplace_back([&, r] {
      Client client(port);
      std::int64_t offset = 0;
      auto& mine = seen[static_cast<std::size_t>(r)];
      while (mine.size() < kWriters * kEach && fetch(client, offset, mine)) {
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const int count : written) EXPECT_EQ(count, kEach);
  for (const auto& values : seen) EXPECT_EQ(values.size(), static_cast<std::size_t>(kWriters * kEach));
  node->tick();
  EXPECT_TRUE(node->stop());
}

TEST_F(NodeTest, WhatWasWrittenIsThereAfterARestart) {
  {
    auto node = start();
    Client client(port);
    wire::MetadataRequest request;
    request.topics.emplace().push_back({.topic_id = {}, .name = "shared"});
    wire::MetadataResponse response;
    ASSERT_TRUE(client.ask(9, request, response));
    ASSERT_TRUE(produce(client, "kept"));
    ASSERT_TRUE(node->stop());
  }
  auto node = start();
  EXPECT_FALSE(node->report().fresh);
  Client client(port);
  std::int64_t offset = 0;
  std::set<std::string> seen;
  ASSERT_TRUE(fetch(client, offset, seen));
  EXPECT_EQ(seen, (std::set<std::string>{"kept"}));
  EXPECT_TRUE(node->stop());
}

TEST_F(NodeTest, ASecondNodeOnTheSameDirectoryIsRefused) {
  auto node = start();
  auto loaded = config::load("test.properties",
                             "listeners=PLAINTEXT://127.0.0.1:0\nlog.dirs=" + folder + "/data\n", {});
  Node second(std::move(*loaded), log);
  const Status refused = second.start();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find(".lock"), std::string::npos) << refused.error().message;
  EXPECT_TRUE(node->stop());
}

}  // namespace
}  // namespace moldau::server
