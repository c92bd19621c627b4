#include "sim/consumer.h"

#include <algorithm>
#include <limits>

#include "log/log_types.h"
#include "sim/reader.h"

namespace moldau::sim {
namespace {

using wire::ErrorCode;

// From the moment that data may be read to the reply of a fetch that waits for them.
constexpr env::Duration kPrompt = milliseconds(80);

}  // namespace

std::string ConsumerSpec::to_string() const {
  return "Fetch " + std::to_string(version) + (committed ? " committed" : "") + (session ? " session" : "") +
         " wait " + std::to_string(max_wait_ms) + " min " + std::to_string(min_bytes) + " max " +
         std::to_string(max_bytes) + "/" + std::to_string(partition_max_bytes);
}

Consumer::Consumer(World& world, std::string name, ConsumerSpec spec, std::vector<Partition*> targets)
    : Client(world, std::move(name)), spec_(spec) {
  for (Partition* partition : targets)
    targets_.push_back({.partition = partition, .max_bytes = spec.partition_max_bytes});
}

std::int64_t Consumer::last_readable(const Partition& p) const {
  const std::int64_t end = p.watched ? p.watched->high_watermark : 0;
  return spec_.committed && p.first_transactional != kNowhere ? std::min(end, p.first_transactional) : end;
}

bool Consumer::done() const {
  return std::ranges::all_of(targets_, [&](const Target& t) {
    return t.partition->topic->dying || t.partition->rotted || t.position >= last_readable(*t.partition);
  });
}

void Consumer::connected() { go_on(); }

void Consumer::disconnected() {
  busy_ = false;
  in_session_ = false;
}

void Consumer::go_on() {
  if (busy_ || !is_connected() || left()) return;
  for (Target& target : targets_)
    if (target.lost_place && !target.partition->topic->dying) return find_place(target);
  fetch();
  if (is_connected() && one_in(4)) look_up();
}

void Consumer::add(wire::FetchRequest& request, Target& target) {
  const Topic& topic = *target.partition->topic;
  if (request.topics.empty() || request.topics.back().topic != topic.name)
    request.topics.push_back({.topic = topic.name, .topic_id = topic.id, .partitions = {}});
  request.topics.back().partitions.push_back({.partition = target.partition->index,
                                              .fetch_offset = target.position,
                                              .partition_max_bytes = target.max_bytes});
}

void Consumer::fetch() {
  busy_ = true;
  asked_version_ = spec_.version;
  const auto no_id = [](const Target& t) { return t.partition->topic->id.is_zero(); };
  if (asked_version_ >= 13 && std::ranges::any_of(targets_, no_id)) asked_version_ = 12;
  const bool session = spec_.session && asked_version_ == spec_.version && asked_version_ >= 7;
  wire::FetchRequest request;
  request.max_wait_ms = spec_.max_wait_ms;
  request.min_bytes = spec_.min_bytes;
  request.max_bytes = spec_.max_bytes;
  request.isolation_level = spec_.committed ? 1 : 0;
  if (session) {
    request.session_id = in_session_ ? session_id_ : 0;
    request.session_epoch = in_session_ ? session_epoch_ : 0;
  }
  for (Target& target : targets_) {
    target.end_when_asked = target.partition->watched ? target.partition->watched->end : 0;
    if (session && in_session_ && target.in_session == target.position) continue;
    target.in_session = target.position;
    add(request, target);
  }
  const auto times = std::make_shared<RequestNote::Times>();
  ask<wire::FetchResponse>(
      asked_version_, request,
      [this, times](const wire::FetchResponse& response) { fetched(response, *times); }, spec_.max_wait_ms,
      true, times);
}

Consumer::Target* Consumer::find(std::string_view topic, const Uuid& id, std::int32_t index) {
  const auto found = std::ranges::find_if(targets_, [&](const Target& t) {
    const Topic& own = *t.partition->topic;
    return t.partition->index == index && (asked_version_ >= 13 ? own.id == id : own.name == topic);
  });
  return found == targets_.end() ? nullptr : &*found;
}

void Consumer::fetched(const wire::FetchResponse& response, const RequestNote::Times& times) {
  busy_ = false;
  const bool session = spec_.session && asked_version_ >= 7 && asked_version_ == spec_.version;
  bool got_records = false;
  if (response.error_code != 0) {
    const ErrorCode error = error_of(response.error_code);
    if (!session || !in_session_)
      return world_.violate(name() + " has no session, and is told " + std::string(wire::name(error)));
    in_session_ = false;
  } else if (session) {
    session_epoch_ = in_session_ ? session_epoch_ + 1 : 1;
    session_id_ = response.session_id;
    in_session_ = session_id_ != 0;
  }
  for (const auto& topic : response.responses)
    for (const auto& data : topic.partitions) got_records |= data.records.size() > 0;
  if (got_records) check_promptness(times);
  for (const auto& topic : response.responses) {
    for (const auto& data : topic.partitions) {
      Target* const target = find(topic.topic, topic.topic_id, data.partition_index);
      if (target == nullptr)
        return world_.violate(name() + " is told of a partition that it did not ask for");
      take(*target, data);
      if (world_.over()) return;
    }
  }
  const std::int64_t rest_us = got_records ? 2000 : spec_.max_wait_ms == 0 ? 150'000 : 30'000;
  after(microseconds(world_.random.between(10, rest_us)), [this] { go_on(); });
}

// Only where one byte is enough, so it is clear what should have ended the wait.
void Consumer::check_promptness(const RequestNote::Times& times) const {
  if (spec_.min_bytes > 1 || spec_.committed) return;
  for (const Target& target : targets_) {
    const auto since = target.partition->readable_since(target.position);
    if (!since || target.partition->rotted) continue;
    const env::Duration late = times.answered - std::max(*since, times.arrived);
    if (late > kPrompt + 100 * world_.disk_slowness + world_.reading_in())
      world_.violate(name() + " waits for " + target.partition->name() + " at offset " +
                     std::to_string(target.position) + ", which could be read, and is told " +
                     std::to_string(late / milliseconds(1)) + " ms later");
  }
}

void Consumer::refused(Target& target, ErrorCode error) {
  const Partition& p = *target.partition;
  world_.note([&] {
    return name() + " is told " + p.name() + " " + std::to_string(target.position) + " " +
           std::string(wire::name(error));
  });
  target.in_session = kNowhere;
  const bool unknown = error == ErrorCode::kUnknownTopicOrPartition || error == ErrorCode::kUnknownTopicId;
  if (unknown && !p.topic->dying && world_.disk_is_well() && p.index < p.topic->partitions_promised)
    return world_.violate(name() + " is told that " + p.name() + " does not exist");
  if (error != ErrorCode::kOffsetOutOfRange) return;
  if (p.watched && target.position >= p.watched->start && target.position <= target.end_when_asked)
    return world_.violate(name() + " is told that offset " + std::to_string(target.position) + " of " +
                          p.name() + " is out of range, and the log is from " +
                          std::to_string(p.watched->start) + " to " + std::to_string(p.watched->end));
  target.lost_place = true;
}

void Consumer::take(Target& target, const wire::FetchResponse::PartitionData& data) {
  Partition& p = *target.partition;
  if (data.error_code != 0) return refused(target, error_of(data.error_code));
  if (p.topic->dying) return;
  if (p.watched && data.high_watermark > p.watched->high_watermark)
    return world_.violate(name() + " is told the high watermark " + std::to_string(data.high_watermark) +
                          " of " + p.name() + ", which is only at " +
                          std::to_string(p.watched->high_watermark));
  if (asked_version_ >= 4 && data.last_stable_offset > data.high_watermark)
    return world_.violate(name() + " is told a last stable offset above the high watermark");
  Reader reader(world_, p, target.position);
  // A transaction whose first record was deleted is forgotten at a start, as by Kafka: nothing of it can be
  // read.
  const bool open =
      p.first_transactional != kNowhere && p.watched && p.first_transactional >= p.watched->start;
  const std::int64_t stable =
      spec_.committed && open ? p.first_transactional : std::numeric_limits<std::int64_t>::max();
  reader.set_limit(std::min(data.high_watermark, stable));
  reader.set_largest_magic(asked_version_ < 2 ? 0 : asked_version_ < 4 ? 1 : 2);
  reader.on_record([&](std::int64_t, std::optional<RecordId> id) {
    const Writer* by = id ? world_.ledger.writer(id->writer) : nullptr;
    if (spec_.committed && by != nullptr && by->transactional)
      world_.violate(name() + " reads committed records only, and gets one of an open transaction");
  });
  const std::int64_t before = target.position;
  const bool sound = reader.take(data.records.bytes, asked_version_ >= 4);
  target.position = reader.position();
  world_.note([&] {
    return name() + " reads " + p.name() + " " + std::to_string(before) + " to " +
           std::to_string(target.position) + " hw " + std::to_string(data.high_watermark);
  });
  if (!sound && !world_.over()) target.position = std::min(last_readable(p), target.position + 1);
  // Old fetches get no batch that is larger than they said; they say more.
  if (target.position == before && data.records.size() > 0)
    target.max_bytes = std::min(target.max_bytes * 4, 1 << 20);
  if (target.position == before && data.records.size() == 0 && asked_version_ < 3 &&
      before < data.high_watermark)
    target.max_bytes = std::min(target.max_bytes * 4, 1 << 20);
}

void Consumer::find_place(Target& target) {
  busy_ = true;
  wire::ListOffsetsRequest request;
  request.replica_id = -1;
  request.isolation_level = 0;
  request.topics.push_back({.name = target.partition->topic->name, .partitions = {}});
  request.topics.back().partitions.push_back({.partition_index = target.partition->index,
                                              .timestamp = log::kEarliestTimestamp,
                                              .max_num_offsets = 1});
  ask<wire::ListOffsetsResponse>(
      spec_.list_version, request, [this, &target](const wire::ListOffsetsResponse& response) {
        busy_ = false;
        if (!response.topics.empty() && !response.topics[0].partitions.empty()) {
          const auto& found = response.topics[0].partitions[0];
          const std::int64_t offset = spec_.list_version > 0            ? found.offset
                                      : found.old_style_offsets.empty() ? kNowhere
                                                                        : found.old_style_offsets[0];
          if (found.error_code == 0) {
            const Partition& p = *target.partition;
            if (p.watched && !p.topic->dying && (offset < 0 || offset > p.watched->start))
              return world_.violate(name() + " is told that " + p.name() + " begins at offset " +
                                    std::to_string(offset) + ", and it begins at " +
                                    std::to_string(p.watched->start));
            target.position = std::max<std::int64_t>(offset, 0);
            target.lost_place = false;
          }
        }
        after(milliseconds(world_.random.between(1, 40)), [this] { go_on(); });
      });
}

// Beside the fetch, on the same connection: replies must keep the order.
void Consumer::look_up() {
  Partition& p = *targets_[below(targets_.size())].partition;
  if (p.topic->dying || spec_.list_version == 0) return;
  std::int64_t timestamp = log::kLatestTimestamp;
  const std::int64_t known = std::ssize(p.log);
  if (known > 0 && !one_in(4)) {
    const Known& some = p.log[below(static_cast<std::uint64_t>(known))];
    if (some.timestamp >= 0) timestamp = some.timestamp + world_.random.between(-1, 1);
  }
  if (spec_.list_version >= 7 && one_in(6)) timestamp = log::kMaxTimestamp;
  wire::ListOffsetsRequest request;
  request.replica_id = -1;
  request.topics.push_back({.name = p.topic->name, .partitions = {}});
  request.topics.back().partitions.push_back({.partition_index = p.index, .timestamp = timestamp});
  const std::int64_t end = p.watched ? p.watched->high_watermark : 0;
  ask<wire::ListOffsetsResponse>(
      spec_.list_version, request,
      [this, &p, timestamp, end, acked = p.acked_end](const wire::ListOffsetsResponse& response) {
        check_look_up(p, timestamp, end, acked, response);
      });
}

void Consumer::check_look_up(Partition& p, std::int64_t timestamp, std::int64_t end_when_asked,
                             std::int64_t acked_when_asked, const wire::ListOffsetsResponse& response) {
  if (response.topics.size() != 1 || response.topics[0].partitions.size() != 1)
    return world_.violate(name() + " asked for one partition's offset, and got another number of them");
  const auto& found = response.topics[0].partitions[0];
  if (found.error_code != 0 || p.topic->dying || p.rotted || !p.watched) return;
  if (timestamp == log::kLatestTimestamp) {
    if (found.offset < acked_when_asked || found.offset > p.watched->high_watermark)
      world_.violate(name() + " is told that " + p.name() + " ends at offset " +
                     std::to_string(found.offset) + ", which was acknowledged up to " +
                     std::to_string(acked_when_asked));
  } else if (timestamp == log::kMaxTimestamp) {
    if (found.timestamp < 0 || p.topic->compacted)
      return;  // the largest may not be read yet, and then none is told
    for (std::int64_t o = p.watched->start; o < std::min(end_when_asked, std::ssize(p.log)); ++o)
      if (p.log[static_cast<std::size_t>(o)].timestamp > found.timestamp)
        return world_.violate(name() + " is told the largest time " + std::to_string(found.timestamp) +
                              " of " + p.name() + ", and offset " + std::to_string(o) + " has a larger one");
  } else {
    world_.ledger.looked_up(p, timestamp, found.offset, end_when_asked);
  }
}

}  // namespace moldau::sim
