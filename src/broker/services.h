// What handlers work with: one broker's state, shared by all its loops. What changes is inside something that
// may be used from any thread (Published, Serial, Background); the rest is fixed before the first request.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "broker/admin.h"
#include "broker/metrics.h"
#include "broker/producer_ids.h"
#include "config/broker_config.h"
#include "config/values.h"
#include "env/event_log.h"
#include "env/loop.h"
#include "env/published.h"
#include "env/serial.h"
#include "log/log_manager.h"
#include "metadata/image.h"
#include "record/validate.h"
#include "replica/fetch_session.h"
#include "replica/replica_manager.h"

namespace moldau::broker {

class GroupCoordinators;

// The broker's configuration at one moment: static and dynamic, as text and typed.
struct Settings {
  config::BrokerValues values;
  config::BrokerConfig config;
};
using SettingsPtr = std::shared_ptr<const Settings>;

// Tools that one loop at a time may use.
struct LoopTools {
  record::Workbench workbench;
};

struct Services {
  BrokerId node;
  env::FileSystem& fs;
  env::Clock& clock;
  env::Background& background;
  env::EventLog& events;
  log::LogManager& logs;
  replica::ReplicaManager& replicas;
  Admin& admin;

  env::Published<Settings>& settings;
  env::Published<metadata::Image>& images;
  env::Serial<replica::FetchSessions> sessions;
  ProducerIds producer_ids;
  Metrics metrics;
  std::vector<std::unique_ptr<LoopTools>> tools;  // by env::Loop::index()
  GroupCoordinators* groups = nullptr;
  std::int64_t registration_epoch = -1;  // of this broker, told by the controller

  // Why a partition is not in `replicas`: nobody knows it, or its log cannot be had (its directory does not
  // work, or has no room).
  wire::ErrorCode absent(std::string_view topic, std::int32_t partition) const {
    return images.get()->find_partition(topic, PartitionIndex{partition})
               ? wire::ErrorCode::kKafkaStorageError
               : wire::ErrorCode::kUnknownTopicOrPartition;
  }
  LoopTools& tools_of(const env::Loop& loop) { return *tools[loop.index()]; }
};

}  // namespace moldau::broker
