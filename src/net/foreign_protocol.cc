#include "net/foreign_protocol.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace moldau::net {
namespace {

constexpr std::size_t kShown = 60;

// As the length of a frame each would be above a gigabyte.
constexpr std::array<std::string_view, 10> kHttpStarts{"GET ", "HEAD", "POST", "PUT ", "DELE",
                                                       "OPTI", "PATC", "CONN", "TRAC", "PRI "};

bool is_printable(char c) { return c >= ' ' && c <= '~'; }

// The printable start of the first line.
std::string_view first_line(std::string_view text) {
  const auto end = std::ranges::find_if_not(text.substr(0, kShown), is_printable);
  return text.substr(0, static_cast<std::size_t>(end - text.begin()));
}

}  // namespace

std::string foreign_protocol(ByteView first) {
  if (first.size() < 4) return {};
  // Record type "handshake", then a version 3.0 to 3.4: a frame of 369 MB, which no client begins with.
  if (first[0] == 0x16 && first[1] == 0x03 && first[2] <= 0x04) {
    return "a TLS handshake: the client is set to SSL, this listener to plaintext";
  }
  const std::string_view text = as_text(first);
  if (std::ranges::find(kHttpStarts, text.substr(0, 4)) == kHttpStarts.end()) return {};
  return "an HTTP request (" + std::string(first_line(text)) + ")";
}

}  // namespace moldau::net
