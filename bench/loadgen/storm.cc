// Connections themselves: how fast they come and go, and what they cost while they do nothing.
#include <algorithm>
#include <memory>
#include <optional>
#include <thread>

#include "loadgen/clock.h"
#include "loadgen/meter.h"
#include "loadgen/modes.h"
#include "loadgen/poller.h"
#include "loadgen/replies.h"

namespace moldau::bench {
namespace {

constexpr std::int64_t kPatience_ns = 60 * kSecond;

// Keeps `options.depth` slots busy: connect, ask ApiVersions, and then close and begin again (storm) or keep
// the connection (idle), until `wanted` connections have got their reply.
class Opener {
 public:
  Opener(const Options& options, std::int64_t wanted, bool keep)
      : options_(options), wanted_(wanted), keep_(keep) {}

  Status run(std::int64_t until_ns);
  std::int64_t opened() const { return opened_; }
  std::size_t kept() const { return slots_.size(); }
  const Histogram& latency() const { return latency_; }

 private:
  struct Slot {
    std::optional<Connection> connection;
    std::int64_t since_ns = 0;
  };
  Status open(std::size_t index);
  Status advance(std::size_t index);

  const Options& options_;
  std::int64_t wanted_;
  bool keep_;
  Poller poller_;
  std::vector<Slot> slots_;
  std::int64_t started_ = 0, opened_ = 0;
  Histogram latency_;
};

Status Opener::open(std::size_t index) {
  if (index == slots_.size()) slots_.emplace_back();
  TRY_ASSIGN(connection, Connection::start(options_.address));
  Slot& slot = slots_[index];
  slot.connection.emplace(std::move(connection));
  slot.since_ns = now_ns();
  slot.connection->send(api_versions_frame(0));
  poller_.add(slot.connection->fd(), index, true);
  ++started_;
  return {};
}

Status Opener::advance(std::size_t index) {
  Slot& slot = slots_[index];
  bool answered = false;
  std::int16_t error = 0;
  TRY(slot.connection->flush());
  poller_.watch_output(slot.connection->fd(), index, slot.connection->has_output());
  TRY(slot.connection->receive([&](ByteView reply) { answered = true, error = api_versions_error(reply); }));
  if (!answered) return {};
  if (error != 0)
    return fail(ErrorKind::kIo, "expected ApiVersions, found error code " + std::to_string(error));
  latency_.add(now_ns() - slot.since_ns);
  ++opened_;
  if (!keep_) {
    poller_.remove(slot.connection->fd());
    slot.connection.reset();
  }
  if (started_ == wanted_) return {};
  return open(keep_ ? slots_.size() : index);
}

Status Opener::run(std::int64_t until_ns) {
  const std::int64_t slots = std::min<std::int64_t>(options_.depth, wanted_);
  while (started_ < slots) TRY(open(slots_.size()));
  while (opened_ < wanted_) {
    if (now_ns() >= until_ns)
      return fail(ErrorKind::kIo, "expected " + std::to_string(wanted_) + " connections in time, found " +
                                      std::to_string(opened_));
    const std::span<const Ready> ready = poller_.wait(until_ns);
    const std::vector<Ready> events(ready.begin(), ready.end());  // advance() may not disturb what we walk
    for (const Ready& r : events) TRY(advance(r.index));
  }
  return {};
}

}  // namespace

Result<Report> run_storm(const Options& options) {
  const std::int64_t wanted = options.requests > 0 ? options.requests : 1000;
  Opener opener(options, wanted, false);
  Meter meter(options.pid);
  TRY(meter.begin());
  TRY(opener.run(now_ns() + kPatience_ns));
  meter.work.requests = opener.opened();
  TRY(meter.end());
  Report report;
  report.add("at_once", std::int64_t{options.depth});
  meter.report_to(report);
  report.add_latency("latency", opener.latency());
  return report;
}

Result<Report> run_idle(const Options& options) {
  Opener opener(options, options.connections, true);
  Meter opening(options.pid);
  TRY(opening.begin());
  TRY(opener.run(now_ns() + kPatience_ns));
  opening.work.requests = opener.opened();
  TRY(opening.end());
  Report report;
  report.add("connections", static_cast<std::int64_t>(opener.kept()));
  opening.report_to(report);

  Meter holding(options.pid);
  TRY(holding.begin());
  std::this_thread::sleep_for(std::chrono::duration<double>(options.hold_seconds));
  TRY(holding.end());
  report.add("hold_seconds", static_cast<double>(holding.work.elapsed_ns) / kSecond);
  report.add("hold_cpu_s", holding.broker_cpu_s());
  return report;
}

}  // namespace moldau::bench
