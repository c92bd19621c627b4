// All messages by name: for tests, fuzzers and tools that walk through every message. Links into those only
// (library moldau_wire_catalog); a broker names the messages that it speaks.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/uuid.h"
#include "wire/types.h"

namespace moldau::wire {

class Reader;
class Writer;

// Hears a message field by field, in the order of the schema, only what the version has. `name` is nullptr
// for elements of an array and for the message itself.
class Describer {
 public:
  virtual ~Describer() = default;
  virtual void begin_struct(const char* name) = 0;
  virtual void end_struct() = 0;
  virtual void begin_array(const char* name) = 0;
  virtual void end_array() = 0;
  virtual void null(const char* name) = 0;
  virtual void boolean(const char* name, bool value) = 0;
  virtual void number(const char* name, std::int64_t value) = 0;
  virtual void real(const char* name, double value) = 0;
  virtual void text(const char* name, std::string_view value) = 0;
  virtual void bytes(const char* name, ByteView value) = 0;
  virtual void uuid(const char* name, const Uuid& value) = 0;
  virtual void records(const char* name, const Records& value) = 0;
};

struct CatalogEntry {
  std::string_view name;  // "ProduceRequest"
  std::int16_t key;       // API key or record type, -1 for neither
  std::int16_t min_version;
  std::int16_t max_version;
  std::int16_t flexible_since;
  // Decodes, and hands what it got to those of the three that are not null. False if decoding failed.
  bool (*run)(Reader& reader, std::int16_t version, Describer* describer, Writer* writer, std::size_t* size);
  // Encodes a message that nobody has touched.
  void (*encode_default)(Writer& writer, std::int16_t version);
};

const std::vector<CatalogEntry>& catalog();

}  // namespace moldau::wire
