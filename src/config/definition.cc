#include "config/definition.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace moldau::config {
namespace {

std::unexpected<Error> invalid(const ConfigDef& definition, std::string_view value, const std::string& why) {
  return fail(ErrorKind::kInvalid, "Invalid value " + std::string(value) + " for configuration " +
                                       std::string(definition.name) + ": " + why);
}

std::string_view java_name(Type type) {
  switch (type) {
    case Type::kShort:
      return "SHORT";
    case Type::kInt:
      return "INT";
    case Type::kLong:
      return "LONG";
    case Type::kDouble:
      return "DOUBLE";
    default:
      return "";
  }
}

bool fits(Type type, std::int64_t number) {
  if (type == Type::kShort) return number == static_cast<std::int16_t>(number);
  if (type == Type::kInt) return number == static_cast<std::int32_t>(number);
  return true;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) { return upper(a) == upper(b); }

Status check_number(const ConfigDef& definition, double number, const Value& value) {
  const Check& check = definition.check;
  if (check.also) {
    if (number == check.also->value || (number >= check.low->value && number <= check.high->value)) return {};
    return invalid(definition, to_text(value),
                   "Value must be between " + std::string(check.low->text) + " and " +
                       std::string(check.high->text) + " or equal to " + std::string(check.also->text));
  }
  if (check.low && number < check.low->value)
    return invalid(definition, to_text(value), "Value must be at least " + std::string(check.low->text));
  if (check.high && number > check.high->value)
    return invalid(definition, to_text(value), "Value must be no more than " + std::string(check.high->text));
  return {};
}

std::string joined_choices(const Check& check) {
  std::string all;
  for (std::string_view choice : check.choices) (all += all.empty() ? "" : ", ") += choice;
  return all;
}

Status check_choice(const ConfigDef& definition, std::string_view text) {
  const Check& check = definition.check;
  if (check.choices.empty()) return {};
  const bool known = std::ranges::any_of(check.choices, [&](std::string_view choice) {
    return check.any_case ? equal_ignoring_case(choice, text) : choice == text;
  });
  if (known) return {};
  return invalid(definition, text,
                 (check.any_case ? "String must be one of (case insensitive): " : "String must be one of: ") +
                     joined_choices(check));
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// ThrottledReplicaListValidator: `*` alone, or partition:broker pairs.
bool throttled_replicas(const std::vector<std::string>& list) {
  if (list.size() == 1 && list[0] == "*") return true;
  return std::ranges::all_of(list, [](const std::string& pair) {
    const auto colon = pair.find(':');
    return colon != std::string::npos && all_digits(std::string_view(pair).substr(0, colon)) &&
           all_digits(std::string_view(pair).substr(colon + 1));
  });
}

// Takes "<digits>[.<digits>]<unit>" off the front of `text`; false if it does not stand there.
bool take_duration_part(std::string_view& text, char unit, bool fraction) {
  std::size_t at = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  const std::size_t first = at;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  if (at == first) return false;
  if (fraction && at < text.size() && text[at] == '.')
    while (++at < text.size() && text[at] >= '0' && text[at] <= '9') {
    }
  if (at >= text.size() || upper(text.substr(at, 1))[0] != unit) return false;
  text.remove_prefix(at + 1);
  return true;
}

// ISO 8601 as java.time.Duration reads it: PnDTnHnMn.nS, at least one part.
bool is_duration(std::string_view text) {
  if (text.empty() || upper(text.substr(0, 1)) != "P") return false;
  text.remove_prefix(1);
  const bool days = take_duration_part(text, 'D', false);
  if (text.empty()) return days;
  if (upper(text.substr(0, 1)) != "T") return false;
  text.remove_prefix(1);
  const bool hours = take_duration_part(text, 'H', false);
  const bool minutes = take_duration_part(text, 'M', false);
  const bool seconds = take_duration_part(text, 'S', true);
  return text.empty() && (hours || minutes || seconds);
}

bool is_offset_reset(std::string_view text) {
  constexpr std::string_view kByDuration = "by_duration:";
  if (text == "earliest" || text == "latest") return true;
  return text.starts_with(kByDuration) && is_duration(text.substr(kByDuration.size()));
}

Status check_string(const ConfigDef& definition, const std::string& text) {
  TRY(check_choice(definition, text));
  if ((definition.check.kinds & Check::kNonEmpty) && text.empty())
    return invalid(definition, text, "String must be non-empty");
  if ((definition.check.kinds & Check::kOffsetReset) && !is_offset_reset(text))
    return invalid(
        definition, text,
        "Invalid value `" + text + "` for configuration " + std::string(definition.name) +
            ". The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.");
  return {};
}

Status check_list(const ConfigDef& definition, const std::vector<std::string>& list) {
  const std::string name(definition.name);
  if ((definition.check.kinds & Check::kThrottledReplicas) && !throttled_replicas(list))
    return invalid(definition, "[" + join(list, ", ") + "]",
                   name +
                       " must be the literal '*' or a list of replicas in the following format: "
                       "[partitionId]:[brokerId],[partitionId]:[brokerId],...");
  const bool strict = !definition.check.choices.empty() || (definition.check.kinds & Check::kNonEmpty);
  for (const std::string& element : list) {
    if (strict && element.empty())
      return fail(ErrorKind::kInvalid, "Configuration '" + name + "' values must not be empty.");
    TRY(check_choice(definition, element));
  }
  return {};
}

Status check(const ConfigDef& definition, const Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value))
    return check_number(definition, static_cast<double>(*number), value);
  if (const auto* number = std::get_if<double>(&value)) return check_number(definition, *number, value);
  if (const auto* text = std::get_if<std::string>(&value)) return check_string(definition, *text);
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) return check_list(definition, *list);
  return {};
}

