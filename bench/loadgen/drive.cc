#include "loadgen/drive.h"

#include <algorithm>
#include <deque>
#include <fmt/format.h>

#include "loadgen/connection.h"
#include "loadgen/meter.h"
#include "loadgen/poller.h"
#include "loadgen/replies.h"

namespace moldau::bench {
namespace {

constexpr std::int64_t kDrainLimit_ns = 60 * kSecond;
constexpr std::int32_t kFenceId = -7;

std::int64_t to_ns(double seconds) { return static_cast<std::int64_t>(seconds * kSecond); }

struct InFlight {
  std::int64_t from_ns;  // what latency counts from
  const Frame* frame;    // null for the fence
};

struct Lane {
  Connection connection;
  std::size_t next_frame = 0;
  std::deque<InFlight> in_flight;
};

class Driver {
 public:
  Driver(const Options& options, const Load& load) : options_(options), load_(load), meter_(options.pid) {}

  Result<Report> run();

 private:
  Status connect();
  Status pass_time(std::int64_t now);
  Status send_due(std::int64_t now);
  Status fill(Lane& lane);
  void send_one(Lane& lane, std::int64_t from_ns);
  Status flush(Lane& lane);
  Status receive(Lane& lane);
  Status take_reply(Lane& lane, ByteView reply, std::int64_t now);
  Status start_draining();
  bool idle() const;
  std::int64_t wake_at() const;
  std::int64_t due_ns(std::int64_t request) const;
  std::size_t index_of(const Lane& lane) const { return static_cast<std::size_t>(&lane - lanes_.data()); }
  Report report() const;

