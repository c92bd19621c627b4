#include "group/machine.h"

#include <utility>

#include "group/classic_protocol.h"
#include "group/consumer_protocol.h"
#include "group/offset_requests.h"
#include "group/offsets.h"
#include "wire/gen/group_records.h"
#include "wire/reader.h"

namespace moldau::group {
namespace {

// Of one decision about offsets that go by themselves: a batch of some hundred kilobytes.
constexpr std::size_t kTombstonesAtOnce = 4096;

}  // namespace

Machine::Machine(env::Instant now)
    : timers_(now),
      offsets_(std::make_unique<Offsets>()),
      offset_requests_(std::make_unique<OffsetRequests>(groups_, *offsets_)),
      classic_(std::make_unique<ClassicProtocol>(groups_, timers_)),
      consumer_(std::make_unique<ConsumerProtocol>(groups_, timers_, *classic_)),
      expiry_(timers_, {Due::Kind::kOffsetsExpire, {}, {}}) {}

Machine::~Machine() = default;

Decision Machine::handle(const Context& context, const Caller& caller,
                         const wire::JoinGroupRequest& request) {
  Decision decision;
  const Step step{context, decision};
  if (consumer_->has(request.group_id)) {
    consumer_->join(step, caller, request);
  } else {
    consumer_->make_room(step, request);
    classic_->join(step, caller, request);
  }
  return decision;
}

Decision Machine::handle(const Context& context, const Caller& caller,
                         const wire::SyncGroupRequest& request) {
  Decision decision;
  if (consumer_->has(request.group_id)) {
    consumer_->sync({context, decision}, caller, request);
  } else {
    classic_->sync({context, decision}, caller, request);
  }
  return decision;
}

Decision Machine::handle(const Context& context, const Caller& caller,
                         const wire::HeartbeatRequest& request) {
  Decision decision;
  if (consumer_->has(request.group_id)) {
    consumer_->heartbeat({context, decision}, caller, request);
  } else {
    classic_->heartbeat({context, decision}, caller, request);
  }
  return decision;
}

Decision Machine::handle(const Context& context, const Caller& caller,
                         const wire::LeaveGroupRequest& request) {
  Decision decision;
  if (consumer_->has(request.group_id)) {
    consumer_->leave({context, decision}, caller, request);
  } else {
    classic_->leave({context, decision}, caller, request);
  }
  return decision;
}

Decision Machine::handle(const Context& context, const Caller& caller,
                         const wire::OffsetCommitRequest& request) {
  Decision decision = offset_requests_->commit(context, caller, request);
  if (!decision.records.empty())
    classic_->committed({context, decision}, request.group_id, request.member_id);
  return decision;
}

Decision Machine::handle(const Context& context, const Caller& caller,
                         const wire::OffsetFetchRequest& request) {
  return offset_requests_->fetch(context, caller, request);
}

Decision Machine::handle(const Context& context, const Caller& caller,
                         const wire::OffsetDeleteRequest& request) {
  return offset_requests_->remove(context, caller, request);
}

Decision Machine::handle(const Context& context, const Caller& caller,
                         const wire::ConsumerGroupHeartbeatRequest& request) {
  Decision decision;
  consumer_->heartbeat({context, decision}, caller, request);
  return decision;
}

Decision Machine::handle(const Context& context, const Caller& caller,
                         const wire::ConsumerGroupDescribeRequest& request) {
  Decision decision;
  consumer_->describe({context, decision}, caller, request);
  return decision;
}

Status Machine::apply(const RecordView& record, std::optional<ProducerId> producer) {
  wire::Reader key(record.key);
  const std::int16_t type = wire::read_coordinator_prefix(key);
  if (!key.ok()) return fail(ErrorKind::kCorrupt, std::string("key: ") + key.reason());
  switch (type) {
    case wire::LegacyOffsetCommitKey::kKey:
    case wire::OffsetCommitKey::kKey:
      return apply_commit(record, key, producer);
    case wire::GroupMetadataKey::kKey:
      return apply_classic(record, key);
    default:
      if (ConsumerProtocol::is_key(type)) return consumer_->apply(type, key, record.value);
      return fail(ErrorKind::kUnsupported,
                  "expected a key of a type that this release knows, found type " + std::to_string(type));
  }
}

Status Machine::apply_commit(const RecordView& record, wire::Reader& reader,
                             std::optional<ProducerId> producer) {
  TRY_ASSIGN(key, read_key<wire::OffsetCommitKey>(reader));  // the legacy key has the same fields
  if (!record.value) {
    offsets_->apply_tombstone(key);
    return {};
  }
  TRY_ASSIGN(value, read_value<wire::OffsetCommitValue>(*record.value));
  // Commits of somebody who is no member make a group.
  if (groups_.find(key.group) == nullptr)
    groups_.put(std::make_unique<ClassicGroup>(timers_, std::string(key.group), value.commit_timestamp));
  offsets_->apply(key,
                  {.offset = value.offset,
                   .leader_epoch = value.leader_epoch,
                   .metadata = std::string(value.metadata),
                   .commit_ms = value.commit_timestamp,
                   .expire_ms = value.expire_timestamp,
                   .topic_id = value.topic_id},
                  producer);
  return {};
}

// A group that is here already is what the record was made of.
Status Machine::apply_classic(const RecordView& record, wire::Reader& reader) {
  TRY_ASSIGN(key, read_key<wire::GroupMetadataKey>(reader));
  if (!record.value) {
    if (groups_.find_as<ClassicGroup>(key.group) != nullptr) groups_.remove(key.group);
    return {};
  }
  TRY_ASSIGN(value, read_value<wire::GroupMetadataValue>(*record.value));
  if (!loading_ && groups_.find_as<ClassicGroup>(key.group) != nullptr) return {};
  TRY_ASSIGN(group, ClassicGroup::from_record(timers_, key.group, value));
  groups_.put(std::move(group));
  return {};
}

void Machine::apply_end(ProducerId producer, bool committed) { offsets_->apply_end(producer, committed); }

Decision Machine::loaded(const Context& context) {
  loading_ = false;
  Decision decision;
  // Commits that outlived their group, which was on its way from one protocol to the other: somebody must be
  // able to list them and delete them, and they age.
  for (const auto& [name, committed] : offsets_->all())
    if (!committed.empty() && groups_.find(name) == nullptr)
      groups_.put(std::make_unique<ClassicGroup>(timers_, name, context.now.wall_ms));
  for (const auto& [name, group] : groups_.all()) {
    if (auto* classic = groups_.find_as<ClassicGroup>(name)) classic_->loaded({context, decision}, *classic);
    if (auto* consumer = groups_.find_as<ConsumerGroup>(name))
      consumer_->loaded({context, decision}, *consumer);
  }
  expiry_.set(context.now.steady +
              std::chrono::milliseconds(context.config.offsets_retention_check_interval_ms));
  return decision;
}

std::optional<Decision> Machine::tick(const Context& context) {
  const auto due = timers_.take(context.now.steady);
  if (!due) return std::nullopt;
  if (due->kind == Due::Kind::kOffsetsExpire) return expire(context);
  Decision decision;
  if (due->kind == Due::Kind::kConsumer || due->kind == Due::Kind::kRevocation) {
    consumer_->due({context, decision}, *due);
  } else {
    classic_->due({context, decision}, *due);
  }
  return decision;
}

std::optional<env::Instant> Machine::next_deadline() const { return timers_.next(); }

// A round over all groups is cut into decisions of bounded size.
Decision Machine::expire(const Context& context) {
  Decision decision{.divisible = true};
  const auto& all = groups_.all();
  for (auto at = all.lower_bound(expiring_.value_or("")); at != all.end(); ++at) {
    if (decision.records.size() >= kTombstonesAtOnce) {
      expiring_ = at->first;
      expiry_.set(context.now.steady);
      return decision;
    }
    offset_requests_->expire(context, *at->second, decision.records);
  }
  expiring_.reset();
  expiry_.set(context.now.steady +
              std::chrono::milliseconds(context.config.offsets_retention_check_interval_ms));
  return decision;
}

Decision Machine::topics_deleted(const Context&, const std::vector<std::string>& topics) {
  return {.records = offset_requests_->topics_deleted(topics, kTombstonesAtOnce), .divisible = true};
}

}  // namespace moldau::group