// `delete,delete` is `delete`, where the elements are words of a fixed set.
void drop_duplicates(std::vector<std::string>& list) {
  std::vector<std::string> unique;
  for (std::string& element : list)
    if (std::ranges::find(unique, element) == unique.end()) unique.push_back(std::move(element));
  list = std::move(unique);
}

// Double.toString: plain between 1e-3 and 1e7, else d.dddEn; always a digit behind the point.
std::string java_double(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
  char buffer[400];
  const double size = std::abs(number);
  const bool plain = size == 0 || (size >= 1e-3 && size < 1e7);
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  std::string text(buffer, std::to_chars(buffer, std::end(buffer), number, format).ptr);
  if (plain) return text.find('.') == std::string::npos ? text + ".0" : text;
  const auto e = text.find('e');
  std::string mantissa = text.substr(0, e);
  if (mantissa.find('.') == std::string::npos) mantissa += ".0";
  return mantissa + "E" + std::to_string(*parse_integer(std::string_view(text).substr(e + 1)));
}

}  // namespace

const ConfigDef* find(Scope scope, std::string_view name) {
  const auto all = definitions(scope);
  const auto at = std::ranges::lower_bound(all, name, {}, &ConfigDef::name);
  return at != all.end() && at->name == name ? &*at : nullptr;
}

std::optional<std::string_view> listener_base_name(std::string_view name) {
  constexpr std::string_view kPrefix = "listener.name.";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const auto dot = name.find('.', kPrefix.size());
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view base = name.substr(dot + 1);
  for (std::string_view of_mechanism :
       {"sasl.jaas.config", "sasl.login.callback.handler.class", "sasl.login.class",
        "sasl.server.callback.handler.class", "connections.max.reauth.ms"})
    if (base.ends_with(of_mechanism)) return of_mechanism;
  return base;
}

const ConfigDef* find_broker(std::string_view name) {
  if (const ConfigDef* exact = find(Scope::kBroker, name)) return exact;
  const auto base = listener_base_name(name);
  return base ? find(Scope::kBroker, *base) : nullptr;
}

Result<Value> convert(const ConfigDef& definition, std::string_view text) {
  const std::string_view trimmed = trim(text);
  switch (definition.type) {
    case Type::kBoolean:
      if (equal_ignoring_case(trimmed, "true")) return true;
      if (equal_ignoring_case(trimmed, "false")) return false;
      return invalid(definition, text, "Expected value to be either true or false");
    case Type::kShort:
    case Type::kInt:
    case Type::kLong:
      if (auto number = parse_integer(trimmed); number && fits(definition.type, *number)) return *number;
      return invalid(definition, text, "Not a number of type " + std::string(java_name(definition.type)));
    case Type::kDouble:
      if (auto number = parse_double(trimmed)) return *number;
      return invalid(definition, text, "Not a number of type DOUBLE");
    case Type::kList:
      return split_list(trimmed);
    default:
      return std::string(trimmed);
  }
}

Result<Value> parse(const ConfigDef& definition, std::string_view text) {
  TRY_ASSIGN(value, convert(definition, text));
  TRY(check(definition, value));
  auto* list = std::get_if<std::vector<std::string>>(&value);
  if (list && !definition.check.choices.empty()) drop_duplicates(*list);
  return std::move(value);
}

std::string to_text(const Value& value) {
  struct {
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const { return java_double(number); }
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(const std::vector<std::string>& list) const { return join(list, ","); }
  } print;
  return std::visit(print, value);
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  text = trim(text);
  if (text.empty()) return parts;
  for (;;) {
    const auto comma = text.find(',');
    parts.emplace_back(trim(text.substr(0, comma)));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<double> parse_double(std::string_view text) {
  const bool minus = text.starts_with('-');
  if (minus || text.starts_with('+')) text.remove_prefix(1);
  const double sign = minus ? -1 : 1;
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return sign * std::numeric_limits<double>::infinity();
  if (text.empty() || !(text[0] == '.' || (text[0] >= '0' && text[0] <= '9'))) return std::nullopt;
  if (std::string_view("fFdD").contains(text.back())) text.remove_suffix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return std::nullopt;
  return error == std::errc() ? std::optional(sign * number) : std::nullopt;
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
  std::string all;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i != 0) all += separator;
    all += parts[i];
  }
  return all;
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return result;
}

}  // namespace moldau::config
