#include "config/properties.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/punctuation.h"

namespace moldau::config {
namespace {

using Pair = std::pair<std::string, std::string>;

std::vector<Pair> pairs(std::string_view text) {
  const auto parsed = Properties::parse("f", text);
  EXPECT_TRUE(parsed.has_value()) << parsed.error().message;
  std::vector<Pair> result;
  for (const auto& entry : parsed->entries()) result.emplace_back(entry.key, entry.value);
  return result;
}

TEST(Properties, Separators) {
  EXPECT_EQ(pairs("a=1\nb:2\nc 3\n  d \t=  4 \ne==\t5\nf\ng=\n"),
            (std::vector<Pair>{
                {"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4 "}, {"e", "=\t5"}, {"f", ""}, {"g", ""}}));
}

TEST(Properties, CommentsAndLineEnds) {
  EXPECT_EQ(pairs("# no\n  ! neither\r\na=1\r\nb=2\rc=#3\n\n   \n"),
            (std::vector<Pair>{{"a", "1"}, {"b", "2"}, {"c", "#3"}}));
}

TEST(Properties, ContinuedLines) {
  EXPECT_EQ(pairs("a=1,\\\n   2,\\\n\t3\nb=x\\\\\nc=\\\n"),
            (std::vector<Pair>{{"a", "1,2,3"}, {"b", "x\\"}, {"c", ""}}));
  EXPECT_EQ(pairs("a=1\\"), (std::vector<Pair>{{"a", "1"}}));
  // A comment does not continue, and a continued line is not a comment.
  EXPECT_EQ(pairs("# no \\\na=1\\\n#2\n"), (std::vector<Pair>{{"a", "1#2"}}));
}

TEST(Properties, Escapes) {
  EXPECT_EQ(pairs("a\\ b\\=c\\:d=\\t\\n\\r\\f\\q\\\\"), (std::vector<Pair>{{"a b=c:d", "\t\n\r\fq\\"}}));
  EXPECT_EQ(pairs("k=\\u0041\\u00e9\\u20AC\\uD83D\\uDE00"),
            (std::vector<Pair>{{"k", "A\u00e9\u20AC\U0001F600"}}));
  EXPECT_EQ(pairs("k=\\uD83Dx"), (std::vector<Pair>{{"k", "\uFFFDx"}}));  // half a pair
}

TEST(Properties, MalformedUnicodeNamesTheLine) {
  for (const std::string_view text : {"\na=C:\\users\n", "\na=\\u12", "\na=\\u00g0"}) {
    const auto parsed = Properties::parse("server.properties", text);
    ASSERT_FALSE(parsed.has_value());
    EXPECT_THAT(parsed.error().message, testing::StartsWith("server.properties:2: malformed \\uXXXX"));
  }
}

TEST(Properties, LinesAndRepeatedKeys) {
  const auto parsed = Properties::parse("f", "a=1\n\nb=x\\\n y\na=2\n").value();
  EXPECT_EQ(parsed.find("b")->line, 3);
  EXPECT_EQ(parsed.find("a")->line, 5);
  EXPECT_EQ(parsed.find("a")->value, "2");
  EXPECT_EQ(parsed.entries().size(), 3u);
  EXPECT_EQ(parsed.find("c"), nullptr);
  EXPECT_EQ(parsed.place(5), "f:5");
}

TEST(Properties, Utf8AndByteOrderMark) {
  EXPECT_EQ(pairs("\xEF\xBB\xBFname=M\u00fcller\n"), (std::vector<Pair>{{"name", "M\u00fcller"}}));
  EXPECT_EQ(pairs(""), std::vector<Pair>{});
}

TEST(Punctuation, LookAlikes) {
  EXPECT_EQ(describe(*find_look_alike("a\uFF0Cb")),
            "found the full-width comma `\uFF0C` (U+FF0C) where an ASCII `,` is expected");
  EXPECT_EQ(describe(*find_look_alike("a\u3001b")),
            "found the ideographic comma `\u3001` (U+3001) where an ASCII `,` is expected");
  EXPECT_EQ(find_look_alike("a\uFF1Ab")->meant, ":");
  EXPECT_EQ(find_look_alike("a\uFF1Db")->meant, "=");
  EXPECT_EQ(find_look_alike("\uFF11")->meant, "1");
  EXPECT_EQ(find_look_alike("\u201Cx\u201D")->meant, "");
  EXPECT_EQ(find_look_alike("1\u00A0")->name, "no-break space");
}

TEST(Punctuation, OrdinaryTextIsLeftAlone) {
  for (const std::string_view text : {"", "a,b", "M\u00fcller", "\u65e5\u672c", "\xFF\xEF\xBC", "\U0001F600"})
    EXPECT_FALSE(find_look_alike(text).has_value()) << text;
}

}  // namespace
}  // namespace moldau::config
