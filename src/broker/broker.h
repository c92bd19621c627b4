// The broker: takes requests from connections and hands each to its API's handler; follows the metadata;
// looks after what must happen by itself (checkpoints, retention, registration). Everything it needs comes
// through src/env, so the server and the simulation run the very same one.
//
// Life:  open() → (connections, requests) → stop()
// Threads: requests on their loops; metadata work in env::Background under kMetadataWork; tick() from one
// thread. (Kafka: BrokerServer, KafkaApis.)
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/follower.h"
#include "broker/services.h"
#include "controller/driver.h"
#include "env/connection.h"
#include "quorum/local.h"

namespace moldau::broker {

// What the shell gives; all of it outlives the broker.
struct World {
  env::FileSystem& fs;
  env::Clock& clock;
  env::Random& random;  // of the metadata work, and of the start
  env::Background& background;
  env::EventLog& events;
  std::string boot_id;               // of the machine, empty if unknown
  std::size_t loops = 1;             // how many env::Loops there will be
  std::vector<env::Loop*> wheels{};  // loops that keep the deadlines of coordinators; none: they have none
  // A source of randomness for one who is not on a loop's thread. Any thread.
  std::function<std::unique_ptr<env::Random>()> make_random{};
  std::uint32_t open_files = 2000;  // that logs may hold at a time
};

struct OpenReport {
  std::string cluster_id;
  BrokerId node;
  bool fresh = false;  // there was no data: it was formatted now
  log::LoadReport logs;
  quorum::LocalReport quorum;
  std::vector<std::string> adopted;  // topics taken over from their folders
};

class Broker final : public env::RequestHandler {
 public:
  // Locks and loads the log directories, loads the metadata, registers this broker.
  static Result<std::unique_ptr<Broker>> open(const World& world, Settings settings);
  ~Broker() override;

  const OpenReport& report() const { return report_; }
  Services& services() { return *services_; }

  // The endpoints as clients are told them; once, when the listeners are bound, before the first connection.
  Status announce(const std::vector<metadata::Endpoint>& endpoints);

  void opened(const std::shared_ptr<env::Connection>& connection) override;
  void request(const std::shared_ptr<env::Connection>& connection, std::uint64_t slot,
               env::Inbound&& frame) override;
  void closed(const std::shared_ptr<env::Connection>& connection) override;

  // What is due by itself; every second or so.
  void tick();
  // Before the loops end: whoever waits for other members of a group is told to look for another coordinator.
  void resign_groups();
  // Clean stop: checkpoints, clean-shutdown markers. No requests may be under way.
  Status stop();

 private:
  explicit Broker(const World& world, Settings settings);
  Status open_logs();
  Status check_metadata(const quorum::LocalOptions& options) const;
  Status open_metadata();
  Status match_folders();
  Status adopt_topics(std::map<std::string, controller::AdoptTopics::Topic> unknown);
  void name_folders(const std::vector<log::LogManager::Handle>& nameless);
  std::shared_ptr<const config::TopicConfig> config_of(const std::string& topic) const;
  void refuse(env::Connection& connection, std::string why);
  void checkpoint();
  void whereabouts_changed();
  Status tell_whereabouts();
  Status tell_assignments(const metadata::Image& image);
  Status tell_failed_directories(const metadata::Image& image);

  World world_;
  Settings first_settings_;
  OpenReport report_;
  Uuid incarnation_;
  std::int64_t previous_epoch_ = -1;  // of our registration, if we stopped cleanly

  env::Published<Settings> settings_;
  env::Published<metadata::Image> images_;
  Admin admin_;
  std::unique_ptr<log::LogManager> logs_;
  std::unique_ptr<Follower> follower_;
  std::unique_ptr<quorum::LocalQuorum> quorum_;
  std::unique_ptr<controller::Driver> driver_;
  std::unique_ptr<replica::ReplicaManager> replicas_;
  std::unique_ptr<GroupCoordinators> groups_;
  std::unique_ptr<Services> services_;
  env::Instant next_checkpoint_{};
  std::atomic<bool> announced_{false};
  std::atomic<bool> untold_{false};  // whereabouts that the metadata do not know yet
};

}  // namespace moldau::broker
