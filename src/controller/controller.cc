#include "controller/controller.h"

#include "base/check.h"
#include "controller/topic_name.h"
#include "metadata/dynamic_config.h"

namespace moldau::controller {

Controller::Controller(Options options, metadata::ImagePtr image)
    : options_(std::move(options)),
      values_(options_.static_broker_config),
      image_(metadata::Image::empty(image->cluster_id())) {
  const metadata::Changes changes = metadata::difference(*image_, *image);
  image_ = std::move(image);
  metadata::set_dynamic_layers(values_, *image_, options_.node_id);
  follow(changes);
}

Result<metadata::Changes> Controller::apply(std::span<const ByteView> records,
                                            const metadata::Provenance& provenance) {
  metadata::Delta delta = transaction_ ? std::move(*transaction_) : metadata::Delta(image_);
  transaction_.reset();
  for (const ByteView record : records) TRY(delta.apply(record));
  if (delta.in_transaction()) {
    transaction_.emplace(std::move(delta));
    return metadata::Changes{};
  }
  metadata::Delta::Next next = std::move(delta).finish(provenance);
  image_ = std::move(next.image);
  follow(next.changes);
  return std::move(next.changes);
}

// Keeps what is derived from the image in step with it.
void Controller::follow(const metadata::Changes& changes) {
  for (const metadata::TopicChange& change : changes.topics) {
    const std::string& name = change.any().name;
    if (!may_collide(name) || (change.before && change.after)) continue;
    auto& names = collisions_[collision_key(name)];
    if (change.after) {
      names.insert(name);
    } else if (names.erase(name), names.empty()) {
      collisions_.erase(collision_key(name));
    }
  }
  for (const Resource& resource : changes.configs) {
    if (resource.type != metadata::ResourceType::kBroker) continue;
    metadata::set_dynamic_layers(values_, *image_, options_.node_id);
    break;
  }
}

}  // namespace moldau::controller
