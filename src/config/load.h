// From the text of a properties file and the --override options to a broker's configuration, or one clear
// message. Pure: whoever calls reads the file.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/broker_config.h"
#include "config/properties.h"
#include "config/values.h"

namespace moldau::config {

// Something to tell at start that does not prevent it.
struct Notice {
  enum class Level : std::uint8_t { kInfo, kWarning };
  Level level;
  std::string text;

  bool operator==(const Notice&) const = default;
};

struct Loaded {
  BrokerValues values;
  BrokerConfig config;
  std::vector<Notice> notices;
  std::map<std::string, std::string, std::less<>> places;  // key → "server.properties:12", "--override a=b"
  std::string origin;                                      // the file

  // "server.properties:12: log.dirs", for a complaint about what `name` (or its other name `also`) says; the
  // file and the name where neither is set.
  std::string place(std::string_view name, std::string_view also = {}) const;
};

// An override is "name=value" and wins over the file; a later one wins over an earlier one.
// Errors (kInvalid) name place, key, what was expected and what was found:
//   server.properties:12: Invalid value abc for configuration num.partitions: Not a number of type INT
//   --override num.partitions=abc: Invalid value …
//   server.properties:7: log.dirs: found the full-width comma `，` (U+FF0C) where an ASCII `,` is expected
Result<Loaded> load(std::string origin, std::string_view text, std::span<const std::string> overrides);

}  // namespace moldau::config
