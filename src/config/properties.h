// Java's .properties format, with the line of every entry, so that complaints can say where.
//
//   logical line = natural lines joined where one ends in an odd number of '\' (blanks at the next one's
//   start are dropped) comment      = first character that is not blank is '#' or '!' entry        = key
//   [blanks] ['=' | ':' | blank] [blanks] value;  a '\' in the key takes away a separator's meaning escapes
//   = \t \n \r \f \uXXXX (UTF-16, in pairs beyond the first plane); any other \c is c
//
// Bytes above 127 are passed on as they are (Java reads them as ISO-8859-1, so only escapes were safe there):
// files are taken for UTF-8. A byte order mark at the start is skipped. A later entry wins over an earlier
// one of the same key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace moldau::config {

class Properties {
 public:
  struct Entry {
    std::string key;
    std::string value;
    int line;  // of the first natural line, from 1
  };

  // `origin` is the name in messages: a path. kInvalid only for a malformed \uXXXX.
  static Result<Properties> parse(std::string origin, std::string_view text);

  const std::string& origin() const { return origin_; }
  const std::vector<Entry>& entries() const {
    return entries_;
  }  // in the order of the file, repeated keys included
  const Entry* find(std::string_view key) const;  // the one that wins, or nullptr
  std::string place(int line) const;              // "server.properties:12"

 private:
  std::string origin_;
  std::vector<Entry> entries_;
};

}  // namespace moldau::config
