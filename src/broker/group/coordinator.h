// Drives one partition of __consumer_offsets: brings requests and deadlines to its machine, what the machine
// decides to the log, and the answers back when that cannot be lost.
//
//   loading ──load()──▶ active ──fail(): an append failed──▶ failed ──a second later──▶ loading
//      └───────────────────┴── resign(): led elsewhere, or gone ──▶ resigned
//
// Always holds: every request is answered once; an answer leaves after the records of its decision, and of
// all decisions before it, are acknowledged by the partition. Records are applied when they are handed to the
// partition: should it refuse them the machine is dropped and loaded again, so nobody ever sees them.
//
// Used from any thread: everything happens inside an env::Serial. (Kafka: CoordinatorRuntime.)
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/services.h"
#include "env/loop.h"
#include "env/random.h"
#include "group/machine.h"
#include "record/compression.h"
#include "replica/replica_manager.h"

namespace moldau::broker {

// Who waits for answers of coordinators. Called once for each part asked, from any thread; it may only take
// note and post to its loop.
class GroupAsker {
 public:
  virtual ~GroupAsker() = default;
  virtual void answered(std::size_t part, Bytes body, bool error) = 0;
  virtual void failed(std::size_t part, wire::ErrorCode error) = 0;  // nobody has decided
};

class GroupAlarm;
class GroupCoordinator;

// What it needs of the broker; all of it outlives it.
struct GroupWorld {
  env::Clock& clock;
  env::EventLog& events;
  env::Background& background;
  const env::Published<metadata::Image>& images;
  const env::Published<Settings>& settings;
  std::function<std::unique_ptr<env::Random>()> make_random;
  std::vector<env::Loop*> loops;  // one of them keeps the deadlines
};

struct GroupAsking {
  GroupAsker* asker = nullptr;  // alive until it has been called for all its parts
  std::size_t part = 0;
  std::int16_t version = 0;
  std::string_view client_id, client_host;
};

// What happens inside a GroupCoordinator: one thread at a time.
class GroupDriver {
 public:
  explicit GroupDriver(GroupCoordinator& owner) : owner_(owner) {}

  template <typename Request>
  void ask(GroupAsking asking, const Request& request);

 private:
  friend class GroupCoordinator;
  friend class GroupAlarm;
  class Write;
  struct Waiting {
    GroupAsker* asker;
    std::size_t part;
  };

  template <typename Decide>
  void decide(Decide&& decide);
  group::Context context(const metadata::Image& image, const config::BrokerConfig& config);
  void take(group::Decision decision);
  std::vector<Bytes> batches(const group::Decision& decision);
  void write(Bytes batch, std::vector<group::Answer> answers);
  void send(std::vector<group::Answer>& answers);
  void settled();
  void fail(wire::ErrorCode error, const std::string& why);
  void refuse_all(wire::ErrorCode error);
  void install(std::unique_ptr<group::Machine> machine);
  void load_failed(const Error& error);
  void forget(std::vector<std::string> topics);
  void resign();
  void tick();
  void arm();

  GroupCoordinator& owner_;
  std::unique_ptr<group::Machine> machine_;  // nullptr: not active
  wire::ErrorCode unavailable_ = wire::ErrorCode::kCoordinatorLoadInProgress;
  std::unique_ptr<env::Random> random_;
  group::Ticket next_ticket_ = 1;
  std::unordered_map<group::Ticket, Waiting> waiting_;
  std::deque<std::shared_ptr<Write>> writes_;  // handed to the partition and not acknowledged yet, in order
  std::uint64_t lives_ = 0;                    // of the machine: a write of an earlier one counts no more
  std::optional<env::Instant> reload_at_;
  std::set<std::string, std::less<>> deleted_;  // topics that went while the groups were loaded
  record::Compressor compressor_;
};

class GroupCoordinator : public std::enable_shared_from_this<GroupCoordinator> {
 public:
  using World = GroupWorld;
  using Asking = GroupAsking;
  using Shared = env::Serial<GroupDriver>;

  GroupCoordinator(const World& world, std::int32_t index, LeaderEpoch epoch, replica::LocalTopicRef topic);
  ~GroupCoordinator();

  std::int32_t index() const { return index_; }
  LeaderEpoch epoch() const { return epoch_; }
  const replica::LocalTopicRef& topic() const { return topic_; }

  // Runs `job` inside, now or soon.
  void execute(Shared::Job& job);

  void start();  // loads, in the background
  void resign();
  // Commits for these topics go with them.
  void topics_deleted(std::vector<std::string> topics);

 private:
  friend class GroupDriver;
  bool begin_load();  // false: too much waits to be done

  const World world_;
  const std::int32_t index_;
  const LeaderEpoch epoch_;
  const replica::LocalTopicRef topic_;
  std::unique_ptr<GroupAlarm> alarm_;
  std::unique_ptr<Shared> shared_;
};

template <typename Request>
void GroupDriver::ask(GroupAsking asking, const Request& request) {
  if (!machine_) return asking.asker->failed(asking.part, unavailable_);
  const group::Ticket ticket = next_ticket_++;
  const group::Caller caller{{ticket, asking.version}, asking.client_id, asking.client_host};
  waiting_.emplace(ticket, Waiting{asking.asker, asking.part});
  decide([&](const group::Context& context) { return machine_->handle(context, caller, request); });
}

template <typename Decide>
void GroupDriver::decide(Decide&& decide) {
  const auto image = owner_.world_.images.get();
  const auto settings = owner_.world_.settings.get();
  take(decide(context(*image, settings->config)));
  arm();
}

}  // namespace moldau::broker
