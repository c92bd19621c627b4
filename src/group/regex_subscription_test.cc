#include "group/regex_subscription.h"

#include <gtest/gtest.h>

namespace moldau::group {
namespace {

// Kafka 4.3.1's words for the same patterns, as its RE2/J says them.
TEST(RegexTest, ReasonsAsKafka) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"[", "missing closing ]"},
      {"(", "missing closing )"},
      {"*", "missing argument to repetition operator"},
      {"a**", "invalid nested repetition operator"},
      {"a{1001}", "invalid repeat count"},
      {"a{2,1}", "invalid repeat count"},
      {"[b-a]", "invalid character class range"},
      {"\\", "trailing backslash at end of expression"},
      {"\\q", "invalid escape sequence"},
      {"(?P<n", "invalid named capture"},
      {"(?=a)", "invalid or unsupported Perl syntax"},
      {"\\pX", "invalid character class range"},
      {"\\8", "invalid escape sequence"},
      {"(?i)(?z)", "invalid or unsupported Perl syntax"},
      {"a*+", "invalid nested repetition operator"},
  };
  for (const auto& [regex, reason] : cases) EXPECT_EQ(regex_error(regex), reason) << regex;
}

TEST(RegexTest, GroupsMayBeNamedAsInJava) {
  EXPECT_EQ(regex_error("(?<name>a)+[(?<x]"), std::nullopt);
  EXPECT_EQ(regex_error("(?<!a)"), "invalid or unsupported Perl syntax");
  EXPECT_EQ(regex_error("\\(?<a"), std::nullopt);
}

// RE2/J takes all memory for this one; here it is refused.
TEST(RegexTest, NothingExplodes) {
  EXPECT_EQ(regex_error("(((a{100}){100}){100}){100}"), "invalid repeat count");
  EXPECT_EQ(regex_error(std::string(1'000'000, 'a')), "pattern too large");
}

}  // namespace
}  // namespace moldau::group
