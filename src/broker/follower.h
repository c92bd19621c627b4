// What follows from the metadata on this broker: the image and the settings that requests see, the partitions
// that are here, the configuration of their logs. Called by the controller's driver, one image after the
// other. (Kafka: BrokerMetadataPublisher.)
#pragma once

#include <optional>

#include "broker/group/coordinators.h"
#include "broker/services.h"
#include "controller/driver.h"

namespace moldau::broker {

class Follower final : public controller::Follower {
 public:
  struct World {
    env::EventLog& events;
    env::Published<Settings>& settings;
    env::Published<metadata::Image>& images;
  };
  Follower(const World& world, BrokerId node) : world_(world), node_(node) {}

  void image_changed(const metadata::ImagePtr& image, const metadata::Changes& changes) override;
  // Until now images were only published; from now on partitions and coordinators follow, too.
  void start(replica::ReplicaManager& replicas, GroupCoordinators& groups);

 private:
  bool concerns_settings(const metadata::Changes& changes) const;
  void update_settings(const metadata::Image& image);
  void limit_moves();

  World world_;
  BrokerId node_;
  replica::ReplicaManager* replicas_ = nullptr;
  GroupCoordinators* groups_ = nullptr;
};

}  // namespace moldau::broker