  const Options& options_;
  const Load& load_;
  Meter meter_;
  Poller poller_;
  std::vector<Lane> lanes_;
  bool sending_ = true;
  std::int64_t start_ns_ = 0;
  std::int64_t end_ns_ = 0;   // of the present phase
  std::int64_t issued_ = 0;   // open loop: requests sent since start_ns_
  std::int64_t counted_ = 0;  // requests sent while counting
  Histogram latency_;
  Histogram send_lag_;
};

Result<Report> Driver::run() {
  TRY(connect());
  start_ns_ = now_ns();
  end_ns_ = start_ns_ + to_ns(options_.warmup_seconds);
  for (;;) {
    TRY(pass_time(now_ns()));
    if (!sending_ && idle()) break;
    if (sending_ && options_.rate > 0) TRY(send_due(now_ns()));
    for (const Ready& ready : poller_.wait(wake_at())) {
      Lane& lane = lanes_[ready.index];
      if (ready.readable) TRY(receive(lane));
      if (sending_ && options_.rate == 0) TRY(fill(lane));
      TRY(flush(lane));
    }
  }
  TRY(meter_.end());
  return report();
}

Status Driver::connect() {
  for (int i = 0; i < options_.connections; ++i) {
    TRY_ASSIGN(connection, Connection::start(options_.address));
    lanes_.push_back({.connection = std::move(connection), .in_flight = {}});
    lanes_.back().next_frame =
        load_.frames.size() * static_cast<std::size_t>(i) / static_cast<std::size_t>(options_.connections);
    poller_.add(lanes_.back().connection.fd(), lanes_.size() - 1, true);
  }
  return {};
}

// From one phase to the next when its time or its number of requests is over.
Status Driver::pass_time(std::int64_t now) {
  if (!sending_) {
    if (now >= end_ns_)
      return fail(ErrorKind::kIo, "expected all replies within 60 s of the last request, some are missing");
    return {};
  }
  if (!meter_.counting()) {
    if (now < end_ns_) return {};
    TRY(meter_.begin());
    latency_.clear();
    send_lag_.clear();
    end_ns_ = now_ns() + to_ns(options_.seconds);
    return {};
  }
  const bool enough = options_.requests > 0 && counted_ >= options_.requests;
  return enough || now >= end_ns_ ? start_draining() : Status{};
}

Status Driver::start_draining() {
  sending_ = false;
  end_ns_ = now_ns() + kDrainLimit_ns;
  if (load_.has_replies) return {};
  for (Lane& lane : lanes_) {
    lane.connection.send(api_versions_frame(kFenceId));
    lane.in_flight.push_back({now_ns(), nullptr});
    TRY(flush(lane));
  }
  return {};
}

std::int64_t Driver::due_ns(std::int64_t request) const {
  return start_ns_ + static_cast<std::int64_t>(static_cast<double>(request) * (kSecond / options_.rate));
}

Status Driver::send_due(std::int64_t now) {
  for (; due_ns(issued_) <= now; ++issued_) {
    if (options_.requests > 0 && counted_ >= options_.requests) return {};
    Lane& lane = lanes_[static_cast<std::size_t>(issued_) % lanes_.size()];
    const std::int64_t due = due_ns(issued_);
    send_lag_.add(now - due);
    send_one(lane, due);
    TRY(flush(lane));
  }
  return {};
}

// Closed loop; a fresh connection asks for it by becoming writable. Without replies, `depth` bounds what
// waits for the socket instead.
Status Driver::fill(Lane& lane) {
  if (options_.burst && !lane.in_flight.empty()) return {};
  const auto depth = static_cast<std::size_t>(options_.depth);
  const auto in_flight = [&] {
    return load_.has_replies ? lane.in_flight.size()
                             : lane.connection.queued_bytes() / load_.frames.front().size();
  };
  const std::int64_t now = now_ns();
  while (in_flight() < depth && !(options_.requests > 0 && counted_ >= options_.requests))
    send_one(lane, now);
  return {};
}

void Driver::send_one(Lane& lane, std::int64_t from_ns) {
  const Frame& frame = load_.frames[lane.next_frame];
  lane.next_frame = (lane.next_frame + 1) % load_.frames.size();
  lane.connection.send(frame);
  if (meter_.counting()) ++counted_;
  if (load_.has_replies) {
    lane.in_flight.push_back({from_ns, &frame});
  } else {
    meter_.work.requests += 1, meter_.work.records += load_.records_per_frame,
        meter_.work.bytes += load_.bytes_per_frame;
  }
}

Status Driver::flush(Lane& lane) {
  TRY(lane.connection.flush());
  const bool wants_room = sending_ && !load_.has_replies;  // nothing else would wake us to send more
  poller_.watch_output(lane.connection.fd(), index_of(lane), lane.connection.has_output() || wants_room);
  return {};
}

Status Driver::receive(Lane& lane) {
  const std::int64_t now = now_ns();
  Status status;
  TRY(lane.connection.receive([&](ByteView reply) {
    if (status) status = take_reply(lane, reply, now);
  }));
  return status;
}

Status Driver::take_reply(Lane& lane, ByteView reply, std::int64_t now) {
  if (lane.in_flight.empty())
    return fail(ErrorKind::kCorrupt, "expected no reply, found one that nothing asked for");
  const InFlight request = lane.in_flight.front();
  lane.in_flight.pop_front();
  const std::int32_t wanted = request.frame == nullptr ? kFenceId : request.frame->correlation_id;
  if (correlation_id_of(reply) != wanted)
    return fail(ErrorKind::kCorrupt,
                fmt::format("expected the reply to {}, found that to {}", wanted, correlation_id_of(reply)));
  if (request.frame == nullptr) return {};
  if (const std::int16_t code = load_.error_of(reply, *request.frame); code != 0)
    return fail(ErrorKind::kIo, fmt::format("expected success, found error code {} in a reply", code));
  latency_.add(now - request.from_ns);
  meter_.work.requests += 1, meter_.work.records += load_.records_per_frame,
      meter_.work.bytes += load_.bytes_per_frame;
  return {};
}

bool Driver::idle() const {
  return std::ranges::all_of(lanes_,
                             [](const Lane& l) { return l.in_flight.empty() && !l.connection.has_output(); });
}

std::int64_t Driver::wake_at() const {
  return sending_ && options_.rate > 0 ? std::min(end_ns_, due_ns(issued_)) : end_ns_;
}

Report Driver::report() const {
  Report report;
  report.add("connections", std::int64_t{options_.connections});
  if (options_.rate > 0)
    report.add("rate", options_.rate);
  else
    report.add("depth", std::int64_t{options_.depth});
  meter_.report_to(report);
  report.add_latency("latency", latency_);
  report.add_latency("send_lag", send_lag_);
  return report;
}

}  // namespace

Result<Report> drive(const Options& options, const Load& load) { return Driver(options, load).run(); }

}  // namespace moldau::bench
