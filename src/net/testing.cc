#include "net/testing.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <future>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "base/check.h"

namespace moldau::net::testing {
namespace {

constexpr auto kPatience = std::chrono::seconds(30);

struct Call final : env::Task {
  explicit Call(std::function<void()> f) : function(std::move(f)) {}
  void run() override {
    const std::unique_ptr<Call> self(this);
    function();
  }
  std::function<void()> function;
};

struct Delayed final : env::Timer {
  void expired() override {
    const std::unique_ptr<Delayed> self(this);
    reply();
  }
  std::function<void()> reply;
};

template <typename T>
std::string number(T n) {
  std::string text(sizeof n, '\0');
  store_be(reinterpret_cast<std::uint8_t*>(text.data()), n);
  return text;
}

template <typename T>
T take_number(ByteView& bytes) {
  const T n = load_be<T>(bytes.data());
  bytes = bytes.subspan(sizeof n);
  return n;
}

env::Outbound reply_of(std::string_view text) {
  env::Outbound outbound;
  outbound.pieces.emplace_back(frame(text));
  return outbound;
}

env::Outbound patterned(std::uint32_t size) {
  auto bytes = std::make_shared<Bytes>(size);
  for (std::uint32_t i = 0; i < size; ++i) (*bytes)[i] = PatternFile::pattern(i);
  env::Outbound outbound;
  Bytes prefix(4);
  store_be(prefix.data(), static_cast<std::int32_t>(size));
  outbound.pieces.emplace_back(std::move(prefix));
  outbound.pieces.emplace_back(env::SharedBytes{bytes, *bytes});
  return outbound;
}

env::Outbound slice_of(std::shared_ptr<env::File> file, std::uint64_t position, std::uint64_t length) {
  env::Outbound outbound;
  Bytes head(6, '<');
  store_be(head.data(), static_cast<std::int32_t>(length + 4));
  outbound.pieces.emplace_back(std::move(head));
  outbound.pieces.emplace_back(env::FileSlice{std::move(file), position, length});
  outbound.pieces.emplace_back(Bytes(2, '>'));
  return outbound;
}

void set_patience(int fd, int which, std::chrono::milliseconds patience) {
  const timeval time{patience.count() / 1000, patience.count() % 1000 * 1000};
  setsockopt(fd, SOL_SOCKET, which, &time, sizeof time);
}

}  // namespace

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

PatternFile::PatternFile(std::uint64_t size) : fd_(memfd_create("pattern", MFD_CLOEXEC)) {
  constexpr std::uint64_t kStep = 1u << 20;
  Bytes block;
  for (std::uint64_t at = 0; at < size; at += block.size()) {
    block.resize(static_cast<std::size_t>(std::min(kStep, size - at)));
    for (std::size_t i = 0; i < block.size(); ++i) block[i] = pattern(at + i);
    CHECK(::write(fd_, block.data(), block.size()) == static_cast<ssize_t>(block.size()));
  }
}

PatternFile::~PatternFile() { ::close(fd_); }

Result<std::size_t> PatternFile::read_at(std::uint64_t position, MutableBytes out) const {
  const ssize_t got = pread(fd_, out.data(), out.size(), static_cast<off_t>(position));
  if (got < 0) return fail(ErrorKind::kIo, std::strerror(errno));
  return static_cast<std::size_t>(got);
}

Status PatternFile::truncate(std::uint64_t size) {
  if (ftruncate(fd_, static_cast<off_t>(size)) != 0) return fail(ErrorKind::kIo, std::strerror(errno));
  return {};
}

Result<std::uint64_t> PatternFile::size() const {
  return static_cast<std::uint64_t>(lseek(fd_, 0, SEEK_END));
}

bool is_pattern(std::string_view bytes, std::uint64_t position) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (static_cast<std::uint8_t>(bytes[i]) != PatternFile::pattern(position + i)) return false;
  }
  return true;
}

Bytes frame(std::string_view payload) {
  Bytes bytes(4 + payload.size());
  store_be(bytes.data(), static_cast<std::int32_t>(payload.size()));
  std::memcpy(bytes.data() + 4, payload.data(), payload.size());
  return bytes;
}

