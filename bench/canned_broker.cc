// A broker that thinks nothing and stores nothing: to every request about partition 0 of topic "gate" it has
// one ready answer. Against it the load generator shows what it can do itself, and the instruction gate is
// tried.
//   canned-broker PROPERTIES       (only listeners=NAME://HOST:PORT is read); ends on SIGTERM
#include <arpa/inet.h>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <netinet/tcp.h>
#include <poll.h>
#include <string>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/varint.h"
#include "loadgen/batch.h"
#include "loadgen/frames.h"

namespace {

using moldau::Bytes;
using moldau::ByteView;
using moldau::bench::Api;

constexpr std::size_t kMaxInput = 16 << 20;

// Text as it stands; numbers big-endian in as many bytes as their type has.
class Reply {
 public:
  template <std::integral T>
  Reply& operator<<(T n) {
    bytes_.resize(bytes_.size() + sizeof n);
    moldau::store_be(bytes_.data() + bytes_.size() - sizeof n, n);
    return *this;
  }
  Reply& operator<<(ByteView text) { return bytes_.insert(bytes_.end(), text.begin(), text.end()), *this; }
  Reply& compact_bytes(ByteView text) {
    std::uint8_t size[moldau::kMaxVarintBytes];
    bytes_.insert(bytes_.end(), size,
                  moldau::write_uvarint(size, static_cast<std::uint32_t>(text.size() + 1)));
    return *this << text;
  }
  Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;

const ByteView kTopic = moldau::as_bytes("gate");

// What follows the correlation id, in the versions that moldau-loadgen sends.
std::map<i16, Bytes> canned_replies() {
  const auto batch = moldau::bench::build_batch({.records = 16, .value_bytes = 1024, .timestamp_ms = 0});
  std::map<i16, Bytes> replies;
  const auto put = [&](Api api, Reply& reply) { replies[static_cast<i16>(api)] = reply.take(); };
  Reply r;
  r << i8{0} << i8{2};
  r.compact_bytes(kTopic) << i8{2} << i32{0} << i16{0} << i64{0} << i64{-1} << i64{0} << i8{1} << i8{0}
                          << i8{0};
  put(Api::kProduce, r << i8{0} << i32{0} << i8{0});
  r << i8{0} << i32{0} << i16{0} << i32{7} << i8{2};
  r.compact_bytes(kTopic) << i8{2} << i32{0} << i16{0} << i64{16} << i64{16} << i64{0} << i8{0} << i32{-1};
  put(Api::kFetch, r.compact_bytes(batch.bytes) << i8{0} << i8{0} << i8{0});
  r << i32{0} << i32{1} << i16{4} << kTopic << i32{1} << i32{0} << i16{0} << i64{-1} << i64{16} << i32{0};
  put(Api::kListOffsets, r);
  r << i8{0} << i32{0} << i8{1} << i8{0} << i32{1} << i8{2} << i16{0};
  r.compact_bytes(kTopic) << i8{0} << i8{2} << i16{0} << i32{0} << i32{1} << i32{0} << i8{1} << i8{1} << i8{1}
                          << i8{0};
  put(Api::kMetadata, r << i32{0} << i8{0} << i32{0} << i8{0});
  put(Api::kApiVersions, r << i16{0} << i8{2} << i16{18} << i16{0} << i16{3} << i8{0} << i32{0} << i8{0});
  put(Api::kCreateTopics, r << i32{0} << i32{1} << i16{4} << kTopic << i16{0} << i16{-1});
  return replies;
}

int listen_on(const char* properties) {
  std::ifstream in(properties);
  int port = 0;
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("listeners=")) port = std::atoi(line.c_str() + line.rfind(':') + 1);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<std::uint16_t>(port));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(port > 0 && bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 && listen(fd, 512) == 0,
        properties);
  return fd;
}

// Answers the whole frames at the front of `input` with one send and removes them; false to close.
bool answer(int fd, Bytes& input, const std::map<i16, Bytes>& replies) {
  Bytes out;
  std::size_t at = 0;
  while (input.size() - at >= 12) {
    const auto size = static_cast<std::size_t>(moldau::load_be<i32>(&input[at]));
    if (size < 8 || size > kMaxInput) return false;
    if (input.size() - at < 4 + size) break;
    const auto reply = replies.find(moldau::load_be<i16>(&input[at + 4]));
    if (reply == replies.end()) return false;
    Reply frame;
    frame << static_cast<i32>(4 + reply->second.size()) << moldau::load_be<i32>(&input[at + 8])
          << reply->second;
    const Bytes whole = frame.take();
    out.insert(out.end(), whole.begin(), whole.end());
    at += 4 + size;
  }
  input.erase(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(at));
  return out.empty() || send(fd, out.data(), out.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(out.size());
}

bool serve(int fd, Bytes& input, const std::map<i16, Bytes>& replies) {
  const std::size_t had = input.size();
  input.resize(had + (256 << 10));
  const ssize_t got = recv(fd, input.data() + had, input.size() - had, 0);
  input.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return got > 0 && answer(fd, input, replies);
}

int stop_signal() {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  return signalfd(-1, &stop, 0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: canned-broker PROPERTIES\n", stderr), 2;
  const auto replies = canned_replies();
  std::map<int, Bytes> inputs;  // by connection
  std::vector<pollfd> watched = {{stop_signal(), POLLIN, 0}, {listen_on(argv[1]), POLLIN, 0}};
  while (poll(watched.data(), watched.size(), -1) > 0 && watched[0].revents == 0) {
    if (watched[1].revents != 0) {
      const int fd = accept(watched[1].fd, nullptr, nullptr);
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      watched.push_back({fd, POLLIN, 0});
    }
    std::erase_if(watched, [&](const pollfd& w) {
      if (&w - watched.data() < 2 || w.revents == 0 || serve(w.fd, inputs[w.fd], replies)) return false;
      inputs.erase(w.fd);
      return close(w.fd) == 0;
    });
  }
  return 0;
}
