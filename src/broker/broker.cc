#include "broker/broker.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "broker/api_table.h"
#include "broker/clean_shutdown.h"
#include "broker/connection_state.h"
#include "metadata/dynamic_config.h"
#include "metadata/features.h"
#include "wire/frame.h"

namespace moldau::broker {
namespace {

constexpr std::string_view kLogger = "kafka.server.BrokerServer";

std::shared_ptr<const Settings> share(Settings settings) {
  return std::make_shared<const Settings>(std::move(settings));
}

std::vector<metadata::FeatureRange> own_features() {
  std::vector<metadata::FeatureRange> features;
  for (const auto& feature : metadata::supported_features()) {
    features.push_back({std::string(feature.name), feature.min, feature.max});
  }
  return features;
}

}  // namespace

Broker::Broker(const World& world, Settings settings)
    : world_(world),
      incarnation_(world.random.uuid()),
      settings_(share(std::move(settings))),
      admin_(world.background) {}

Broker::~Broker() = default;

Result<std::unique_ptr<Broker>> Broker::open(const World& world, Settings settings) {
  std::unique_ptr<Broker> broker(new Broker(world, std::move(settings)));
  TRY(broker->open_logs());
  TRY(broker->open_metadata());
  return broker;
}

std::shared_ptr<const config::TopicConfig> Broker::config_of(const std::string& topic) const {
  const auto image = images_.get();
  const auto settings = settings_.get();
  return std::make_shared<const config::TopicConfig>(
      image ? metadata::resolve_topic_config(*image, topic, settings->values)
            : config::resolve_topic(settings->values, {}));
}

// Locks the directories and learns whose they are; the partitions are loaded once the metadata say how.
Status Broker::open_logs() {
  const auto settings = settings_.get();
  const config::BrokerConfig& config = settings->config;
  const std::int64_t expiration_ms = config.producer_id_expiration_ms;
  previous_epoch_ = previous_broker_epoch(world_.fs, config.log_dirs);
  log::LogManagerOptions options{
      .directories = config.log_dirs,
      .cluster_id = std::nullopt,
      .node_id = config.node_id ? std::optional(BrokerId{*config.node_id}) : std::nullopt,
      .config_of =
          [this, expiration_ms](const std::string& topic) {
            return replica::log_config(*config_of(topic), expiration_ms);
          },
      .topic_id_of = [this](const std::string& topic) -> std::optional<Uuid> {
        if (report_.fresh) return std::nullopt;
        const metadata::Topic* known = images_.get()->find_topic(topic);
        return known != nullptr ? known->id : Uuid{};
      },
      .boot_id = world_.boot_id,
  };
  options.max_open_files = world_.open_files;
  options.flush_check_ms = std::min<std::int64_t>(config.log_flush_scheduler_interval_ms, 1000);
  options.recovery_checkpoint_ms = config.log_flush_offset_checkpoint_interval_ms;
  options.start_offset_checkpoint_ms = config.log_flush_start_offset_checkpoint_interval_ms;
  options.retention_check_ms = config.log_retention_check_interval_ms;
  options.producer_expiry_check_ms = config.producer_id_expiration_check_interval_ms;
  options.cleaner_settings = [this] {
    const auto now = settings_.get();
    const config::BrokerConfig& c = now->config;
    return log::CleanerSettings{.enabled = c.log_cleaner_enable,
                                .threads = c.log_cleaner_threads,
                                .dedupe_buffer_bytes = static_cast<std::uint64_t>(
                                    std::max<std::int64_t>(c.log_cleaner_dedupe_buffer_size, 0)),
                                .load_factor = c.log_cleaner_io_buffer_load_factor,
                                .io_buffer_bytes = static_cast<std::uint64_t>(c.log_cleaner_io_buffer_size),
                                .max_bytes_per_second = c.log_cleaner_io_max_bytes_per_second,
                                .backoff_ms = c.log_cleaner_backoff_ms};
  };
  TRY_ASSIGN(logs,
             log::LogManager::open({world_.fs, world_.clock, world_.random, world_.background, world_.events},
                                   std::move(options)));
  logs_ = std::move(logs);
  report_.cluster_id = logs_->cluster_id();
  report_.node = logs_->node_id();
  return {};
}

// A directory that we cannot serve is left as it is, byte for byte: everything is replayed once on the side
// before the start writes its first word. (Kafka: MetadataVersion.fromFeatureLevel, BrokerRegistration)
Status Broker::check_metadata(const quorum::LocalOptions& options) const {
  const std::string folder = options.directory + "/" + quorum::kMetadataFolder;
  metadata::Delta trial(metadata::Image::empty(report_.cluster_id));
  metadata::Provenance provenance;
  TRY(quorum::LocalQuorum::inspect(
      world_.fs, world_.clock, options, [&](const quorum::ReplayedBatch& batch) -> Status {
        for (const ByteView value : batch.values)
          if (const Status applied = trial.apply(value); !applied)
            return fail(applied.error().kind, folder + ": " + applied.error().message);
        provenance = {batch.last_offset, batch.epoch, batch.timestamp_ms};
        return {};
      }));
  if (trial.in_transaction()) return {};  // what it hides is taken back
  const auto image = std::move(trial).finish(provenance).image;
  for (const auto& [name, level] : image->features()) {
    const metadata::SupportedFeature* known = metadata::find_feature(name);
    if (known != nullptr && level >= known->min && level <= known->max) continue;
    return fail(ErrorKind::kUnsupported,
                folder + ": " + name + " " + std::to_string(level) + " was finalized, this release knows " +
                    (known == nullptr ? std::string("no such feature")
                                      : std::to_string(known->min) + " to " + std::to_string(known->max)));
  }
  return {};
}

Status Broker::open_metadata() {
  const auto settings = settings_.get();
  const config::BrokerConfig& config = settings->config;
  quorum::LocalOptions options{
      .directory = config.metadata_log_dir, .node_id = report_.node, .directory_id = {}};
  for (const log::DirectoryStatus& directory : logs_->directories()) {
    if (directory.path == config.metadata_log_dir) options.directory_id = directory.id;
  }
  if (!config.controller_listeners.empty()) {
    const config::Listener& listener = config.controller_listeners.front();
    options.controller_endpoint = {listener.name, listener.host.empty() ? "localhost" : listener.host,
                                   listener.port};
  }
  options.segment_bytes = static_cast<std::uint64_t>(config.metadata_log_segment_bytes);
  options.bytes_between_snapshots =
      static_cast<std::uint64_t>(config.metadata_log_max_record_bytes_between_snapshots);
  options.snapshot_interval_ms = config.metadata_log_max_snapshot_interval_ms;
  TRY(check_metadata(options));
  TRY(logs_->claim());
  TRY_ASSIGN(quorum, quorum::LocalQuorum::open(world_.fs, world_.clock, std::move(options),
                                               controller::bootstrap_records()));
  quorum_ = std::move(quorum);
  report_.quorum = quorum_->report();
  report_.fresh = report_.quorum.fresh;

  follower_ = std::make_unique<Follower>(Follower::World{world_.events, settings_, images_}, report_.node);
  controller::Options controller{
      .node_id = report_.node,
      .default_num_partitions = config.num_partitions,
      .default_replication_factor = static_cast<std::int16_t>(config.default_replication_factor),
      .static_broker_config = settings->values.statics()};
  TRY_ASSIGN(driver, controller::Driver::open({*quorum_, world_.clock, world_.random, *follower_},
                                              std::move(controller), report_.cluster_id));
  driver_ = std::move(driver);
  admin_.connect(*driver_);

  TRY_ASSIGN(loaded, logs_->load());
  report_.logs = std::move(loaded);
  TRY(match_folders());
  replicas_ = std::make_unique<replica::ReplicaManager>(
      replica::ReplicaManager::World{
          .logs = *logs_,
          .background = world_.background,
          .events = world_.events,
          .config_of = [this](const std::string& topic) { return config_of(topic); },
          .whereabouts_changed = [this] { whereabouts_changed(); },
          .producer_id_expiration_ms = config.producer_id_expiration_ms,
          .move_chunk_bytes = static_cast<std::uint64_t>(config.replica_fetch_max_bytes)},
      report_.node);
  groups_ = std::make_unique<GroupCoordinators>(GroupCoordinator::World{.clock = world_.clock,
                                                                        .events = world_.events,
                                                                        .background = world_.background,
                                                                        .images = images_,
                                                                        .settings = settings_,
                                                                        .make_random = world_.make_random,
                                                                        .loops = world_.wheels},
                                                *replicas_, report_.node);
  follower_->start(*replicas_, *groups_);

  services_.reset(new Services{.node = report_.node,
                               .fs = world_.fs,
                               .clock = world_.clock,
                               .background = world_.background,
                               .events = world_.events,
                               .logs = *logs_,
                               .replicas = *replicas_,
                               .admin = admin_,
                               .settings = settings_,
                               .images = images_,
                               .sessions = env::Serial<replica::FetchSessions>(static_cast<std::size_t>(
                                   config.max_incremental_fetch_session_cache_slots)),
                               .producer_ids = {},
                               .metrics = {},
                               .tools = {},
                               .groups = groups_.get()});
  for (std::size_t i = 0; i < world_.loops; ++i) services_->tools.push_back(std::make_unique<LoopTools>());
  return {};
}

// Folders that the metadata do not know. A directory from ZooKeeper's time has no metadata at all: its topics
// are taken over, once. Otherwise such a folder belongs to a topic that was deleted while we were away: it is
// set aside. Folders that know no topic id, from before Kafka 2.8 or after a power loss, get that of their
// name.
Status Broker::match_folders() {
  const auto image = images_.get();
  std::map<std::string, controller::AdoptTopics::Topic> unknown;
  std::map<std::string, Uuid> directory_ids;
  std::vector<log::LogManager::Handle> nameless;
  for (const log::DirectoryStatus& directory : logs_->directories())
    directory_ids[directory.path] = directory.id;
  for (const auto& handle : logs_->all()) {
    const log::TopicPartition& name = log::LogManager::partition(handle);
    const metadata::Topic* topic = image->find_topic(name.topic);
    TRY_ASSIGN(id, log::LogManager::log(handle).topic_id());
    const bool same =
        topic != nullptr && topic->find(name.partition) != nullptr && (id.is_zero() || id == topic->id);
    if (id.is_zero() && (same || report_.fresh)) nameless.push_back(handle);
    if (same) continue;
    if (!report_.fresh) {
      world_.events.write(env::Level::kWarn, kLogger,
                          "folder of " + name.to_string() +
                              " belongs to no topic of the metadata: set aside as -stray" +
                              (topic == nullptr || id == topic->id
                                   ? std::string()
                                   : "; it has the topic id " + id.to_string() + ", " + name.topic + " has " +
                                         topic->id.to_string() + " now"));
      TRY(logs_->set_aside(name));
      continue;
    }
    auto& adopted = unknown[name.topic];
    adopted.name = name.topic;
    adopted.id = id;
    TRY_ASSIGN(epoch, log::LogManager::log(handle).latest_epoch());
    adopted.partitions.push_back({name.partition, directory_ids[log::LogManager::directory(handle)],
                                  epoch == kNoLeaderEpoch ? LeaderEpoch{0} : epoch});
  }
  if (!unknown.empty()) TRY(adopt_topics(std::move(unknown)));
  name_folders(nameless);
  return {};
}

void Broker::name_folders(const std::vector<log::LogManager::Handle>& nameless) {
  const auto image = images_.get();
  log::LogManager::TopicIds ids;
  for (const auto& handle : nameless) {
    const metadata::Topic* topic = image->find_topic(log::LogManager::partition(handle).topic);
    if (topic != nullptr) ids.emplace_back(handle, topic->id);
  }
  logs_->store_topic_ids(ids);
}

Status Broker::adopt_topics(std::map<std::string, controller::AdoptTopics::Topic> unknown) {
  controller::AdoptTopics adopt{.broker = report_.node, .topics = {}};
  for (auto& [name, topic] : unknown) {
    report_.adopted.push_back(name);
    adopt.topics.push_back(std::move(topic));
  }
  TRY_ASSIGN(reply, driver_->execute(adopt));
  if (!reply.error.ok())
    return fail(ErrorKind::kInvalid, "topics cannot be taken over: " + reply.error.message);
  world_.events.write(
      env::Level::kWarn, kLogger,
      "taking over " + std::to_string(report_.adopted.size()) +
          " topics by their folders, which do not hold the settings that topics had of their own (those were "
          "in ZooKeeper, or in the metadata log that is missing): retention, cleanup.policy and the like are "
          "the broker's defaults until they are set again");
  return {};
}

Status Broker::announce(const std::vector<metadata::Endpoint>& endpoints) {
  const auto settings = settings_.get();
  controller::RegisterBroker broker{.id = report_.node,
                                    .cluster_id = report_.cluster_id,
                                    .incarnation_id = incarnation_,
                                    .endpoints = endpoints,
                                    .features = own_features(),
                                    .rack = settings->config.rack,
                                    .log_dirs = {},
                                    .previous_broker_epoch = previous_epoch_};
  for (const log::DirectoryStatus& directory : logs_->directories()) {
    if (directory.online) broker.log_dirs.push_back(directory.id);
  }
  std::ranges::sort(broker.log_dirs);
  TRY_ASSIGN(registered, driver_->execute(broker));
  if (!registered.error.ok())
    return fail(ErrorKind::kInvalid, "registration refused: " + registered.error.message);
  services_->registration_epoch = registered.broker_epoch;
  // First, for nobody is elected to lead what lies in a directory that is not there.
  TRY(tell_assignments(*driver_->image()));
  const controller::BrokerHeartbeat heartbeat{
      .id = report_.node,
      .broker_epoch = registered.broker_epoch,
      .current_metadata_offset = driver_->image()->provenance().last_offset,
      .offline_log_dirs = {}};
  TRY_ASSIGN(alive, driver_->execute(heartbeat));
  if (alive.error != wire::ErrorCode::kNone || alive.fenced) {
    return fail(ErrorKind::kInvalid,
                "expected to be let in after registration, found " + std::string(wire::name(alive.error)));
  }
  announced_.store(true, std::memory_order_release);
  return {};
}

void Broker::opened(const std::shared_ptr<env::Connection>& connection) {
  connection->handler_state = std::make_shared<ConnectionState>();
  services_->metrics.connections.add(1);
}

void Broker::closed(const std::shared_ptr<env::Connection>& connection) {
  services_->metrics.connections.add(-1);
  state_of(*connection).abandon_all();
}

void Broker::refuse(env::Connection& connection, std::string why) {
  services_->metrics.malformed_requests.add();
  const env::ConnectionInfo& peer = connection.info();
  world_.events.write(
      env::Level::kInfo, "kafka.network.Processor",
      "Closing connection of " + peer.client_host + ":" + std::to_string(peer.client_port) + ": " + why);
  connection.close(std::move(why));
}

void Broker::request(const std::shared_ptr<env::Connection>& connection, std::uint64_t slot,
                     env::Inbound&& frame) {
  wire::Reader reader(frame.bytes);
  wire::RequestHeader header;
  if (!wire::decode_header(reader, header))
    return refuse(*connection, "not a request header: " + reader.reason());
  const ApiEntry* entry = find_served(header.api_key);
  // ApiVersions answers whatever version it is asked in; its handler sees to that.
  const bool served =
      entry != nullptr && (entry->serves(header.api_version) || entry->key == wire::ApiKey::kApiVersions);
  if (!served) {
    const wire::ApiInfo* known = wire::find_api(header.api_key);
    return refuse(*connection, "expected an API that this broker serves (see ApiVersions), found key " +
                                   std::to_string(header.api_key) +
                                   (known ? " (" + std::string(known->name) + ")" : "") + " version " +
                                   std::to_string(header.api_version));
  }
  ApiMetrics& metrics = services_->metrics.apis[static_cast<std::size_t>(header.api_key)];
  metrics.requests.add();
  metrics.request_bytes.add(frame.bytes.size());
  const Call::Header call{.api = wire::find_api(header.api_key),
                          .version = header.api_version,
                          .correlation_id = header.correlation_id,
                          .client_id = header.client_id,
                          .size = reader.position()};
  entry->handler(std::make_shared<Call>(*services_, connection, slot, std::move(frame), call));
}

void Broker::tick() {
  replicas_->tick();
  const env::Instant now = world_.clock.now();
  if (now < next_checkpoint_) return;
  next_checkpoint_ =
      now + std::chrono::milliseconds(settings_.get()->config.replica_high_watermark_checkpoint_interval_ms);
  world_.background.submit(kMetadataWork, [this] { checkpoint(); });
}

void Broker::checkpoint() {
  const auto note = [&](const Status& done, std::string_view what) {
    if (!done)
      world_.events.write(env::Level::kError, kLogger, std::string(what) + ": " + done.error().message);
  };
  replicas_->make_missing(images_.get());
  groups_->look_again(*images_.get());
  note(replicas_->checkpoint_high_watermarks(), "high watermarks not written");
  note(driver_->maintain(), "no snapshot of the metadata");
  if (untold_.exchange(false)) note(tell_whereabouts(), "log directories not told to the metadata");
}

// Whatever does not reach the metadata now is tried again with the next checkpoint.
void Broker::whereabouts_changed() {
  untold_.store(true);
  if (!announced_.load(std::memory_order_acquire)) return;
  world_.background.submit(kMetadataWork, [this] {
    if (!untold_.exchange(false)) return;
    if (const Status told = tell_whereabouts(); !told)
      world_.events.write(env::Level::kError, kLogger,
                          "log directories not told to the metadata: " + told.error().message);
  });
}

// Where partitions lie, then which directories have failed: the controller takes the leadership of what it
// knows to lie there. (Kafka: AssignmentsManager, BrokerLifecycleManager.propagateDirectoryFailure)
Status Broker::tell_whereabouts() {
  Status told = tell_assignments(*driver_->image());
  if (told) told = tell_failed_directories(*driver_->image());
  if (!told) untold_.store(true);
  return told;
}

Status Broker::tell_assignments(const metadata::Image& image) {
  constexpr std::size_t kAtOnce = 2000;
  if (!metadata::directories_supported(image.metadata_version())) return {};
  const auto misplaced = replicas_->misplaced(image);
  for (std::size_t at = 0; at < misplaced.size(); at += kAtOnce) {
    controller::AssignReplicasToDirs assign{
        .broker = report_.node, .broker_epoch = services_->registration_epoch, .partitions = {}};
    for (std::size_t i = at; i < std::min(at + kAtOnce, misplaced.size()); ++i)
      assign.partitions.push_back({misplaced[i].directory, misplaced[i].topic_id, misplaced[i].partition});
    TRY_ASSIGN(assigned, driver_->execute(assign));
    if (assigned.error != wire::ErrorCode::kNone)
      return fail(ErrorKind::kInvalid, "assignment refused: " + std::string(wire::name(assigned.error)));
  }
  return {};
}

Status Broker::tell_failed_directories(const metadata::Image& image) {
  const metadata::BrokerRegistration* self = image.find_broker(report_.node);
  controller::BrokerHeartbeat heartbeat{.id = report_.node,
                                        .broker_epoch = services_->registration_epoch,
                                        .current_metadata_offset = image.provenance().last_offset,
                                        .offline_log_dirs = {}};
  for (const log::DirectoryStatus& directory : logs_->directories()) {
    if (directory.online || self == nullptr ||
        std::ranges::find(self->log_dirs, directory.id) == self->log_dirs.end())
      continue;
    heartbeat.offline_log_dirs.push_back(directory.id);
  }
  if (heartbeat.offline_log_dirs.empty()) return {};
  TRY_ASSIGN(heard, driver_->execute(heartbeat));
  if (heard.error != wire::ErrorCode::kNone)
    return fail(ErrorKind::kInvalid, "heartbeat refused: " + std::string(wire::name(heard.error)));
  return {};
}

void Broker::resign_groups() { groups_->stop(); }

Status Broker::stop() {
  checkpoint();
  // Whoever says goodbye keeps its leaderships over the restart.
  const controller::BrokerHeartbeat goodbye{
      .id = report_.node,
      .broker_epoch = services_->registration_epoch,
      .current_metadata_offset = driver_->image()->provenance().last_offset,
      .want_shut_down = true,
      .offline_log_dirs = {}};
  const auto left = driver_->execute(goodbye);
  const bool clean = left && left->error == wire::ErrorCode::kNone;
  groups_->stop();
  replicas_->stop();
  const Status logs = logs_->close(clean ? services_->registration_epoch : -1);
  const Status metadata = quorum_->close();
  return logs ? metadata : logs;
}

}  // namespace moldau::broker
