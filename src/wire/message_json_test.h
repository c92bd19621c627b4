// For tests: messages by name, and their fields as JSON to compare with recorded ones.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/catalog.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace moldau::wire {

// nullptr if the catalogue has none of this name.
const CatalogEntry* find_message(std::string_view name);

// Kafka's "throttleTimeMs" and our "throttle_time_ms" are one name: all names of an object in that common
// form.
boost::json::value with_plain_names(const boost::json::value& value);
// Numbers with a fraction are compared within what a JSON parser loses.
bool equal(const boost::json::value& a, const boost::json::value& b);
std::string print(const boost::json::value& value);

class ToJson : public Describer {
 public:
  boost::json::value take() { return std::move(done_); }

  void begin_struct(const char* name) override;
  void begin_array(const char* name) override;
  void end_struct() override { close(); }
  void end_array() override { close(); }
  void null(const char* name) override { put(name, nullptr); }
  void boolean(const char* name, bool value) override { put(name, value); }
  void number(const char* name, std::int64_t value) override { put(name, value); }
  void real(const char* name, double value) override { put(name, value); }
  void text(const char* name, std::string_view value) override;
  void bytes(const char* name, ByteView value) override;
  void uuid(const char* name, const Uuid& value) override;
  void records(const char* name, const Records& value) override;

 private:
  void close();
  void put(const char* name, boost::json::value value);

  std::vector<std::pair<const char*, boost::json::value>> open_;
  boost::json::value done_;
};

}  // namespace moldau::wire
