#include "group/consumer_hash.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>
#include <xxhash.h>

#include "base/bytes.h"

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

// What is no UTF-8 becomes U+FFFD, byte by byte.
std::u16string to_utf16(std::string_view text) {
  std::u16string units;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<std::uint8_t>(text[i]);
    const int more = std::countl_one(lead) < 2 ? 0 : std::countl_one(lead) - 1;
    char32_t point = more == 0 ? lead : lead & (0x3Fu >> more);
    bool valid = (lead < 0x80 || more > 0) && more < 4 && i + static_cast<std::size_t>(more) < text.size();
    for (int k = 1; valid && k <= more; ++k) {
      const auto next = static_cast<std::uint8_t>(text[i + static_cast<std::size_t>(k)]);
      valid = (next & 0xC0) == 0x80;
      point = (point << 6) | (next & 0x3F);
    }
    i += valid ? static_cast<std::size_t>(more) + 1 : 1;
    if (!valid) {
      units.push_back(u'\uFFFD');
    } else if (point < 0x10000) {
      units.push_back(static_cast<char16_t>(point));
    } else {
      units.push_back(static_cast<char16_t>(0xD7C0 + (point >> 10)));
      units.push_back(static_cast<char16_t>(0xDC00 + (point & 0x3FF)));
    }
  }
  return units;
}

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
