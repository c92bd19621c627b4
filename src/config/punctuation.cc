#include "config/punctuation.h"

#include <array>
#include <cstdint>
#include <cstdio>

namespace moldau::config {
namespace {

struct Known {
  std::uint32_t code;
  std::string_view name;
  std::string_view meant;
};

constexpr Known kKnown[] = {
    {0x00A0, "no-break space", " "},
    {0x200B, "zero-width space", ""},
    {0x2010, "hyphen", "-"},
    {0x2011, "non-breaking hyphen", "-"},
    {0x2013, "en dash", "-"},
    {0x2014, "em dash", "-"},
    {0x2018, "left single quotation mark", ""},
    {0x2019, "right single quotation mark", ""},
    {0x201C, "left double quotation mark", ""},
    {0x201D, "right double quotation mark", ""},
    {0x2212, "minus sign", "-"},
    {0x3000, "ideographic space", " "},
    {0x3001, "ideographic comma", ","},
    {0x3002, "ideographic full stop", "."},
    {0xFE50, "small comma", ","},
    {0xFE55, "small colon", ":"},
    {0xFEFF, "byte order mark", ""},
};

// U+FF01…U+FF5E are the ASCII characters 0x21…0x7E in full width.
std::string full_width_name(char ascii) {
  switch (ascii) {
    case ',':
      return "full-width comma";
    case ':':
      return "full-width colon";
    case ';':
      return "full-width semicolon";
    case '=':
      return "full-width equals sign";
    case '.':
      return "full-width full stop";
    case '/':
      return "full-width solidus";
    case '-':
      return "full-width hyphen";
    default:
      return "full-width character";
  }
}

struct Decoded {
  std::uint32_t code;
  std::size_t size;
};

// One character of UTF-8; a byte that is none counts as itself.
Decoded decode(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  if (size == 1 || text.size() < size) return {lead, 1};
  std::uint32_t code = lead & (0xFFu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0) != 0x80) return {lead, 1};
    code = code << 6 | (byte & 0x3F);
  }
  return {code, size};
}

std::optional<LookAlike> classify(std::uint32_t code, std::string_view found) {
  char code_point[12];
  std::snprintf(code_point, sizeof code_point, "U+%04X", static_cast<unsigned>(code));
  if (code >= 0xFF01 && code <= 0xFF5E) {
    const char ascii = static_cast<char>(code - 0xFF01 + 0x21);
    return LookAlike{std::string(found), code_point, full_width_name(ascii), std::string(1, ascii)};
  }
  for (const Known& known : kKnown)
    if (known.code == code)
      return LookAlike{std::string(found), code_point, std::string(known.name), std::string(known.meant)};
  return std::nullopt;
}

}  // namespace

std::optional<LookAlike> find_look_alike(std::string_view text) {
  while (!text.empty()) {
    const Decoded next = decode(text);
    if (next.size > 1)
      if (auto found = classify(next.code, text.substr(0, next.size))) return found;
    text.remove_prefix(next.size);
  }
  return std::nullopt;
}

std::string describe(const LookAlike& found) {
  const std::string what =
      "found the " + found.name + " `" + found.found + "` (" + found.code_point + ") where ";
  return what + (found.meant.empty() ? "nothing of the kind" : "an ASCII `" + found.meant + "`") +
         " is expected";
}

}  // namespace moldau::config
