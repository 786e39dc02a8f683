#include "model/language/prose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace apollo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(SplitSegmentsTest, KeepsWordsInLowerCase) {
  EXPECT_THAT(SplitSegments("  What IS it?"), ElementsAre("what is it"));
  EXPECT_THAT(SplitSegments("Qu'est-ce que c\u2019est ?"),
              ElementsAre("qu'est ce que c'est"));
  EXPECT_THAT(SplitSegments("Что делать?"), ElementsAre("что делать"));
  EXPECT_THAT(SplitSegments("सिर में दर्द है।"), ElementsAre("सिर में दर्द है"));
  EXPECT_THAT(SplitSegments("고혈압의 증상은?"),
              ElementsAre("고혈압의 증상은"));
  EXPECT_THAT(SplitSegments("so\u00AD"
                            "ft 'quoted'"),
              ElementsAre("soft quoted"));
}

TEST(SplitSegmentsTest, LinesAndLongSentencesAreSegments) {
  EXPECT_THAT(SplitSegments("one\ntwo\r\n\n three"),
              ElementsAre("one", "two", "three"));
  EXPECT_THAT(SplitSegments("Dr. No. Wait! My head hurts since yesterday "
                            "evening. It is worse now."),
              ElementsAre("dr no wait my head hurts since yesterday evening",
                          "it is worse now"));
  // A full stop inside a token ends nothing.
  EXPECT_THAT(SplitSegments("my temperature since the morning is 38.5 degrees"),
              ElementsAre("my temperature since the morning is 0 degrees"));
  EXPECT_THAT(SplitSegments("高血压的症状有哪些？应该怎么治疗"),
              ElementsAre("高血压的症状有哪些", "应该怎么治疗"));
}

TEST(SplitSegmentsTest, NumbersAreOneDigit) {
  EXPECT_THAT(SplitSegments("take 20mg, B12, 3 x 1.5 ml, COVID-19"),
              ElementsAre("take 0mg b0 0 x 0 ml covid 0"));
  EXPECT_THAT(SplitSegments("1,000.5 10:30 120/80"), ElementsAre("0 0 0/0"));
  EXPECT_THAT(SplitSegments("吃3天"), ElementsAre("吃 0 天"));
}

TEST(SplitSegmentsTest, SymbolsOfCodeAreTokens) {
  EXPECT_THAT(SplitSegments("if (a_b == c) { f(x); }"),
              ElementsAre("if ( a_b == c ) { f(x); }"));
  EXPECT_THAT(SplitSegments("import os.path"), ElementsAre("import os.path"));
  EXPECT_THAT(SplitSegments("rm -rf --all"), ElementsAre("rm - rf -- all"));
  EXPECT_THAT(SplitSegments("a pain (strong), dolor(después)"),
              ElementsAre("a pain ( strong ) dolor(después)"));
  // Dashes, colons and commas are punctuation in prose.
  EXPECT_THAT(SplitSegments("- Fever: yes, a well-known one - today"),
              ElementsAre("fever yes a well known one today"));
}

TEST(SplitSegmentsTest, LeavesOutUrlsAndMarkedCode) {
  EXPECT_THAT(
      SplitSegments("see https://example.org/a?b=c or www.example.org now"),
      ElementsAre("see or now"));
  EXPECT_THAT(SplitSegments("https://example.org怎么办"),
              ElementsAre("怎么办"));
  EXPECT_THAT(SplitSegments("use `x = foo(bar)` here"),
              ElementsAre("use here"));
  EXPECT_THAT(SplitSegments("look\n```python\nfor x in y: print(x)\n```\ngood"),
              ElementsAre("look", "good"));
  EXPECT_THAT(SplitSegments("look ``` import os"), ElementsAre("look"));
  EXPECT_THAT(SplitSegments("one ` only"), ElementsAre("one ` only"));
}

TEST(SplitSegmentsTest, AnyBytes) {
  EXPECT_THAT(SplitSegments(""), IsEmpty());
  EXPECT_THAT(SplitSegments(std::string("\0", 1)), IsEmpty());
  EXPECT_THAT(SplitSegments("\xff"), IsEmpty());
  EXPECT_THAT(SplitSegments("????"), IsEmpty());
  EXPECT_THAT(SplitSegments("````"), IsEmpty());
  EXPECT_THAT(SplitSegments("one\xff"
                            "two\xc3"),
              ElementsAre("one two"));
  EXPECT_THAT(SplitSegments("one\x01two\x7fthree\x1b"),
              ElementsAre("one two three"));
}

TEST(ExtractProseTest, JoinsTheSegments) {
  EXPECT_EQ(ExtractProse("one\ntwo"), "one two");
  EXPECT_EQ(ExtractProse(""), "");
}

TEST(ExtractProseTest, LongTextsKeepTheirEnds) {
  const std::string text = "begin " + std::string(1'000'000, ' ') + " end";
  EXPECT_EQ(ExtractProse(text), "begin end");
  for (const char* part :
       {"x", "(", "a ", "1", "'", "`", "://", "www.", "痛"}) {
    std::string many;
    while (many.size() < 1'000'000) many += part;
    EXPECT_LE(ExtractProse(many).size(),
              static_cast<std::size_t>(2 * kMaxProseBytes))
        << part;
  }
  // A character cut in two is invalid.
  std::string han;
  while (han.size() < 300'000) han += "痛";
  for (const char* end : {"", "x", "xy"}) {
    EXPECT_EQ(ExtractProse(end + han).find("\xEF\xBF\xBD"), std::string::npos);
  }
}

}  // namespace
}  // namespace apollo
