// Punctuation that looks like ASCII and is not: pasted from a blog, typed with a Chinese or Japanese input
// method, or made by a word processor. Kafka takes `a，b` for one long name and fails much later, elsewhere;
// we say so at once.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace moldau::config {

struct LookAlike {
  std::string found;       // as it stands there, UTF-8
  std::string code_point;  // "U+FF0C"
  std::string name;        // "full-width comma"
  std::string meant;       // ","; empty: nothing at all should stand there
};

// The first one in `text` (UTF-8), or nullopt.
std::optional<LookAlike> find_look_alike(std::string_view text);

// "found the full-width comma `，` (U+FF0C) where an ASCII `,` is expected"
std::string describe(const LookAlike& found);

}  // namespace moldau::config
