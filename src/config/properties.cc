#include "config/properties.h"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace moldau::config {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

std::string_view skip_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

// Cuts natural lines at \n, \r and \r\n.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {}
  bool at_end() const { return text_.empty(); }
  int number() const { return number_; }  // of the line that next() gave last
  std::string_view next() {
    ++number_;
    const auto end = text_.find_first_of("\r\n");
    const std::string_view line = text_.substr(0, end);
    if (end == std::string_view::npos) {
      text_ = {};
    } else {
      text_.remove_prefix(text_.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
    }
    return line;
  }

 private:
  std::string_view text_;
  int number_ = 0;
};

bool continues(std::string_view line) {
  const auto last = line.find_last_not_of('\\');
  const std::size_t backslashes = line.size() - (last == std::string_view::npos ? 0 : last + 1);
  return backslashes % 2 == 1;
}

// The logical line that starts with `line`, blanks at its start gone.
std::string join_continued(std::string_view line, Lines& lines) {
  std::string logical;
  while (continues(line)) {
    logical += line.substr(0, line.size() - 1);
    if (lines.at_end()) return logical;
    line = skip_blanks(lines.next());
  }
  return logical += line;
}

void append_utf8(std::string& to, std::uint32_t code) {
  auto byte = [&](std::uint32_t b) { to += static_cast<char>(b); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0 | code >> 6), byte(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    byte(0xE0 | code >> 12), byte(0x80 | (code >> 6 & 0x3F)), byte(0x80 | (code & 0x3F));
  } else {
    byte(0xF0 | code >> 18), byte(0x80 | (code >> 12 & 0x3F)), byte(0x80 | (code >> 6 & 0x3F)),
        byte(0x80 | (code & 0x3F));
  }
}

// The four digits of \uXXXX.
std::optional<std::uint32_t> hex4(std::string_view digits) {
  if (digits.size() < 4) return std::nullopt;
  std::uint32_t code = 0;
  for (char c : digits.substr(0, 4)) {
    const auto digit =
        std::string_view("0123456789abcdef").find(static_cast<char>(c | (c >= 'A' ? 0x20 : 0)));
    if (digit == std::string_view::npos) return std::nullopt;
    code = code * 16 + static_cast<std::uint32_t>(digit);
  }
  return code;
}

// Appends what \uXXXX (text stands behind the 'u') means and returns how much of `text` it took; 0 =
// malformed.
std::size_t unescape_unicode(std::string_view text, std::string& to) {
  const auto first = hex4(text);
  if (!first) return 0;
  const bool high = *first >= 0xD800 && *first < 0xDC00;
  if (high && text.substr(4).starts_with("\\u")) {
    const auto second = hex4(text.substr(6));
    if (second && *second >= 0xDC00 && *second < 0xE000) {
      append_utf8(to, 0x10000 + ((*first - 0xD800) << 10) + (*second - 0xDC00));
      return 10;
    }
  }
  const bool lone = *first >= 0xD800 && *first < 0xE000;
  append_utf8(to, lone ? 0xFFFD : *first);
  return 4;
}

char simple_escape(char c) {
  switch (c) {
    case 't':
      return '\t';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 'f':
      return '\f';
    default:
      return c;
  }
}

// nullopt: a malformed \uXXXX.
std::optional<std::string> unescape(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    if (text[0] != '\\') {
      result += text[0];
      text.remove_prefix(1);
    } else if (text.size() == 1) {
      text = {};
    } else if (text[1] == 'u') {
      const std::size_t taken = unescape_unicode(text.substr(2), result);
      if (taken == 0) return std::nullopt;
      text.remove_prefix(2 + taken);
    } else {
      result += simple_escape(text[1]);
      text.remove_prefix(2);
    }
  }
  return result;
}

std::size_t key_length(std::string_view line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\') {
      ++i;
    } else if (line[i] == '=' || line[i] == ':' || is_blank(line[i])) {
      return i;
    }
  }
  return line.size();
}

std::string_view value_of(std::string_view line, std::size_t key_size) {
  std::string_view rest = skip_blanks(line.substr(key_size));
  if (rest.starts_with('=') || rest.starts_with(':')) rest = skip_blanks(rest.substr(1));
  return rest;
}

}  // namespace

Result<Properties> Properties::parse(std::string origin, std::string_view text) {
  Properties result;
  result.origin_ = std::move(origin);
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  Lines lines(text);
  while (!lines.at_end()) {
    const std::string_view line = skip_blanks(lines.next());
    const int number = lines.number();
    if (line.empty() || line[0] == '#' || line[0] == '!') continue;
    const std::string logical = join_continued(line, lines);
    const std::size_t key_size = key_length(logical);
    auto key = unescape(std::string_view(logical).substr(0, key_size));
    auto value = unescape(value_of(logical, key_size));
    if (!key || !value)
      return fail(ErrorKind::kInvalid, result.place(number) +
                                           ": malformed \\uXXXX, expected four hexadecimal digits in `" +
                                           logical + "` (a path with backslashes needs each of them twice)");
    result.entries_.push_back({*std::move(key), *std::move(value), number});
  }
  return result;
}

const Properties::Entry* Properties::find(std::string_view key) const {
  const auto at =
      std::find_if(entries_.rbegin(), entries_.rend(), [&](const Entry& entry) { return entry.key == key; });
  return at == entries_.rend() ? nullptr : &*at;
}

std::string Properties::place(int line) const { return origin_ + ":" + std::to_string(line); }

}  // namespace moldau::config
