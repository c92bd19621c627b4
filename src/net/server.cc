#include "net/server.h"

#include <algorithm>
#include <future>
#include <thread>
#include <utility>

#include "base/check.h"
#include "net/acceptor.h"
#include "net/connection_limits.h"
#include "net/listener.h"
#include "net/receive_budget.h"
#include "net/worker.h"

namespace moldau::net {
namespace {

// Keys of background jobs, one a loop; far from everybody else's.
constexpr std::uint64_t kColdReads = 0xc01d'0000'0000'0000;

}  // namespace

Server::Server(Options options, const env::Clock& clock, const MakeRandom& make_random, Log log)
    : options_(std::move(options)), log_(std::move(log)) {
  budget_ = std::make_shared<ReceiveBudget>(options_.queued_max_request_bytes, clock, [this] {
    for (const auto& worker : workers_) worker->room_nudge().send();
  });
  auto overrides = ConnectionLimits::resolve_overrides(options_);
  if (!overrides) overrides_status_ = std::unexpected(overrides.error());
  limits_ = std::make_unique<ConnectionLimits>(
      options_, overrides ? std::move(*overrides) : std::unordered_map<IpAddress, std::int32_t>(),
      [this] {
        for (const auto& acceptor : acceptors_) acceptor->room_again();
      },
      [this] {
        for (const auto& worker : workers_) worker->excess_nudge().send();
      });
  const unsigned count =
      options_.loops != 0 ? options_.loops : std::max(1u, std::thread::hardware_concurrency());
  holders_ = std::make_unique<Holders>(count);
  for (unsigned i = 0; i < count; ++i) {
    workers_.push_back(
        std::make_unique<Worker>(options_, clock, make_random(), budget_, *holders_, *limits_, log_));
    workers_.back()->loop().set_index(i);
    loops_.push_back(&workers_.back()->loop());
  }
}

Server::~Server() {
  stop(env::Duration::zero());
  budget_->close();
}

Status Server::bind(std::span<const ListenerSpec> listeners) {
  CHECK(state_ == State::kMade);
  TRY(overrides_status_);
  auto listening = listen_on_all(listeners, options_);
  if (!listening) return std::unexpected(listening.error());
  listening_ = std::move(*listening);
  for (const Listener& listener : listening_) bound_.push_back(listener.bound());
  state_ = State::kBound;
  return {};
}

void Server::read_cold_files_with(env::Background& background, const PageCache& cache) {
  CHECK(state_ == State::kMade || state_ == State::kBound);
  for (std::size_t i = 0; i < workers_.size(); ++i)
    workers_[i]->warmth().use(background, cache, kColdReads + i);
}

void Server::start(env::RequestHandler& handler) {
  CHECK(state_ == State::kBound);
  state_ = State::kServing;
  for (std::size_t i = 0; i < listening_.size(); ++i) {
    Worker& home = *workers_[i % workers_.size()];
    acceptors_.push_back(std::make_unique<Acceptor>(std::move(listening_[i]), home, workers_, *limits_,
                                                    next_id_, options_.descriptors));
  }
  listening_.clear();
  for (unsigned i = 0; i < workers_.size(); ++i) workers_[i]->start(handler, i);
  for (const auto& acceptor : acceptors_) {
    on_worker(acceptor->home(), [&] { acceptor->start(); });
  }
}

Status Server::change_limits(const Options& options) {
  TRY_ASSIGN(overrides, ConnectionLimits::resolve_overrides(options));
  limits_->change(options, std::move(overrides));
  return {};
}

void Server::stop(env::Duration grace, const Draining& draining) {
  const State before = std::exchange(state_, State::kStopped);
  listening_.clear();
  if (before != State::kServing) return;
  for (const auto& acceptor : acceptors_) {
    on_worker(acceptor->home(), [&] { acceptor->stop(); });
  }
  drain(grace, draining);
  for (const auto& worker : workers_) worker->loop().stop();
  for (const auto& worker : workers_) worker->join();
}

// The letters that hand over connections were posted before the acceptors stopped: they are read before
// these.
void Server::drain(env::Duration grace, const Draining& draining) {
  std::vector<std::future<void>> drained;
  for (const auto& worker : workers_) {
    auto done = std::make_shared<std::promise<void>>();
    drained.push_back(done->get_future());
    worker->call([w = worker.get(), done, &draining] {  // which outlives the wait below
      w->drain(draining, [done] { done->set_value(); });
    });
  }
  const auto deadline = std::chrono::steady_clock::now() + grace;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (drained[i].wait_until(deadline) == std::future_status::ready) continue;
    workers_[i]->call([w = workers_[i].get()] { w->end_all("the server stops"); });
    drained[i].wait();
  }
}

void Server::on_worker(Worker& worker, const std::function<void()>& f) {
  auto done = std::make_shared<std::promise<void>>();
  auto finished = done->get_future();
  worker.call([&f, done] {
    f();
    done->set_value();
  });
  finished.wait();
}

Stats Server::stats_of_loop(std::size_t index) const {
  Worker& worker = *workers_[index];
  const LoopCounters& c = worker.counters();
  Stats stats;
  stats.connections_created = c.opened.get();
  stats.connections_closed = c.closed.get();
  stats.connections = stats.connections_created - stats.connections_closed;
  stats.idle_closed = c.idle_closed.get();
  stats.stalled_closed = c.stalled_closed.get();
  stats.excess_closed = c.excess_closed.get();
  stats.refused_input = c.refused_input.get();
  stats.requests = c.requests.get();
  stats.requests_in_flight = c.in_flight.get();
  stats.bytes_in = c.bytes_in.get();
  stats.bytes_out = c.bytes_out.get();
  stats.bytes_sent_by_file = c.bytes_sent_by_file.get();
  stats.reads = c.reads.get();
  stats.writes = c.writes.get();
  stats.turns = c.turns.get();
  stats.read_pauses = c.read_pauses.get();
  stats.cold_reads = c.cold_reads.get();
  stats.cpu_ns = worker.cpu_ns();
  return stats;
}

Stats Server::stats() const {
  Stats sum;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const Stats one = stats_of_loop(i);
    sum.connections += one.connections;
    sum.connections_created += one.connections_created;
    sum.connections_closed += one.connections_closed;
    sum.idle_closed += one.idle_closed;
    sum.stalled_closed += one.stalled_closed;
    sum.excess_closed += one.excess_closed;
    sum.refused_input += one.refused_input;
    sum.requests += one.requests;
    sum.requests_in_flight += one.requests_in_flight;
    sum.bytes_in += one.bytes_in;
    sum.bytes_out += one.bytes_out;
    sum.bytes_sent_by_file += one.bytes_sent_by_file;
    sum.reads += one.reads;
    sum.writes += one.writes;
    sum.turns += one.turns;
    sum.read_pauses += one.read_pauses;
    sum.cold_reads += one.cold_reads;
    sum.cpu_ns += one.cpu_ns;
  }
  sum.connections_refused = limits_->refused();
  sum.receive_bytes_held = static_cast<std::uint64_t>(budget_->used());
  sum.receive_bytes_available = budget_->counts() ? budget_->limit() - budget_->used() : INT64_MAX;
  sum.receive_depleted_ms = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(budget_->depleted()).count());
  return sum;
}

}  // namespace moldau::net
