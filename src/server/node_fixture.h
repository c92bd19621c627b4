// A whole node in this process, real files and sockets, and blocking clients for threads of their own.
#pragma once

#include <arpa/inet.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <memory>
#include <netinet/in.h>
#include <stdlib.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

#include "config/load.h"
#include "server/node.h"
#include "wire/frame.h"
#include "wire/gen/metadata.h"

namespace moldau::server {

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

struct NodeTest : testing::Test {
  NodeTest() {
    char name[] = "/tmp/moldau-node-XXXXXX";
    folder = ::mkdtemp(name);
  }
  ~NodeTest() override { std::filesystem::remove_all(folder); }

  std::unique_ptr<Node> start(const std::string& more = {}) {
    auto loaded = config::load(
        "test.properties",
        "listeners=PLAINTEXT://127.0.0.1:0\nnum.network.threads=2\nlog.dirs=" + folder + "/data\n" + more,
        {});
    EXPECT_TRUE(loaded) << loaded.error().message;
    auto node = std::make_unique<Node>(std::move(*loaded), log);
    const Status started = node->start();
    EXPECT_TRUE(started) << started.error().message;
    const std::string& address = node->addresses().at(0);
    port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    return node;
  }

  void make_topic() {
    Client client(port);
    wire::MetadataRequest request;
    request.topics.emplace().push_back({.topic_id = {}, .name = "shared"});
    wire::MetadataResponse response;
    ASSERT_TRUE(client.ask(9, request, response));
    ASSERT_EQ(response.topics.at(0).error_code, 0);
  }

  std::string folder;
  Logger log;
  std::uint16_t port = 0;
};

}  // namespace moldau::server
