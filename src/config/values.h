// The configuration values of one broker, as text, in four layers. In order of precedence
// (DynamicBrokerConfig of Kafka):
//
//   dynamic, this broker  >  dynamic, all brokers  >  static (file and --override)  >  default
//
// Invariant: what stands in a layer under a known name parses; so the typed getters cannot fail. The dynamic
// layers hold no name that is read-only. Names that nobody knows stay in their layer and are described, as in
// Kafka. A plain value, owned by whoever holds it; changes by replacing whole layers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/definition.h"

namespace moldau::config {

using Layer = std::map<std::string, std::string, std::less<>>;

// Where a value comes from. Numbers as in DescribeConfigs responses (DescribeConfigsResponse.ConfigSource).
enum class Source : std::int8_t {
  kUnknown = 0,
  kTopic = 1,
  kDynamicBroker = 2,
  kDynamicDefaultBroker = 3,
  kStaticBroker = 4,
  kDefault = 5,
  kBrokerLogger = 6,
  kClientMetrics = 7,
  kGroup = 8,
};

class BrokerValues {
 public:
  BrokerValues() = default;
  // REQUIRES: every known name parses (load() sees to it).
  explicit BrokerValues(Layer statics) : statics_(std::move(statics)) {}

  const Layer& statics() const { return statics_; }
  const Layer& dynamic_default() const { return dynamic_default_; }
  const Layer& dynamic_broker() const { return dynamic_broker_; }

  // Replace a dynamic layer by what the metadata say. Entries that cannot be used (written by another
  // version, say) are left out; the return value says why, one line each.
  std::vector<std::string> set_dynamic_default(Layer layer) {
    return replace(dynamic_default_, std::move(layer));
  }
  std::vector<std::string> set_dynamic_broker(Layer layer) {
    return replace(dynamic_broker_, std::move(layer));
  }

  struct Found {
    std::optional<std::string_view> text;  // nullopt = null
    Source source = Source::kUnknown;      // kUnknown: neither set nor known
  };
  Found find(std::string_view name) const;
  // Whether anybody set it, its default aside.
  bool given(std::string_view name) const;

  // Typed values in effect. REQUIRES: `name` is a broker configuration of that type, and not null but for the
  // *_if_set.
  bool flag(std::string_view name) const;
  std::int64_t number(std::string_view name) const;
  std::int32_t number32(std::string_view name) const { return static_cast<std::int32_t>(number(name)); }
  std::optional<std::int64_t> number_if_set(std::string_view name) const;
  double real(std::string_view name) const;
  // Of scope broker-quota: what was set dynamically, for this broker or for all; in a file it says nothing.
  // (Kafka: BrokerConfigHandler.)
  std::int64_t quota(std::string_view name) const;
  std::string text(std::string_view name) const;
  std::optional<std::string> text_if_set(std::string_view name) const;
  std::vector<std::string> list(std::string_view name) const;  // null is the empty list

  // The first of `names` that is not null, in ms: names that end in .hours or .minutes are converted.
  std::optional<std::int64_t> first_in_ms(std::span<const std::string_view> names) const;
  // log.roll.ms or log.roll.hours, under any of its names. REQUIRES: one of them is not null.
  std::int64_t duration_ms(std::string_view name) const;

 private:
  static std::vector<std::string> replace(Layer& layer, Layer with);
  std::optional<Value> value(std::string_view name, Type type) const;

  Layer statics_;
  Layer dynamic_default_;
  Layer dynamic_broker_;
};

}  // namespace moldau::config
