#include "wire/message_json_test.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <map>

#include "tests/support/golden.h"

namespace moldau::wire {

namespace json = boost::json;

namespace {

std::string plain(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c != '_') out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  }
  return out;
}

}  // namespace

const CatalogEntry* find_message(std::string_view name) {
  static const std::map<std::string_view, const CatalogEntry*> kByName = [] {
    std::map<std::string_view, const CatalogEntry*> all;
    for (const CatalogEntry& entry : catalog()) all[entry.name] = &entry;
    return all;
  }();
  const auto found = kByName.find(name);
  return found == kByName.end() ? nullptr : found->second;
}

json::value with_plain_names(const json::value& value) {
  if (const json::array* array = value.if_array()) {
    json::array out;
    for (const json::value& element : *array) out.push_back(with_plain_names(element));
    return out;
  }
  if (const json::object* object = value.if_object()) {
    json::object out;
    for (const auto& [name, member] : *object) out[plain(name)] = with_plain_names(member);
    return out;
  }
  return value;
}

bool equal(const json::value& a, const json::value& b) {
  if (a.is_double() || b.is_double()) {
    const double x = a.to_number<double>();
    const double y = b.to_number<double>();
    return std::abs(x - y) <= 1e-14 * std::max(std::abs(x), std::abs(y));
  }
  if (a.is_array() && b.is_array()) {
    const json::array& x = a.get_array();
    const json::array& y = b.get_array();
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), equal);
  }
  if (a.is_object() && b.is_object()) {
    const json::object& x = a.get_object();
    const json::object& y = b.get_object();
    return x.size() == y.size() && std::ranges::all_of(x, [&](const auto& member) {
             const json::value* other = y.if_contains(member.key());
             return other != nullptr && equal(member.value(), *other);
           });
  }
  return a == b;
}

std::string print(const json::value& value) { return json::serialize(value); }

void ToJson::begin_struct(const char* name) { open_.push_back({name, json::object{}}); }
void ToJson::begin_array(const char* name) { open_.push_back({name, json::array{}}); }
void ToJson::text(const char* name, std::string_view value) { put(name, json::string(value)); }
void ToJson::bytes(const char* name, ByteView value) { put(name, json::string(golden::to_base64(value))); }
void ToJson::uuid(const char* name, const Uuid& value) { put(name, json::string(value.to_string())); }
void ToJson::records(const char* name, const Records& value) {
  if (value.null) return put(name, nullptr);
  bytes(name, value.bytes);
}

void ToJson::close() {
  auto [name, value] = std::move(open_.back());
  open_.pop_back();
  put(name, std::move(value));
}

void ToJson::put(const char* name, json::value value) {
  if (open_.empty()) {
    done_ = std::move(value);
  } else if (name != nullptr) {
    open_.back().second.as_object()[plain(name)] = std::move(value);
  } else {
    open_.back().second.as_array().push_back(std::move(value));
  }
}

}  // namespace moldau::wire
