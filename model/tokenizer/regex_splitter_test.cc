#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/tokenizer/splitter.h"

namespace apollo {
namespace {

using Pieces = std::vector<std::string_view>;

Pieces Split(std::string_view pattern, std::string_view text) {
  const auto splitter = MakeRegexSplitter(pattern);
  EXPECT_TRUE(splitter.ok()) << splitter.status();
  Pieces pieces;
  if (splitter.ok()) {
    EXPECT_TRUE((*splitter)->Split(text, &pieces).ok());
  }
  return pieces;
}

TEST(RegexSplitterTest, KeepsMatchesAndWhatLiesBetween) {
  EXPECT_EQ(Split("\\p{N}+", "12ab3 "), Pieces({"12", "ab", "3", " "}));
  EXPECT_EQ(Split("\\p{N}+", "ab"), Pieces({"ab"}));
  EXPECT_EQ(Split("\\p{N}+", ""), Pieces());
}

TEST(RegexSplitterTest, WhiteSpaceIsThatOfOniguruma) {
  // U+180E is white space only for PCRE2; U+0085 and U+3000 for both.
  EXPECT_EQ(Split("\\s+", "a\u180E\u0085\u3000b"),
            Pieces({"a\u180E", "\u0085\u3000", "b"}));
  EXPECT_EQ(Split("[^\\s]+", "\u180E\u0085"), Pieces({"\u180E", "\u0085"}));
  EXPECT_EQ(Split("\\S+", "\u180E\u0085"), Pieces({"\u180E", "\u0085"}));
}

TEST(RegexSplitterTest, TakesThePatternsOfPublishedTokenizers) {
  for (
      const char* pattern : {
          // cl100k, o200k, DeepSeek V3
          R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)",
          R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
          R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
          "[一-龥぀-ゟ゠-ヿ]+",
      }) {
    EXPECT_TRUE(MakeRegexSplitter(pattern).ok()) << pattern;
  }
}

TEST(RegexSplitterTest, RefusesWhatMeansSomethingElseToPcre2) {
  for (const char* pattern :
       {"\\h",     "\\w+",  "\\b",     "\\X",     "\\R",    "\\K",
        "^a",      "a$",    "a{1,2}+", "[a[bc]]", "[a&&b]", "[\\S]",
        "(?<n>a)", "(?#c)", "(*FAIL)", "(?i)a",   "[]a]",   "\\1",
        "\\p",     "\\pL",  "a\\",     "\\p{L"}) {
    EXPECT_EQ(MakeRegexSplitter(pattern).status().code(),
              absl::StatusCode::kUnimplemented)
        << pattern;
  }
}

TEST(RegexSplitterTest, RefusesBrokenAndEmptyPatterns) {
  for (const char* pattern : {"(", "a)", "[a", "*", "\\p{Nonsense}", "\xff"}) {
    EXPECT_EQ(MakeRegexSplitter(pattern).status().code(),
              absl::StatusCode::kInvalidArgument)
        << pattern;
  }
  for (const char* pattern : {"", "a*", "a|", "(?=a)"}) {
    EXPECT_EQ(MakeRegexSplitter(pattern).status().code(),
              absl::StatusCode::kUnimplemented)
        << pattern;
  }
}

TEST(RegexSplitterTest, ExponentialPatternsEndInAnError) {
  const auto splitter = MakeRegexSplitter("(a+a+)+b");
  ASSERT_TRUE(splitter.ok());
  Pieces pieces;
  EXPECT_EQ((*splitter)->Split(std::string(200, 'a') + "cb", &pieces).code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(RegexSplitterTest, LongTextNeedsNoStack) {
  const std::string text(3'000'000, 'a');
  EXPECT_EQ(Split("\\p{L}+", text).size(), 1u);
  EXPECT_EQ(Split("[^\\s]+x|\\p{L}*a", text).size(), 1u);
  // A pattern that remembers each step hits the memory limit.
  const auto splitter = MakeRegexSplitter("(?:a|b)+");
  ASSERT_TRUE(splitter.ok());
  Pieces pieces;
  EXPECT_EQ((*splitter)->Split(text, &pieces).code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace apollo
