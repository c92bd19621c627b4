#include "broker/group/coordinator.h"

#include <algorithm>
#include <utility>

#include "broker/group/alarm.h"
#include "broker/group/loader.h"
#include "broker/group/partition.h"
#include "record/builder.h"

namespace moldau::broker {
namespace {

using wire::ErrorCode;

constexpr std::string_view kLogger = "kafka.coordinator.group.GroupMetadataManager";
constexpr env::Duration kReloadAfter = std::chrono::seconds(1);
constexpr std::uint64_t kLoading = 0x67726f75;  // env::Background's key of the first partition

const Error kTooBusy{ErrorKind::kBusy, "too much waits to be done"};

// What a client does about it: looks for the coordinator again, and asks again.
ErrorCode as_coordinator_error(ErrorCode error) {
  switch (error) {
    case ErrorCode::kNotEnoughReplicas:
    case ErrorCode::kNotEnoughReplicasAfterAppend:
    case ErrorCode::kRequestTimedOut:
    case ErrorCode::kUnknownTopicOrPartition:
      return ErrorCode::kCoordinatorNotAvailable;
    default:
      return ErrorCode::kNotCoordinator;
  }
}

}  // namespace

// One batch on its way: a job for the partition, then a waiter of the partition, then a job for the inside.
// It keeps itself alive until it is through.
class GroupDriver::Write final : public replica::SharedPartition::Job,
                                 public replica::AckWaiter,
                                 public GroupCoordinator::Shared::Job,
                                 public std::enable_shared_from_this<Write> {
 public:
  Write(std::shared_ptr<GroupCoordinator> owner, std::uint64_t life, Bytes batch,
        std::vector<group::Answer> answers)
      : owner_(std::move(owner)), life_(life), batch_(std::move(batch)), answers_(std::move(answers)) {}

  void start(const replica::PartitionRef& partition, std::int32_t min_in_sync) {
    self_ = shared_from_this();
    min_in_sync_ = min_in_sync;
    partition->execute(*this);
  }

  void run(replica::Partition& partition) override {
    if (!partition.leads() || partition.leader_epoch() != owner_->epoch_)
      return acknowledged(ErrorCode::kNotLeaderOrFollower);
    const replica::Appended appended = partition.append(
        batch_, {.origin = log::AppendOrigin::kCoordinator, .now_ms = owner_->world_.clock.wall_ms()}, -1,
        min_in_sync_, replica::unowned(*this));
    why_ = appended.message;
    if (!appended.waits) acknowledged(appended.error);
  }
  void acknowledged(ErrorCode error) override {
    error_ = error;
    owner_->execute(*this);
  }
  void run(GroupDriver& inside) override {
    const auto self = std::move(self_);
    done_ = true;
    if (life_ == inside.lives_) inside.settled();
  }

 private:
  friend class GroupDriver;
  const std::shared_ptr<GroupCoordinator> owner_;
  const std::uint64_t life_;
  Bytes batch_;
  std::vector<group::Answer> answers_;
  std::int32_t min_in_sync_ = 1;
  ErrorCode error_ = ErrorCode::kNone;
  std::string why_;
  bool done_ = false;
  std::shared_ptr<Write> self_;
};

GroupCoordinator::GroupCoordinator(const World& world, std::int32_t index, LeaderEpoch epoch,
                                   replica::LocalTopicRef topic)
    : world_(world), index_(index), epoch_(epoch), topic_(std::move(topic)) {
  shared_ = std::make_unique<Shared>(*this);
  if (!world_.loops.empty()) {
    env::Loop& loop = *world_.loops[static_cast<std::size_t>(index) % world_.loops.size()];
    alarm_ = std::make_unique<GroupAlarm>(loop, *shared_);
  }
}

GroupCoordinator::~GroupCoordinator() = default;

void GroupCoordinator::execute(Shared::Job& job) { shared_->execute(job); }

bool GroupCoordinator::begin_load() {
  return world_.background.submit(kLoading + static_cast<std::uint64_t>(index_), [self = shared_from_this()] {
    auto machine = std::make_unique<group::Machine>(self->world_.clock.now());
    const auto loaded = load_groups(*machine, *self->topic_->at(self->index_), self->world_.events);
    self->shared_->with([&](GroupDriver& inside) {
      loaded ? inside.install(std::move(machine)) : inside.load_failed(loaded.error());
    });
  });
}

void GroupCoordinator::start() {
  if (!begin_load()) shared_->with([](GroupDriver& inside) { inside.load_failed(kTooBusy); });
}

void GroupCoordinator::resign() {
  shared_->with([](GroupDriver& inside) { inside.resign(); });
}

void GroupCoordinator::topics_deleted(std::vector<std::string> topics) {
  shared_->with([&](GroupDriver& inside) { inside.forget(std::move(topics)); });
}

// While the groups are loaded the names wait: nothing can be committed to topics of that name meanwhile.
void GroupDriver::forget(std::vector<std::string> topics) {
  if (!machine_) {
    if (unavailable_ != ErrorCode::kNotCoordinator) deleted_.insert(topics.begin(), topics.end());
    return;
  }
  bool more = true;
  while (more && machine_) {
    decide([&](const group::Context& context) {
      group::Decision decision = machine_->topics_deleted(context, topics);
      more = !decision.records.empty();
      return decision;
    });
  }
}

group::Context GroupDriver::context(const metadata::Image& image, const config::BrokerConfig& config) {
  const GroupWorld& world = owner_.world_;
  if (!random_) random_ = world.make_random();
  return {.now = {world.clock.now(), world.clock.wall_ms()},
          .random = *random_,
          .image = image,
          .config = config,
          .max_batch_bytes = static_cast<std::size_t>(owner_.topic_->config->max_message_bytes)};
}

void GroupDriver::take(group::Decision decision) {
  for (const std::string& note : decision.notes)
    owner_.world_.events.write(
        env::Level::kInfo, kLogger,
        note + " (" + std::string(kOffsetsTopic) + "-" + std::to_string(owner_.index_) + ")");
  if (decision.records.empty()) {
    // It may tell of what is still on its way to the log.
    if (writes_.empty()) return send(decision.answers);
    auto& behind = writes_.back()->answers_;
    return static_cast<void>(behind.insert(behind.end(), std::move_iterator(decision.answers.begin()),
                                           std::move_iterator(decision.answers.end())));
  }
  std::vector<Bytes> to_write = batches(decision);
  for (const group::Record& record : decision.records) {
    const auto value = record.value ? std::optional(ByteView(*record.value)) : std::nullopt;
    const Status applied = machine_->apply({record.key, value});
    CHECK(applied, applied.error().message);
  }
  const std::uint64_t life = lives_;
  for (std::size_t i = 0; i < to_write.size() && life == lives_; ++i) {
    const bool last = i + 1 == to_write.size();
    write(std::move(to_write[i]), last ? std::move(decision.answers) : std::vector<group::Answer>());
  }
}

// One batch; or several, as large as they may be, of records that mean the same one by one.
std::vector<Bytes> GroupDriver::batches(const group::Decision& decision) {
  const config::TopicConfig& topic = *owner_.topic_->config;
  const auto most = static_cast<std::size_t>(topic.max_message_bytes);
  const std::int64_t now_ms = owner_.world_.clock.wall_ms();
  const record::BatchSpec spec{.compression = static_cast<record::Codec>(
                                   owner_.world_.settings.get()->config.offsets_topic_compression_codec)};
  std::vector<Bytes> made;
  std::optional<record::BatchBuilder> builder(spec);
  for (const group::Record& stored : decision.records) {
    const record::NewRecord record{
        .timestamp = now_ms,
        .key = ByteView(stored.key),
        .value = stored.value ? record::NullableBytes(ByteView(*stored.value)) : std::nullopt};
    const std::size_t with = builder->uncompressed_size() + record::BatchBuilder::size_bound(record);
    if (decision.divisible && with > most && !builder->empty()) {
      made.push_back(std::move(*builder).finish(compressor_));
      builder.emplace(spec);
    }
    builder->append(record);
  }
  made.push_back(std::move(*builder).finish(compressor_));
  return made;
}

void GroupDriver::write(Bytes batch, std::vector<group::Answer> answers) {
  auto write =
      std::make_shared<Write>(owner_.shared_from_this(), lives_, std::move(batch), std::move(answers));
  writes_.push_back(write);
  write->start(owner_.topic_->at(owner_.index_), owner_.topic_->config->min_insync_replicas);
}

void GroupDriver::send(std::vector<group::Answer>& answers) {
  for (group::Answer& answer : answers) {
    const auto found = waiting_.find(answer.ticket);
    CHECK(found != waiting_.end(), "an answer to a request that is not there");
    const Waiting waiting = std::move(found->second);
    waiting_.erase(found);
    if (answer.unsayable)
      waiting.asker->failed(waiting.part, ErrorCode::kUnknownServerError);
    else
      waiting.asker->answered(waiting.part, std::move(answer.body), answer.error);
  }
}

void GroupDriver::settled() {
  while (!writes_.empty() && writes_.front()->done_) {
    const auto first = std::move(writes_.front());
    writes_.pop_front();
    if (first->error_ != ErrorCode::kNone) return fail(first->error_, first->why_);
    send(first->answers_);
  }
}

void GroupDriver::fail(ErrorCode error, const std::string& why) {
  owner_.world_.events.write(env::Level::kError, kLogger,
                             std::string(kOffsetsTopic) + "-" + std::to_string(owner_.index_) +
                                 " takes no records (" + std::string(wire::name(error)) +
                                 (why.empty() ? "" : ": " + why) +
                                 "): its groups are loaded again, and members come back by themselves");
  unavailable_ = ErrorCode::kCoordinatorLoadInProgress;
  refuse_all(as_coordinator_error(error));
  reload_at_ = owner_.world_.clock.now() + kReloadAfter;
  arm();
}

void GroupDriver::refuse_all(ErrorCode error) {
  machine_.reset();
  ++lives_;
  writes_.clear();
  for (auto& [ticket, waiting] : std::exchange(waiting_, {})) waiting.asker->failed(waiting.part, error);
}

void GroupDriver::install(std::unique_ptr<group::Machine> machine) {
  if (unavailable_ == ErrorCode::kNotCoordinator) return;  // resigned meanwhile
  machine_ = std::move(machine);
  decide([&](const group::Context& context) { return machine_->loaded(context); });
  const auto deleted = std::exchange(deleted_, {});
  if (!deleted.empty()) forget({deleted.begin(), deleted.end()});
}

void GroupDriver::load_failed(const Error& error) {
  if (unavailable_ == ErrorCode::kNotCoordinator) return;
  owner_.world_.events.write(env::Level::kError, kLogger,
                             std::string(kOffsetsTopic) + "-" + std::to_string(owner_.index_) +
                                 " cannot be loaded, and is tried again: " + error.message);
  reload_at_ = owner_.world_.clock.now() + kReloadAfter;
  arm();
}

void GroupDriver::resign() {
  unavailable_ = ErrorCode::kNotCoordinator;
  reload_at_.reset();
  deleted_.clear();
  refuse_all(ErrorCode::kNotCoordinator);
}

void GroupDriver::tick() {
  if (reload_at_ && *reload_at_ <= owner_.world_.clock.now()) {
    reload_at_.reset();
    if (!owner_.begin_load()) return load_failed(kTooBusy);
  }
  if (!machine_) return arm();
  const auto image = owner_.world_.images.get();
  const auto settings = owner_.world_.settings.get();
  while (machine_) {
    auto decision = machine_->tick(context(*image, settings->config));
    if (!decision) break;
    take(std::move(*decision));
  }
  arm();
}

void GroupDriver::arm() {
  if (!owner_.alarm_) return;
  const auto next = machine_ ? machine_->next_deadline() : reload_at_;
  if (next) owner_.alarm_->want(*next);
}

}  // namespace moldau::broker
