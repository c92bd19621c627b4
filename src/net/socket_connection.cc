#include "net/socket_connection.h"

#include <cerrno>
#include <cstring>
#include <exception>
#include <sys/epoll.h>
#include <utility>

#include "base/check.h"

namespace moldau::net {
namespace {

constexpr std::uint32_t kEnding = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr std::uint64_t kSentPerTurn = 1u << 20;  // then others get their turn
// How long a finishing connection may make no progress: with a peer that waits for its last replies, and with
// one that has stopped sending (and is, most often, gone).
constexpr env::Duration kFinishPatience = std::chrono::seconds(10);
constexpr env::Duration kPeerEndedPatience = std::chrono::milliseconds(200);
// What a frame must bring (or come to its end), and in which time, while others wait for memory.
constexpr std::size_t kPaceBytes = 64u << 10;
constexpr env::Duration kPacePatience = std::chrono::seconds(10);
static_assert(kPacePatience < ReceiveBudget::kPeriodEnds);  // or else a period that comes and goes hides it

std::size_t size_of(std::span<const iovec> parts) {
  std::size_t size = 0;
  for (const iovec& part : parts) size += part.iov_len;
  return size;
}

}  // namespace

SocketConnection::SocketConnection(Worker& worker, std::unique_ptr<Stream> stream, env::ConnectionInfo info,
                                   IpAddress address)
    : worker_(worker),
      stream_(std::move(stream)),
      info_(std::move(info)),
      address_(address),
      reader_(worker.pool(), worker.options().socket_request_max_bytes),
      last_active_(worker.loop().now()),
      patience_(std::chrono::milliseconds(worker.options().connections_max_idle_ms)) {}

bool SocketConnection::start(std::shared_ptr<SocketConnection> connection, int fd) {
  SocketConnection& c = *connection;
  c.self_ = connection;
  c.worker_.counters().opened.add(1);
  c.worker_.handler().opened(c.self_);
  if (!c.worker_.loop().watch(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, c)) {
    c.end(LogLevel::kError,
          "the system's limit of watched descriptors is reached (fs.epoll.max_user_watches)");
    return false;
  }
  c.be_patient();
  return true;
}

void SocketConnection::ready(std::uint32_t events) {
  if (closed_) return;
  if ((events & (EPOLLIN | kEnding)) != 0) readable_ = true;
  if ((events & kEnding) != 0) peer_ending_ = true;
  if ((events & EPOLLOUT) != 0) writable_ = true;
  if ((events & (EPOLLHUP | EPOLLERR)) != 0 && finishing_) return end_broken(ECONNRESET);
  guarded([this] {
    receive();
    send();
    go_on();
  });
}

void SocketConnection::turn_ends() {
  guarded([this] {
    send();
    go_on();
  });
}

void SocketConnection::reply(std::uint64_t slot, env::Outbound&& outbound) {
  if (closed_) return;
  replies_.answer(slot, std::move(outbound));
  if (!handing_in_) worker_.loop().at_end_of_turn(*this);
}

void SocketConnection::close(std::string why) {
  if (closed_) return;
  log(LogLevel::kInfo, why);
  finish(handing_in_ ? replies_.opened() - 1 : replies_.opened(), kFinishPatience);
}

void SocketConnection::drain(const std::function<void(env::Connection&)>& told) {
  if (closed_) return;
  if (told) guarded([&] { told(*this); });
  if (!closed_) finish(replies_.opened(), env::Duration(-1));  // the server sets the deadline
}

void SocketConnection::end_now(const std::string& why) { end(LogLevel::kInfo, why); }

void SocketConnection::finish(std::uint64_t slot, env::Duration patience) {
  if (!finishing_ || slot < finish_slot_) finish_slot_ = slot;
  finishing_ = true;
  patience_ = patience;
  be_patient();
  if (!handing_in_) worker_.loop().at_end_of_turn(*this);
}

void SocketConnection::receive() {
  hand_in();
  if (!closed_ && readable_ && may_read()) receive_once();
}

void SocketConnection::receive_once() {
  const auto space = reader_.space();
  const Stream::Outcome got = stream_->read(space);
  worker_.counters().reads.add(1);
  const std::size_t room = size_of(space);
  reader_.filled(got.bytes);
  if (got.state == Stream::State::kDone) {
    worker_.counters().bytes_in.add(got.bytes);
    last_active_ = worker_.loop().now();
  }
  // An edge announces what comes after a read that found less than it had room for, but not an end that was
  // there before.
  if (got.bytes < room && !peer_ending_) readable_ = false;
  hand_in();
  if (closed_ || got.state == Stream::State::kDone) return;
  readable_ = false;
  if (got.state == Stream::State::kEnd) peer_ended();
  if (got.state == Stream::State::kBroken) end_broken(got.reason);
}

void SocketConnection::hand_in() {
  handing_in_ = true;
  while (!finishing_ && !closed_ && within_bounds()) {
    env::Inbound frame;
    const FrameReader::Cut cut = reader_.next(frame);
    if (cut == FrameReader::Cut::kNone) break;
    if (cut == FrameReader::Cut::kBad) {
      worker_.counters().refused_input.add(1);
      log(LogLevel::kWarn, reader_.complaint());
      finish(replies_.opened(), kFinishPatience);
      break;
    }
    worker_.counters().requests.add(1);
    worker_.counters().in_flight.add(1);
    worker_.handler().request(self_, replies_.open(), std::move(frame));
  }
  handing_in_ = false;
}

bool SocketConnection::within_bounds() const {
  return replies_.in_flight() < worker_.options().pipelined_requests &&
         replies_.bytes_queued() < worker_.options().queued_reply_bytes;
}

bool SocketConnection::may_read() {
  if (finishing_ || reader_.holds_frames() || !within_bounds()) return false;
  if (has_room()) return true;
  worker_.wait_for_room(*this);
  return has_room();
}

bool SocketConnection::has_room() {
  return reader_.in_mid_frame() ? reader_.may_grow() : worker_.pool().budget().has_room();
}

// It has sent what we do not read, for our own reasons.
bool SocketConnection::is_held_back() const {
  return readable_ && (waits_for_room || (replies_.unanswered() > 0 && !within_bounds()));
}

std::optional<Holders::HalfFrame> SocketConnection::half_frame() const {
  if (!reader_.in_mid_frame()) return std::nullopt;
  return Holders::HalfFrame{.client = info_.client_host + ":" + std::to_string(info_.client_port),
                            .bytes = reader_.bytes_of_partial(),
                            .of = reader_.size_of_partial()};
}

void SocketConnection::begin_pace() {
  pace_ = {.frame = replies_.opened(), .bytes = reader_.bytes_of_partial(), .time = {}};
}

void SocketConnection::check_pace(env::Duration since_last_check) {
  if (closed_ || finishing_ || !reader_.in_mid_frame()) return;
  const std::size_t have = reader_.bytes_of_partial();
  if (pace_.frame != replies_.opened() || have < pace_.bytes || have - pace_.bytes >= kPaceBytes)
    return begin_pace();
  if (is_held_back()) return;
  pace_.time += since_last_check;
  if (pace_.time < kPacePatience) return;
  worker_.counters().stalled_closed.add(1);
  end(LogLevel::kWarn,
      "requests wait for memory (queued.max.request.bytes), and its own does not get on: expected " +
          std::to_string(reader_.size_of_partial()) + " bytes, received " + std::to_string(have) +
          ", the last " + std::to_string(have - pace_.bytes) + " of them in 10 seconds");
}

void SocketConnection::peer_ended() {
  if (const std::size_t have = reader_.bytes_of_partial(); have > 0) {
    const std::size_t size = reader_.size_of_partial();
    log(LogLevel::kDebug, "the client stopped within a request, after " + std::to_string(have) + " of " +
                              (size > 0 ? std::to_string(size) : "an unknown number of") + " bytes");
  }
  finish(replies_.opened(), kPeerEndedPatience);
}

void SocketConnection::send() {
  std::uint64_t sent = 0;
  while (!closed_ && writable_ && !reading_in_ && replies_.has_output()) {
    if (sent >= kSentPerTurn) {
      worker_.loop().next_turn(*this);
      break;
    }
    if (!send_once(sent)) break;
  }
  if (sent > 0) {
    worker_.counters().bytes_out.add(sent);
    last_active_ = worker_.loop().now();
  }
  count_finished();
}

void SocketConnection::count_finished() {
  worker_.counters().in_flight.subtract(replies_.frames_sent() - counted_);
  counted_ = replies_.frames_sent();
}

// One system call. False: the connection has ended.
bool SocketConnection::send_once(std::uint64_t& sent) {
  FileWarmth& warmth = worker_.warmth();
  const auto sendable = [&](const env::FileSlice& slice) {
    return send_cold_ ? slice.length : warmth.sendable(slice);
  };
  const auto next = replies_.next(stream_->sends_files(), sendable);
  if (!next) return end(LogLevel::kError, next.error().message), false;
  if (next->cold != nullptr) return read_in(*next->cold), true;
  send_cold_ = false;
  const Stream::Outcome put = next->file != nullptr ? stream_->send_file(*next->file, next->of_file)
                                                    : stream_->write(next->bytes, next->more);
  worker_.counters().writes.add(1);
  switch (put.state) {
    case Stream::State::kDone:
      if (next->file != nullptr) worker_.counters().bytes_sent_by_file.add(put.bytes);
      if (put.full) writable_ = false;
      sent += put.bytes;
      replies_.sent(put.bytes);
      return true;
    case Stream::State::kWouldBlock:
      writable_ = false;
      return true;
    case Stream::State::kEnd:
      end(LogLevel::kError, "a reply's file ends early: expected " + std::to_string(next->file->length) +
                                " more bytes at " + std::to_string(next->file->position));
      return false;
    case Stream::State::kBroken:
      end_broken(put.reason);
      return false;
  }
  return false;
}

void SocketConnection::read_in(const env::FileSlice& slice) {
  const auto then = [this, self = self_] {
    reading_in_ = false;
    if (!closed_) worker_.loop().next_turn(*this);
  };
  reading_in_ = worker_.warmth().warm(slice, then);
  send_cold_ = !reading_in_;
  if (reading_in_) worker_.counters().cold_reads.add(1);
}

void SocketConnection::go_on() {
  if (closed_) return;
  if (finishing_) {
    if (replies_.answered_up_to(finish_slot_) && !replies_.has_output()) end(LogLevel::kDebug, "");
    return;
  }
  if (reader_.holds_frames() ? within_bounds() : readable_ && may_read()) {
    worker_.loop().next_turn(*this);
  } else if (readable_ || reader_.holds_frames()) {
    worker_.counters().read_pauses.add(1);
  }
}

void SocketConnection::be_patient() {
  if (patience_ < env::Duration::zero()) {
    worker_.loop().cancel(*this);
  } else {
    worker_.loop().schedule(*this, worker_.loop().now() + patience_);
  }
}

void SocketConnection::expired() {
  const env::Duration quiet = worker_.loop().now() - last_active_;
  if (quiet < patience_) {
    worker_.loop().schedule(*this, last_active_ + patience_);
  } else if (!finishing_ && (is_held_back() || (replies_.unanswered() > 0 && !reader_.in_mid_frame()))) {
    be_patient();  // it waits for us
  } else if (finishing_) {
    end(LogLevel::kDebug, "its last replies could not be sent");
  } else {
    worker_.counters().idle_closed.add(1);
    end(LogLevel::kDebug, "nothing came or went for connections.max.idle.ms");
  }
}

void SocketConnection::end_broken(int reason) {
  end(LogLevel::kDebug, std::string("the connection broke: ") + std::strerror(reason));
}

void SocketConnection::end(LogLevel level, const std::string& why) {
  if (closed_) return;
  closed_ = finishing_ = true;
  if (!why.empty()) log(level, why);
  worker_.loop().cancel(*this);
  stream_->close();
  reader_.clear();
  replies_.clear();
  count_finished();
  worker_.counters().closed.add(1);
  const auto self = std::exchange(self_, nullptr);
  worker_.loop().forget(*this, self);
  worker_.handler().closed(self);
  worker_.ended(*this, address_);
}

// No exception is ours, but a library's or a lack of memory must cost one connection, not the process.
template <typename F>
void SocketConnection::guarded(F&& f) {
  try {
    f();
  } catch (const std::exception& e) {
    handing_in_ = false;
    end(LogLevel::kError, std::string("an exception ended it: ") + e.what());
  }
}

void SocketConnection::log(LogLevel level, const std::string& why) const {
  worker_.log(level, "Closing the connection of " + info_.client_host + ":" +
                         std::to_string(info_.client_port) + " on listener " + info_.listener + ": " + why);
}

}  // namespace moldau::net
