// The group coordinators of this broker: one for each partition of __consumer_offsets that it leads. find()
// from any thread; follow() from one at a time, in the order of the images.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "broker/group/coordinator.h"
#include "broker/group/partition.h"
#include "metadata/delta.h"

namespace moldau::broker {

using GroupCoordinatorRef = std::shared_ptr<GroupCoordinator>;

class GroupCoordinators {
 public:
  GroupCoordinators(GroupCoordinator::World world, replica::ReplicaManager& replicas, BrokerId self)
      : world_(std::move(world)), replicas_(replicas), self_(self) {}

  // nullptr: this broker does not coordinate that group; nobody does, as long as the topic does not exist.
  GroupCoordinatorRef find(std::string_view group) const;
  // By partition; nullptr where another broker leads.
  std::shared_ptr<const std::vector<GroupCoordinatorRef>> all() const { return table_.get(); }

  // The partitions have followed `image` already.
  void follow(const metadata::Image& image, const metadata::Changes& changes);
  // Partitions may be here that were not when the image came (a full disk). Called as follow() is.
  void look_again(const metadata::Image& image) { follow_offsets_topic(image.find_topic(kOffsetsTopic)); }
  void stop();

 private:
  using Table = std::vector<GroupCoordinatorRef>;
  void follow_offsets_topic(const metadata::Topic* topic);

  const GroupCoordinator::World world_;
  replica::ReplicaManager& replicas_;
  const BrokerId self_;
  env::Published<Table> table_{std::make_shared<const Table>()};
  Table former_;  // their deadlines may still lie in a loop's wheel
};

}  // namespace moldau::broker
