#include "group/consumer_hash.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>
#include <xxhash.h>

#include "base/bytes.h"
#include "base/utf16.h"

namespace moldau::group {
namespace {

static_assert(std::endian::native == std::endian::little);

// More than any group wants; a bound against topics that come and go.
constexpr std::size_t kMaxKnown = 100'000;

class Hasher {
 public:
  template <typename T>
  void number(T value) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&value);
    bytes_.insert(bytes_.end(), bytes, bytes + sizeof value);
  }
  void text(std::u16string_view units) {
    for (const char16_t unit : units) number(unit);
    number(static_cast<std::int32_t>(units.size()));
  }
  std::int64_t result() const { return static_cast<std::int64_t>(XXH3_64bits(bytes_.data(), bytes_.size())); }

 private:
  Bytes bytes_;
};

}  // namespace

std::int64_t topic_hash(const metadata::Topic& topic, const metadata::Image& image) {
  Hasher hasher;
  hasher.number(std::uint8_t{0});
  hasher.number(load_be<std::int64_t>(topic.id.bytes.data()));
  hasher.number(load_be<std::int64_t>(topic.id.bytes.data() + 8));
  hasher.text(to_utf16(topic.name));
  hasher.number(static_cast<std::int32_t>(topic.partitions.size()));
  for (const metadata::Partition& partition : topic.partitions) {
    hasher.number(partition.index.value);
    std::vector<std::u16string> racks;
    for (const BrokerId replica : partition.replicas) {
      const metadata::BrokerRegistration* broker = image.find_broker(replica);
      if (broker != nullptr && broker->rack) racks.push_back(to_utf16(*broker->rack));
    }
    std::ranges::sort(racks);
    for (const std::u16string& rack : racks) {
      hasher.number(static_cast<std::int32_t>(rack.size()));
      hasher.text(rack);
    }
  }
  return hasher.result();
}

std::int64_t MetadataHashes::group_hash(const TopicDemands& topics, const metadata::Image& image) {
  if (known_.size() > kMaxKnown) known_.clear();
  Hasher hasher;
  bool any = false;
  for (const auto& [name, demand] : topics) {
    const metadata::Topic* topic = image.find_topic(name);
    if (topic == nullptr) continue;
    Known& known = known_[name];
    if (known.topic.get() != topic) known = {image.topic_ptr(topic->id), topic_hash(*topic, image)};
    hasher.number(known.hash);
    any = true;
  }
  return any ? hasher.result() : 0;
}

}  // namespace moldau::group
