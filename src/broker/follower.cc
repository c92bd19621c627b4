#include "broker/follower.h"

#include <algorithm>
#include <utility>

#include "metadata/dynamic_config.h"

namespace moldau::broker {
namespace {

constexpr std::string_view kLogger = "kafka.server.metadata.BrokerMetadataPublisher";

// A change from nothing to everything.
metadata::Changes everything(const metadata::Image& image) {
  metadata::Changes changes;
  for (const metadata::TopicPtr& topic : image.topics_sorted()) {
    metadata::TopicChange change{.before = nullptr, .after = topic, .partitions = {}};
    for (const metadata::Partition& partition : topic->partitions)
      change.partitions.push_back(partition.index);
    changes.topics.push_back(std::move(change));
  }
  return changes;
}

}  // namespace

void Follower::image_changed(const metadata::ImagePtr& image, const metadata::Changes& changes) {
  world_.images.set(image);
  const bool settings = concerns_settings(changes);
  if (settings) update_settings(*image);
  if (replicas_ == nullptr) return;
  if (settings) limit_moves();
  replicas_->apply(image, changes);
  groups_->follow(*image, changes);
  if (settings) return replicas_->reconfigure_all();
  for (const metadata::Resource& resource : changes.configs) {
    if (resource.type == metadata::ResourceType::kTopic) replicas_->reconfigure(resource.name);
  }
}

void Follower::start(replica::ReplicaManager& replicas, GroupCoordinators& groups) {
  replicas_ = &replicas;
  groups_ = &groups;
  const auto image = world_.images.get();
  limit_moves();
  const metadata::Changes all = everything(*image);
  replicas.apply(image, all);
  groups.follow(*image, all);
}

void Follower::limit_moves() {
  const auto settings = world_.settings.get();
  replicas_->limit_moves(settings->values.quota("replica.alter.log.dirs.io.max.bytes.per.second"));
}

bool Follower::concerns_settings(const metadata::Changes& changes) const {
  const std::string own = std::to_string(node_.value);
  return std::ranges::any_of(changes.configs, [&](const metadata::Resource& resource) {
    return resource.type == metadata::ResourceType::kBroker &&
           (resource.name.empty() || resource.name == own);
  });
}

void Follower::update_settings(const metadata::Image& image) {
  auto next = std::make_shared<Settings>(*world_.settings.get());
  for (const std::string& line : metadata::set_dynamic_layers(next->values, image, node_)) {
    world_.events.write(env::Level::kWarn, kLogger, "a dynamic configuration is not used: " + line);
  }
  auto config = config::BrokerConfig::from(next->values);
  if (!config) {
    world_.events.write(env::Level::kError, kLogger,
                        "dynamic configurations do not fit together and are not used: " +
                            config.error().name + ": " + config.error().message);
    return;
  }
  next->config = std::move(*config);
  world_.settings.set(std::move(next));
}

}  // namespace moldau::broker