Bytes joined(const std::vector<std::string>& payloads) {
  Bytes all;
  for (const std::string& payload : payloads) {
    const Bytes one = frame(payload);
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

std::string echo(std::string_view text) { return "e" + std::string(text); }
std::string hold(std::string_view name) { return "h" + std::string(name); }
std::string keep(std::string_view name) { return "k" + std::string(name); }
std::string delay(std::uint32_t ms, std::string_view text) { return "d" + number(ms) + std::string(text); }
std::string produce_bytes(std::uint32_t size) { return "b" + number(size); }
std::string send_file(std::uint64_t position, std::uint64_t length) {
  return "f" + number(position) + number(length);
}

void ToyHandler::opened(const std::shared_ptr<env::Connection>& connection) {
  const std::lock_guard lock(mutex);
  last_info = connection->info();
  ++open;
  ++opened_ever;
}

void ToyHandler::closed(const std::shared_ptr<env::Connection>&) {
  --open;
  ++closed_ever;
}

void ToyHandler::request(const std::shared_ptr<env::Connection>& connection, std::uint64_t slot,
                         env::Inbound&& inbound) {
  ++requests;
  const char operation = static_cast<char>(inbound.bytes[0]);
  ByteView argument = ByteView(inbound.bytes).subspan(1);
  if (operation == 'e') return connection->reply(slot, reply_of(as_text(argument)));
  if (operation == 'b') return connection->reply(slot, patterned(take_number<std::uint32_t>(argument)));
  if (operation == 'n') return connection->reply(slot, {});
  if (operation == 'c') return connection->close("the test said so");
  if (operation == 'x') throw std::runtime_error("the test said so");
  if (operation == 'f') {
    const auto position = take_number<std::uint64_t>(argument);
    return connection->reply(slot, slice_of(file, position, take_number<std::uint64_t>(argument)));
  }
  if (operation == 'd') {
    auto* timer = new Delayed;
    const auto ms = std::chrono::milliseconds(take_number<std::uint32_t>(argument));
    timer->reply = [this, connection, slot, text = std::string(as_text(argument))] {
      ++expired;
      connection->reply(slot, reply_of(text));
    };
    return connection->loop().schedule(*timer, connection->loop().now() + ms);
  }
  const std::lock_guard lock(mutex);
  const auto name = std::string(as_text(argument.first(argument.size() < 16 ? argument.size() : 16)));
  held_[name] = {connection, slot, operation == 'k' ? std::move(inbound.keep) : nullptr};
}

void ToyHandler::release(const std::string& name) {
  const std::lock_guard lock(mutex);
  const auto found = held_.find(name);
  CHECK(found != held_.end(), name);
  auto held = std::move(found->second);
  held_.erase(found);
  auto& loop = held.connection->loop();
  loop.post(*new Call([name, h = std::move(held)] { h.connection->reply(h.slot, reply_of(name)); }));
}

bool ToyHandler::holds(const std::string& name) {
  const std::lock_guard lock(mutex);
  return held_.contains(name);
}

Client::Client(Unconnected) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  set_patience(fd_, SO_RCVTIMEO, kPatience);
  set_patience(fd_, SO_SNDTIMEO, kPatience);
  const int one = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

Client::Client(std::uint16_t port, const std::string& from) : Client(Unconnected{}) {
  if (!from.empty()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    inet_pton(AF_INET, from.c_str(), &address.sin_addr);
    CHECK(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  connect(port);
}

bool Client::connect(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  return connected_;
}

Client::~Client() {
  if (fd_ >= 0) ::close(fd_);
}

Client::Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}

bool Client::send(ByteView bytes) const {
  while (!bytes.empty()) {
    const ssize_t put = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return true;
}

std::size_t Client::receive_some(MutableBytes into) const {
  const ssize_t got = ::recv(fd_, into.data(), into.size(), 0);
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

bool Client::receive_exactly(MutableBytes into) const {
  while (!into.empty()) {
    const std::size_t got = receive_some(into);
    if (got == 0) return false;
    into = into.subspan(got);
  }
  return true;
}

std::string Client::receive() const {
  std::array<std::uint8_t, 4> prefix{};
  errno = 0;
  if (!receive_exactly(prefix)) return errno == EAGAIN ? "<nothing>" : "<closed>";
  std::string payload(static_cast<std::size_t>(load_be<std::int32_t>(prefix.data())), '\0');
  if (!receive_exactly({reinterpret_cast<std::uint8_t*>(payload.data()), payload.size()})) return "<closed>";
  return payload;
}

std::string Client::receive_within(std::chrono::milliseconds patience) const {
  set_patience(fd_, SO_RCVTIMEO, patience);
  std::string payload = receive();
  set_patience(fd_, SO_RCVTIMEO, kPatience);
  return payload;
}

void Client::stop_sending() const { shutdown(fd_, SHUT_WR); }

BusyLoop::BusyLoop(env::Loop& loop) {
  auto is_busy = std::make_shared<std::promise<void>>();
  auto began = is_busy->get_future();
  auto may_go_on = std::make_shared<std::future<void>>(go_on_.get_future());
  loop.post(*new Call([is_busy, may_go_on] {
    is_busy->set_value();
    may_go_on->wait();
  }));
  began.wait();
}

TestServer::TestServer(Options options, std::vector<ListenerSpec> listeners,
                       const std::function<void(Server&)>& before_start) {
  if (options.loops == 0) options.loops = 2;
  auto log = [this](LogLevel, const std::string& line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(line);
  };
  server = std::make_unique<Server>(options, clock, [] { return std::make_unique<TestRandom>(1); }, log);
  const Status bound = server->bind(listeners);
  CHECK(bound, bound ? "" : bound.error().message);
  if (before_start) before_start(*server);
  server->start(handler);
}

TestServer::~TestServer() { server->stop(std::chrono::seconds(0)); }

void TestServer::advance(env::Duration d) {
  clock.advance(d);
  for (env::Loop* loop : server->loops()) {
    std::promise<void> turned;
    // The second letter is read in a later turn than the first, so timers and ends of turn have had theirs.
    loop->post(*new Call([&, loop] { loop->post(*new Call([&] { turned.set_value(); })); }));
    turned.get_future().wait();
  }
}

bool TestServer::logged(std::string_view part) {
  return eventually([&] { return count_logged(part) > 0; });
}

std::size_t TestServer::count_logged(std::string_view part) {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const std::string& line : lines_) count += line.find(part) != std::string::npos ? 1 : 0;
  return count;
}

}  // namespace moldau::net::testing
