// What a configuration is: its name, type, default, bounds, and whether it may change while running. The
// table of all of them is made from schema/configs.def. Texts of errors are Kafka's (ConfigDef,
// ConfigException): people search for them. Everything here is constant data and pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace moldau::config {

enum class Scope : std::uint8_t { kBroker, kTopic, kGroup, kClientMetrics, kBrokerQuota };

// Numbers as in DescribeConfigs responses (DescribeConfigsResponse.ConfigType).
enum class Type : std::int8_t {
  kUnknown = 0,
  kBoolean = 1,
  kString = 2,
  kInt = 3,
  kShort = 4,
  kLong = 5,
  kDouble = 6,
  kList = 7,
  kClass = 8,
  kPassword = 9,
};

// When a broker's configuration may change: at start only; while running, for one broker; or also for all at
// once.
enum class Update : std::uint8_t { kReadOnly, kPerBroker, kClusterWide };

struct Bound {
  double value;
  std::string_view text;  // as error messages show it
};

// What a parsed value must satisfy.
struct Check {
  enum Kind : std::uint8_t { kNonEmpty = 1, kNotNull = 2, kThrottledReplicas = 4, kOffsetReset = 8 };

  std::optional<Bound> low;
  std::optional<Bound> high;
  std::optional<Bound> also;                  // allowed besides low..high
  std::span<const std::string_view> choices;  // of a string, or of each element of a list
  bool any_case = false;
  std::uint8_t kinds = 0;
};

struct ConfigDef {
  std::string_view name;
  Type type;
  std::optional<std::string_view> default_value;  // nullopt = null
  Check check;
  Update update = Update::kReadOnly;
  bool hidden = false;             // not described unless somebody set it
  std::string_view first_version;  // both empty while the newest version has it
  std::string_view last_version;
  std::span<const std::string_view> synonyms;  // in order of precedence, as in schema/configs.def
  std::optional<std::string_view> documentation;

  bool retired() const { return !last_version.empty(); }
  bool sensitive() const { return type == Type::kPassword; }
};

// All of a scope, ordered by name.
std::span<const ConfigDef> definitions(Scope scope);
// nullptr if the scope has no such name.
const ConfigDef* find(Scope scope, std::string_view name);
// A broker's configuration also under listener.name.<listener>.[<mechanism>.]<name>. nullptr if unknown.
const ConfigDef* find_broker(std::string_view name);
// <name> of listener.name.<listener>.<name>, without the mechanism; nullopt for other names.
std::optional<std::string_view> listener_base_name(std::string_view name);

// boolean | short, int, long | double | string, class, password | list.
using Value = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

// Parses and checks `text`. kInvalid: "Invalid value abc for configuration retention.ms: Not a number of type
// LONG".
Result<Value> parse(const ConfigDef& definition, std::string_view text);
// Only converts: for defaults, that need not keep to their own bounds (-1 = none).
Result<Value> convert(const ConfigDef& definition, std::string_view text);
// The value as DescribeConfigs shows it: doubles as Java prints them, lists joined with commas.
std::string to_text(const Value& value);

// Parts of parse() that others need too. Blanks are those that Java's String.trim() and the regex \s take
// away.
std::string_view trim(std::string_view text);
std::vector<std::string> split_list(
    std::string_view text);  // at commas, elements trimmed; "" has no elements
std::optional<std::int64_t> parse_integer(std::string_view text);
std::optional<double> parse_double(std::string_view text);
std::string join(std::span<const std::string> parts, std::string_view separator);
std::string upper(std::string_view text);  // ASCII letters only

}  // namespace moldau::config
