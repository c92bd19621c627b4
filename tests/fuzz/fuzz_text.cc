// The text files: properties, checkpoints, meta.properties. The first byte chooses. Bad text is an error that
// says something, never a crash.
#include "base/check.h"
#include "config/load.h"
#include "log/checkpoint.h"
#include "log/meta_properties.h"

using namespace moldau;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view text = as_text(ByteView(data + 1, size - 1));
  const auto says_why = [](const auto& result) {
    CHECK(result || !result.error().message.empty(), "an error says why");
  };
  switch (data[0] % 4) {
    case 0:
      says_why(config::load("fuzz", text, {}));
      break;
    case 1: {
      const auto offsets = log::parse_offsets(text, "fuzz");
      says_why(offsets);
      if (offsets)
        CHECK(log::parse_offsets(log::format_offsets(*offsets), "again") == offsets,
              "what is read can be written");
      break;
    }
    case 2:
      says_why(log::parse_written(text, "fuzz"));
      break;
    case 3:
      says_why(log::parse_meta_properties(text, "fuzz"));
      break;
  }
  return 0;
}
