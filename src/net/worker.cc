#include "net/worker.h"

#include <algorithm>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <utility>

#include "base/check.h"
#include "net/socket_connection.h"

namespace moldau::net {
namespace {

// A function as a letter; it takes itself off.
struct Call final : env::Task {
  explicit Call(std::function<void()> f) : function(std::move(f)) {}
  void run() override {
    const std::unique_ptr<Call> self(this);
    function();
  }
  std::function<void()> function;
};

}  // namespace

Worker::Worker(const Options& options, const env::Clock& clock, std::unique_ptr<env::Random> random,
               std::shared_ptr<ReceiveBudget> budget, Holders& holders, ConnectionLimits& limits, Log log)
    : options_(options),
      limits_(limits),
      log_(std::move(log)),
      budget_(std::move(budget)),
      loop_(clock, std::move(random)),
      pool_(budget_),
      warmth_(loop_),
      room_nudge_(loop_, [this] { look_for_room(); }),
      excess_nudge_(loop_, [this] { close_excess(); }),
      starvation_watch_(loop_, *budget_, holders, connections_) {
  loop_.set_on_rest(options.on_rest);
}

Worker::~Worker() { CHECK(connections_.empty()); }

void Worker::start(env::RequestHandler& handler, unsigned number) {
  handler_ = &handler;
  thread_ = std::thread([this] {
    sigset_t all;  // signals are the main thread's; SIGPIPE, which sendfile raises, is nobody's
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    loop_.run();
  });
  pthread_setname_np(thread_.native_handle(), ("moldau-net-" + std::to_string(number)).c_str());
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::call(std::function<void()> f) { loop_.post(*new Call(std::move(f))); }

std::uint64_t Worker::cpu_ns() const {
  clockid_t clock{};
  timespec time{};
  auto& thread = const_cast<std::thread&>(thread_);
  if (!thread.joinable() || pthread_getcpuclockid(thread.native_handle(), &clock) != 0) return 0;
  if (clock_gettime(clock, &time) != 0) return 0;
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(time.tv_nsec);
}

void Worker::adopt(Accepted&& accepted) {
  load_.fetch_add(1, std::memory_order_relaxed);
  if (thread_.get_id() == std::this_thread::get_id()) {
    take_over(std::move(accepted));
  } else {
    call([this, a = std::make_shared<Accepted>(std::move(accepted))] { take_over(std::move(*a)); });
  }
}

void Worker::take_over(Accepted&& accepted) {
  auto connection = std::make_shared<SocketConnection>(*this, std::make_unique<SocketStream>(accepted.fd),
                                                       std::move(accepted.info), accepted.address);
  connection->place = connections_.size();
  connection->exempt_from_max_connections = accepted.exempt;
  connections_.push_back(connection.get());
  SocketConnection::start(std::move(connection), accepted.fd);
  if (limits_.has_excess()) excess_nudge_.send();  // it was on its way when the others were looked at
}

void Worker::ended(SocketConnection& connection, const IpAddress& address) {
  connections_[connection.place] = connections_.back();
  connections_[connection.place]->place = connection.place;
  connections_.pop_back();
  if (connection.waits_for_room) std::erase(wait_for_room_, &connection);
  load_.fetch_sub(1, std::memory_order_relaxed);
  limits_.give_back(connection.info().listener, address, connection.claimed_as_excess);
  if (connections_.empty() && drained_) std::exchange(drained_, nullptr)();
}

void Worker::wait_for_room(SocketConnection& connection) {
  if (!connection.waits_for_room) {
    connection.waits_for_room = true;
    wait_for_room_.push_back(&connection);
  }
  budget_->wait_for_room(loop_.now());
}

void Worker::look_for_room() {
  if (const auto line = starvation_watch_.look()) log_(LogLevel::kWarn, *line);
  for (SocketConnection* connection : std::exchange(wait_for_room_, {})) {
    connection->waits_for_room = false;
    loop_.next_turn(*connection);
  }
}

// More than max.connections: as in Kafka each loop closes its least recently used ones, but those that are
// served right now last.
void Worker::close_excess() {
  std::vector<SocketConnection*> victims;
  for (SocketConnection* connection : connections_) {
    if (!connection->exempt_from_max_connections) victims.push_back(connection);
  }
  if (victims.empty()) return;
  const std::int64_t count = limits_.claim_excess(static_cast<std::int64_t>(victims.size()));
  if (count == 0) return;
  const auto earlier = [](const SocketConnection* a, const SocketConnection* b) {
    return std::pair(!a->is_idle(), a->last_active()) < std::pair(!b->is_idle(), b->last_active());
  };
  std::ranges::partial_sort(victims, victims.begin() + count, earlier);
  victims.resize(static_cast<std::size_t>(count));
  for (SocketConnection* victim : victims) {
    victim->claimed_as_excess = true;
    victim->end_now("there are more connections than max.connections");
  }
  counters().excess_closed.add(static_cast<std::uint64_t>(count));
}

void Worker::drain(const std::function<void(env::Connection&)>& draining, std::function<void()> drained) {
  if (connections_.empty()) return drained();
  drained_ = std::move(drained);
  const auto all = connections_;  // one that fails takes itself off the list, and lives until the turn ends
  for (SocketConnection* connection : all) connection->drain(draining);
}

void Worker::end_all(const std::string& why) {
  while (!connections_.empty()) connections_.back()->end_now(why);
}

}  // namespace moldau::net
