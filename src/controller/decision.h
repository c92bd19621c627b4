// What every decision of the controller works with: the image, the settings in effect, and the records so
// far. Lives for one handle(). Not for users of the controller.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "config/values.h"
#include "controller/controller.h"
#include "controller/partition_change.h"
#include "controller/requests.h"
#include "env/random.h"
#include "metadata/image.h"
#include "wire/errors.h"

namespace moldau::controller {

using wire::ErrorCode;

// Kafka refuses a request that would write more at once (QuorumController.MAX_RECORDS_PER_USER_OP).
inline constexpr std::size_t kMaxRecordsPerRequest = 10'000;
inline constexpr std::string_view kTooManyRecords = "Unable to perform excessively large batch operation.";

inline ApiError api_error(ErrorCode code) { return {code, std::string(wire::message(code))}; }
inline ApiError api_error(ErrorCode code, std::string message) { return {code, std::move(message)}; }

class Decision {
 public:
  Decision(const metadata::Image& the_image, const config::BrokerValues& the_values,
           const Options& the_options)
      : image(the_image), values(the_values), options(the_options) {}

  const metadata::Image& image;
  const config::BrokerValues& values;
  const Options& options;
  std::vector<Bytes> records;

  std::int16_t metadata_version() const { return image.metadata_version(); }
  bool elr_enabled() const { return image.feature("eligible.leader.replicas.version") >= 1; }

  // Registered, not fenced, not about to stop: may lead and be in sync.
  bool active(BrokerId id) const {
    const metadata::BrokerRegistration* broker = image.find_broker(id);
    return broker != nullptr && !broker->fenced && !broker->in_controlled_shutdown;
  }
  // Its directory works, as far as we were told.
  bool reachable(const metadata::Partition& partition, BrokerId id) const {
    const metadata::BrokerRegistration* broker = image.find_broker(id);
    return broker != nullptr && broker->has_online_directory(partition.directory(id));
  }
  // May lead this partition (Kafka: ReplicationControlManager.LeaderAcceptor).
  bool may_lead(const metadata::Partition& partition, BrokerId id) const {
    return active(id) && reachable(partition, id);
  }
  // Where a new replica lies when there is no choice (ClusterControlManager#defaultDir).
  Uuid default_directory(BrokerId id) const {
    const metadata::BrokerRegistration* broker = image.find_broker(id);
    if (broker == nullptr || broker->log_dirs.empty()) return metadata::kDirectoryMigrating;
    return broker->log_dirs.size() == 1 ? broker->log_dirs.front() : metadata::kDirectoryUnassigned;
  }

  // One setting of a topic that has the same name for brokers, as text; "" if nobody knows it. Cheap: crashes
  // ask for every partition.
  std::string_view setting(std::string_view topic, std::string_view name) const {
    const auto& own = image.config(metadata::ResourceType::kTopic, topic);
    if (const auto set = own.find(name); set != own.end()) return set->second;
    return values.find(name).text.value_or("");
  }
  std::int32_t min_insync_replicas(std::string_view topic) const {
    const auto number = config::parse_integer(setting(topic, "min.insync.replicas"));
    return static_cast<std::int32_t>(number.value_or(1));
  }
  bool unclean_election(std::string_view topic) const {
    return setting(topic, "unclean.leader.election.enable") == "true";
  }

  // A change of `partition` as things stand; acceptable leaders are the active brokers whose directory works.
  PartitionChange change(const metadata::Topic& topic, const metadata::Partition& partition) const {
    PartitionChange change{.partition = partition,
                           .topic_id = topic.id,
                           .acceptable = [this, &partition](BrokerId id) { return may_lead(partition, id); }};
    change.metadata_version = metadata_version();
    change.elr_enabled = elr_enabled();
    change.min_insync_replicas =
        std::min(min_insync_replicas(topic.name), static_cast<std::int32_t>(partition.replicas.size()));
    change.target_isr = partition.isr;
    return change;
  }
  void add(const PartitionChange& change) {
    if (auto record = change.record()) records.push_back(std::move(*record));
  }
};

// The part of configs.cc that CreateTopics needs: the records that give a new topic its settings.
ApiError set_new_topic_config(Decision& decision, const NewTopic& topic, std::vector<Bytes>& records);

}  // namespace moldau::controller
