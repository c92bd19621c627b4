#include "sim/admin.h"

#include <algorithm>
#include <utility>

#include "wire/gen/alter_replica_log_dirs.h"
#include "wire/gen/create_partitions.h"
#include "wire/gen/create_topics.h"
#include "wire/gen/delete_records.h"
#include "wire/gen/delete_topics.h"
#include "wire/gen/incremental_alter_configs.h"
#include "wire/gen/metadata.h"

namespace moldau::sim {

using wire::ErrorCode;

Admin::Admin(World& world, std::vector<TopicWish> topics, int deeds, std::function<void()> ready)
    : Client(world, "admin"), wishes_(std::move(topics)), deeds_left_(deeds), ready_(std::move(ready)) {}

void Admin::connected() { go_on(); }

void Admin::disconnected() {
  busy_ = false;
  go_on_soon();
}

void Admin::go_on_soon() {
  if (std::exchange(resting_, true)) return;
  const bool making = made_ < wishes_.size();
  after(milliseconds(making ? world_.random.between(1, 20) : world_.random.between(20, 500)), [this] {
    resting_ = false;
    go_on();
  });
}

void Admin::go_on() {
  if (busy_ || !is_connected() || left()) return;
  if (made_ < wishes_.size()) {
    return create(wishes_[made_], [this](bool created) {
      if (created && ++made_ == wishes_.size()) ready_();
      go_on_soon();
    });
  }
  if (!deleting_.empty()) return delete_topic(*world_.ledger.find(deleting_));
  if (deeds_left_ > 0) do_something();
}

void Admin::create(const TopicWish& wish, std::function<void(bool)> then) {
  Topic* known = world_.ledger.find(wish.name);
  if (known == nullptr) {
    known = &world_.ledger.add_topic(wish.name);
    known->flush_each = wish.configs.contains("flush.messages");
    known->retention = wish.configs.contains("retention.ms") || wish.configs.contains("retention.bytes");
    known->compacted = wish.configs.contains("cleanup.policy");
    known->append_time = wish.configs.contains("message.timestamp.type");
  }
  wire::CreateTopicsRequest request;
  request.topics.push_back({.name = wish.name, .num_partitions = wish.partitions, .replication_factor = 1});
  for (const auto& [name, value] : wish.configs)
    request.topics[0].configs.push_back({.name = name, .value = value});
  busy_ = true;
  world_.note([&] {
    std::string text =
        "admin creates " + wish.name + " with " + std::to_string(wish.partitions) + " partitions";
    for (const auto& [name, value] : wish.configs) text += " " + name + "=" + value;
    return text;
  });
  ask<wire::CreateTopicsResponse>(
      static_cast<std::int16_t>(below(8)), request,
      [this, wish, known, then](const wire::CreateTopicsResponse& response) {
        busy_ = false;
        const ErrorCode error =
            response.topics.empty() ? ErrorCode::kNone : error_of(response.topics[0].error_code);
        const bool there = error == ErrorCode::kNone || error == ErrorCode::kTopicAlreadyExists;
        if (there) {
          known->created = true;
          known->configs = wish.configs;
          known->partitions_promised = wish.partitions;
          for (std::int32_t i = 0; i < wish.partitions; ++i) world_.ledger.partition(*known, i);
          const auto image = world_.broker()->services().images.get();
          if (image->find_topic(wish.name) == nullptr)
            world_.violate(wish.name + " is acknowledged, and not in the image");
        } else if (error == ErrorCode::kInvalidConfig || error == ErrorCode::kInvalidRequest) {
          world_.violate("admin cannot create " + wish.name + ": " +
                         std::string(response.topics[0].error_message.value_or("")));
        }
        then(there);
      });
}

Topic* Admin::some_topic() {
  std::vector<Topic*> alive;
  for (const auto& topic : world_.ledger.topics())
    if (topic->created && !topic->dying) alive.push_back(topic.get());
  return alive.empty() ? nullptr : alive[below(alive.size())];
}

void Admin::do_something() {
  --deeds_left_;
  Topic* const topic = some_topic();
  if (topic == nullptr) return;
  switch (below(7)) {
    case 0:
    case 1:
      return delete_records(*topic);
    case 2:
      return alter_config(*topic);
    case 3:
      return add_partition(*topic);
    case 4:
      return create({.name = "spare" + std::to_string(next_spare_++), .partitions = 1, .configs = {}},
                    [this](bool) { go_on_soon(); });
    case 5:
      // Only topics that nobody waits for may go, or one in a while that somebody uses.
      if (topic->name.starts_with("spare") || one_in(4)) return delete_topic(*topic);
      return describe(*topic);
    default:
      return world_.climate.directories > 1 ? move_partition(*topic) : describe(*topic);
  }
}

// To the other log directory, or back while it is on its way.
void Admin::move_partition(Topic& topic) {
  const auto index = static_cast<std::int32_t>(below(static_cast<std::uint64_t>(topic.partitions_promised)));
  const char* const directory = one_in(2) ? "/d1" : "/d0";
  wire::AlterReplicaLogDirsRequest request;
  request.dirs.push_back({.path = directory, .topics = {}});
  request.dirs[0].topics.push_back({.name = topic.name, .partitions = {index}});
  busy_ = true;
  world_.note([&] { return "admin moves " + topic.name + "-" + std::to_string(index) + " to " + directory; });
  ask<wire::AlterReplicaLogDirsResponse>(
      static_cast<std::int16_t>(below(3)), request,
      [this, &topic](const wire::AlterReplicaLogDirsResponse& response) {
        busy_ = false;
        const ErrorCode error = error_of(response.results.at(0).partitions.at(0).error_code);
        const bool expected = error == ErrorCode::kNone || error == ErrorCode::kKafkaStorageError ||
                              (error == ErrorCode::kUnknownTopicOrPartition && topic.dying);
        if (!expected) world_.violate(topic.name + " cannot move: " + std::string(wire::name(error)));
        go_on_soon();
      });
}

void Admin::delete_records(Topic& topic) {
  Partition& p = world_.ledger.partition(
      topic, static_cast<std::int32_t>(below(static_cast<std::uint64_t>(topic.partitions_promised))));
  if (!p.watched) return go_on_soon();
  const bool all = one_in(4);
  const std::int64_t offset = all ? -1 : world_.random.between(p.watched->start, p.watched->high_watermark);
  p.delete_asked = std::max(p.delete_asked, all ? p.watched->high_watermark + 10'000 : offset);
  wire::DeleteRecordsRequest request;
  request.timeout_ms = 1000;
  request.topics.push_back(
      {.name = topic.name, .partitions = {{.partition_index = p.index, .offset = offset}}});
  busy_ = true;
  world_.note([&] { return "admin deletes " + p.name() + " below offset " + std::to_string(offset); });
  ask<wire::DeleteRecordsResponse>(
      static_cast<std::int16_t>(below(3)), request,
      [this, &p, offset](const wire::DeleteRecordsResponse& response) {
        busy_ = false;
        const auto& told = response.topics.at(0).partitions.at(0);
        if (told.error_code == 0 && p.watched &&
            (told.low_watermark < offset || told.low_watermark > p.watched->start))
          world_.violate(p.name() + ": records below " + std::to_string(offset) +
                         " deleted, the start is told as " + std::to_string(told.low_watermark) + " and is " +
                         std::to_string(p.watched->start));
        go_on_soon();
      });
}

void Admin::alter_config(Topic& topic) {
  static constexpr std::pair<const char*, const char*> kChoices[] = {
      {"segment.ms", "400"},          {"index.interval.bytes", "0"},    {"segment.index.bytes", "36"},
      {"compression.type", "lz4"},    {"compression.type", "producer"}, {"retention.bytes", "900"},
      {"file.delete.delay.ms", "50"}, {"segment.index.bytes", "400"},   {"max.message.bytes", "100000"}};
  const auto [name, value] = kChoices[below(std::size(kChoices))];
  if (std::string_view(name) == "retention.bytes") topic.retention = true;
  wire::IncrementalAlterConfigsRequest request;
  request.resources.push_back({.resource_type = 2, .resource_name = topic.name, .configs = {}});
  request.resources[0].configs.push_back({.name = name, .config_operation = 0, .value = value});
  topic.configs_uncertain[name] = value;
  busy_ = true;
  world_.note([&] { return "admin sets " + std::string(name) + "=" + value + " of " + topic.name; });
  ask<wire::IncrementalAlterConfigsResponse>(
      static_cast<std::int16_t>(below(2)), request,
      [this, &topic, name, value](const wire::IncrementalAlterConfigsResponse& response) {
        busy_ = false;
        if (!response.responses.empty() && response.responses[0].error_code == 0) {
          topic.configs[name] = value;
          topic.configs_uncertain.erase(name);
        }
        go_on_soon();
      });
}

void Admin::add_partition(Topic& topic) {
  const std::int32_t count = topic.partitions_promised + 1;
  if (count > 4) return go_on_soon();
  wire::CreatePartitionsRequest request;
  request.timeout_ms = 1000;
  request.topics.push_back({.name = topic.name, .count = count, .assignments = std::nullopt});
  busy_ = true;
  world_.note([&] { return "admin wants " + std::to_string(count) + " partitions of " + topic.name; });
  ask<wire::CreatePartitionsResponse>(
      static_cast<std::int16_t>(below(4)), request,
      [this, &topic, count](const wire::CreatePartitionsResponse& response) {
        busy_ = false;
        if (!response.results.empty() && response.results[0].error_code == 0) {
          topic.partitions_promised = count;
          world_.ledger.partition(topic, count - 1);
        }
        go_on_soon();
      });
}

void Admin::delete_topic(Topic& topic) {
  topic.dying = true;
  deleting_ = topic.name;
  const auto version = static_cast<std::int16_t>(below(7));
  wire::DeleteTopicsRequest request;
  request.timeout_ms = 1000;
  if (version >= 6) {
    request.topics.push_back({.name = topic.name});
  } else {
    request.topic_names.push_back(topic.name);
  }
  busy_ = true;
  world_.note([&] { return "admin deletes " + topic.name; });
  ask<wire::DeleteTopicsResponse>(
      version, request, [this, &topic](const wire::DeleteTopicsResponse& response) {
        busy_ = false;
        const ErrorCode error =
            response.responses.empty() ? ErrorCode::kNone : error_of(response.responses[0].error_code);
        if (error == ErrorCode::kNone || error == ErrorCode::kUnknownTopicOrPartition) {
          topic.deleted = true;
          deleting_.clear();
        }
        go_on_soon();
      });
}

void Admin::describe(Topic& topic) {
  wire::MetadataRequest request;
  request.topics->push_back({.name = topic.name});
  const auto version = static_cast<std::int16_t>(below(10));
  request.allow_auto_topic_creation = version < 4;
  busy_ = true;
  ask<wire::MetadataResponse>(
      version, request,
      [this, &topic, promised = topic.partitions_promised](const wire::MetadataResponse& response) {
        busy_ = false;
        const bool there = response.topics.size() == 1 && response.topics[0].error_code == 0 &&
                           std::ssize(response.topics[0].partitions) >= promised;
        if (!there && !topic.dying)
          world_.violate(topic.name + " was acknowledged, and Metadata does not show it whole");
        go_on_soon();
      });
}

}  // namespace moldau::sim
