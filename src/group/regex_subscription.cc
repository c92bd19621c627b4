#include "group/regex_subscription.h"

#include <re2/re2.h>

namespace moldau::group {
namespace {

RE2::Options options() {
  RE2::Options options(RE2::Quiet);
  options.set_never_capture(true);
  return options;
}

// RE2/J knows names of groups as Java writes them, "(?<name>", too; RE2 of Debian 12 only "(?P<name>".
std::string as_re2(std::string_view regex) {
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < regex.size(); ++i) {
    const std::string_view rest = regex.substr(i);
    if (rest.starts_with('\\') && rest.size() > 1) {
      out += regex[i++];
    } else if (!in_class && rest.starts_with("(?<") && rest.size() > 3 && rest[3] != '=' && rest[3] != '!') {
      out += "(?P";
      i += 2;
    } else {
      in_class = rest.starts_with('[') || (in_class && !rest.starts_with(']'));
    }
    out += regex[i];
  }
  return out;
}

// In RE2/J's words, which Kafka hands on.
std::string_view reason(RE2::ErrorCode code) {
  switch (code) {
    case RE2::ErrorBadEscape:
      return "invalid escape sequence";
    case RE2::ErrorBadCharClass:
      return "invalid character class";
    case RE2::ErrorBadCharRange:
      return "invalid character class range";
    case RE2::ErrorMissingBracket:
      return "missing closing ]";
    case RE2::ErrorMissingParen:
      return "missing closing )";
    case RE2::ErrorUnexpectedParen:
      return "unexpected closing )";
    case RE2::ErrorTrailingBackslash:
      return "trailing backslash at end of expression";
    case RE2::ErrorRepeatArgument:
      return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize:
      return "invalid repeat count";
    case RE2::ErrorRepeatOp:
      return "invalid nested repetition operator";
    case RE2::ErrorBadPerlOp:
      return "invalid or unsupported Perl syntax";
    case RE2::ErrorBadUTF8:
      return "invalid UTF-8";
    case RE2::ErrorBadNamedCapture:
      return "invalid named capture";
    case RE2::ErrorPatternTooLarge:
      return "pattern too large";
    default:
      return "internal error";
  }
}

}  // namespace

std::optional<std::string> regex_error(std::string_view regex) {
  const RE2 compiled(as_re2(regex), options());
  return compiled.ok() ? std::nullopt : std::optional<std::string>(reason(compiled.error_code()));
}

std::set<std::string, std::less<>> matching_topics(std::string_view regex, const metadata::Image& image) {
  std::set<std::string, std::less<>> topics;
  const RE2 compiled(as_re2(regex), options());
  if (!compiled.ok()) return topics;
  image.for_each_topic([&](const metadata::TopicPtr& topic) {
    if (RE2::FullMatch(topic->name, compiled)) topics.insert(topic->name);
  });
  return topics;
}

}  // namespace moldau::group
