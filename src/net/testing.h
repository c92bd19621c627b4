// For the tests of this folder: a clock that stands still, a file, a handler that does what requests say, a
// blocking client, and a server with all of them.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "env/connection.h"
#include "net/server.h"

namespace moldau::net::testing {

// Moves only when told to.
class ManualClock final : public env::Clock {
 public:
  env::Instant now() const override { return {env::Duration(ns_.load())}; }
  std::int64_t wall_ms() const override { return 1'700'000'000'000 + ns_.load() / 1'000'000; }
  void advance(env::Duration d) { ns_.fetch_add(d.count()); }

 private:
  std::atomic<std::int64_t> ns_{1'000'000'000};
};

// SplitMix64.
class TestRandom final : public env::Random {
 public:
  explicit TestRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() override {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

// Waits until `condition` holds; false after half a minute.
bool eventually(const std::function<bool()>& condition);

// An unlinked file, its byte at p being pattern(p).
class PatternFile final : public env::File {
 public:
  explicit PatternFile(std::uint64_t size);
  ~PatternFile() override;
  static std::uint8_t pattern(std::uint64_t position) {
    return static_cast<std::uint8_t>((position * 0x9e3779b1u) >> 13);
  }
  Result<std::size_t> read_at(std::uint64_t position, MutableBytes out) const override;
  Status write_at(std::uint64_t, std::span<const ByteView>) override { return {}; }
  Status truncate(std::uint64_t size) override;
  Status sync() override { return {}; }
  Result<std::uint64_t> size() const override;
  int native_handle() const override { return shows_handle ? fd_ : -1; }

  bool shows_handle = true;

 private:
  int fd_;
};

bool is_pattern(std::string_view bytes, std::uint64_t position);  // of the file, from there on

// Frames and what the toy handler makes of them. A request is an operation, then its argument.
Bytes frame(std::string_view payload);
Bytes joined(const std::vector<std::string>& payloads);  // their frames, one behind the other
std::string echo(std::string_view text);                 // replies `text`
std::string hold(std::string_view name);                 // replies `name` when release(name) is called
std::string keep(std::string_view name);                 // likewise, and keeps the receive buffer until then
std::string delay(std::uint32_t ms, std::string_view text);  // replies `text` after `ms`
std::string produce_bytes(std::uint32_t size);               // replies `size` bytes of PatternFile::pattern
std::string send_file(std::uint64_t position, std::uint64_t length);  // replies 2 bytes, the slice, 2 bytes
inline std::string no_reply() { return "n"; }
inline std::string close_now() { return "c"; }
inline std::string throw_now() { return "x"; }

class ToyHandler final : public env::RequestHandler {
 public:
  void opened(const std::shared_ptr<env::Connection>& connection) override;
  void request(const std::shared_ptr<env::Connection>& connection, std::uint64_t slot,
               env::Inbound&& frame) override;
  void closed(const std::shared_ptr<env::Connection>& connection) override;

  void release(const std::string& name);  // any thread; waits for nothing
  bool holds(const std::string& name);

  std::shared_ptr<env::File> file;
  std::atomic<int> open{0}, opened_ever{0}, closed_ever{0}, requests{0}, expired{0};
  std::mutex mutex;
  env::ConnectionInfo last_info;  // under the mutex

 private:
  struct Held {
    std::shared_ptr<env::Connection> connection;
    std::uint64_t slot;
    std::shared_ptr<void> keep;
  };
  std::map<std::string, Held> held_;  // under the mutex
};

// A blocking client that gives up after half a minute.
class Client {
 public:
  struct Unconnected {};
  explicit Client(Unconnected);
  explicit Client(std::uint16_t port, const std::string& from = {});  // `from`: the address to come from
  ~Client();
  Client(Client&& other) noexcept;
  Client& operator=(Client&&) = delete;

  bool connect(std::uint16_t port);
  bool connected() const { return connected_; }
  bool send(ByteView bytes) const;
  bool send(std::string_view payload) const { return send(ByteView(frame(payload))); }
  // A frame's payload; "<closed>" when the connection has ended, "<nothing>" when nothing came.
  std::string receive() const;
  std::string receive_within(std::chrono::milliseconds patience) const;
  std::string ask(std::string_view payload) const { return send(payload) ? receive() : "<closed>"; }
  std::size_t receive_some(MutableBytes into) const;
  bool receive_exactly(MutableBytes into) const;
  void stop_sending() const;
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
  bool connected_ = false;
};

// Keeps a loop from doing anything while it lives.
class BusyLoop {
 public:
  explicit BusyLoop(env::Loop& loop);
  ~BusyLoop() { go_on_.set_value(); }

 private:
  std::promise<void> go_on_;
};

// A server on a free port of 127.0.0.1 with one or more loops, and its log.
class TestServer {
 public:
  explicit TestServer(Options options = {},
                      std::vector<ListenerSpec> listeners = {{"PLAINTEXT", "127.0.0.1"}},
                      const std::function<void(Server&)>& before_start = {});
  ~TestServer();

  std::uint16_t port(std::size_t listener = 0) const { return server->listeners()[listener].port; }
  Client connect() const { return Client(port()); }
  void advance(env::Duration d);       // time passes, and the loops see it
  bool logged(std::string_view part);  // a line with it has come, or comes
  std::size_t count_logged(std::string_view part);

  ManualClock clock;
  ToyHandler handler;
  std::unique_ptr<Server> server;

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace moldau::net::testing
