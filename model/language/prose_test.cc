#include "model/language/prose.h"

#include <gtest/gtest.h>

#include <string>

namespace apollo {
namespace {

TEST(ExtractProseTest, KeepsWordsInLowerCase) {
  EXPECT_EQ(ExtractProse("  What IS it?\n(A fever!) "), "what is it a fever");
  EXPECT_EQ(ExtractProse("Qu'est-ce que c\u2019est ?"), "qu'est ce que c'est");
  EXPECT_EQ(ExtractProse("Что делать?"), "что делать");
  EXPECT_EQ(ExtractProse("सिर में दर्द है।"), "सिर में दर्द है");
  EXPECT_EQ(ExtractProse("고혈압의 증상은?"), "고혈압의 증상은");
}

TEST(ExtractProseTest, LeavesOutWhatIsNoLanguage) {
  EXPECT_EQ(
      ExtractProse("see https://example.org/a?b=c or www.example.org now"),
      "see or now");
  EXPECT_EQ(ExtractProse("mail me@example.org today"), "mail today");
  EXPECT_EQ(ExtractProse("take 20mg B12 3x 1.5 ml COVID19"), "take");
  EXPECT_EQ(ExtractProse("use `x = foo(bar)` here"), "use here");
  EXPECT_EQ(ExtractProse("look\n```python\nfor x in y: print(x)\n```\ngood"),
            "look good");
  EXPECT_EQ(ExtractProse("look ``` import os"), "look");
  EXPECT_EQ(ExtractProse("a <b class=\"x\">bold</b> word"), "a bold word");
  EXPECT_EQ(ExtractProse("call get_value or getValue(x) or x==y"),
            "call or or");
}

TEST(ExtractProseTest, DrugNamesGoAndWordsThatLookAlikeStay) {
  EXPECT_EQ(ExtractProse("omeprazole atorvastatin amoxicillin"), "");
  EXPECT_EQ(ExtractProse("April statin servir"), "april statin servir");
}

TEST(ExtractProseTest, LessThanSignsAreNotTags) {
  EXPECT_EQ(ExtractProse("if x < y and y > z"), "if x y and y z");
}

TEST(ExtractProseTest, AnyBytes) {
  EXPECT_EQ(ExtractProse(""), "");
  EXPECT_EQ(ExtractProse(std::string("\0", 1)), "");
  EXPECT_EQ(ExtractProse("\xff"), "");
  EXPECT_EQ(ExtractProse("one\xff"
                         "two\xc3"),
            "one two");
  EXPECT_EQ(ExtractProse("one\x01two\x7fthree\x1b"), "one two three");
  EXPECT_EQ(ExtractProse("````"), "");
  EXPECT_EQ(ExtractProse("<"), "");
}

// What the classifier is trained on must not change with the rules for
// questions.
TEST(ExtractQuestionTest, LeavesOutMoreThanExtractProse) {
  const struct {
    const char* text;
    const char* prose;
    const char* question;
  } kCases[] = {
      {"What is it?", "what is it", "what is it"},
      {"Why codeine?", "why codeine", "why"},
      {"warum IL-6", "warum il", "warum"},
      {"warum for i in range(10): print(i)", "warum for i in", "warum"},
      {"<p>Some text</p>", "some text", ""},
      {"look ``` import os", "look", "look"},
      {"Codeine, lithium + quinine 5 mg", "codeine lithium quinine", ""},
      {"Fieber(39), Husten(trocken)", "", "fieber husten trocken"},
      {"Fieber (hoch); Husten (stark);", "fieber husten",
       "fieber hoch husten stark"},
      {"Symptome[2] und f(x)", "und", "symptome und"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(ExtractProse(c.text), c.prose);
    EXPECT_EQ(ExtractQuestion(c.text), c.question);
  }
}

TEST(ExtractQuestionTest, OnlyAsciiIsCode) {
  EXPECT_EQ(ExtractQuestion("HbA1c=8.2怎么办"), "怎么办");
  EXPECT_EQ(ExtractQuestion("https://example.org怎么办"), "怎么办");
  EXPECT_EQ(ExtractQuestion("dolor(después) y tos"), "dolor después y tos");
}

TEST(ExtractQuestionTest, AbbreviationsKeepTheirCapitals) {
  EXPECT_EQ(ExtractQuestion("Was heißt ALT, AST (GGT)?"),
            "was heißt ALT AST GGT");
  EXPECT_EQ(ExtractQuestion("WAS IST EIN SCHLAGANFALL"),
            "was ist ein schlaganfall");
  EXPECT_EQ(ExtractQuestion("5 MG I"), "i");
}

TEST(ExtractQuestionTest, AnyBytesAnyLength) {
  EXPECT_EQ(ExtractQuestion(""), "");
  EXPECT_EQ(ExtractQuestion("\xff"), "");
  EXPECT_EQ(ExtractQuestion(std::string("\0", 1)), "");
  const std::string text = "begin " + std::string(1'000'000, ' ') + " end";
  EXPECT_EQ(ExtractQuestion(text), "begin end");
  for (const char* sign : {"(", "\"", "{", "=", "select ", "a\n", "<a>\n"}) {
    std::string many;
    while (many.size() < 1'000'000) many += sign;
    EXPECT_LE(ExtractQuestion(many).size(),
              static_cast<std::size_t>(kMaxProseBytes));
  }
}

TEST(ExtractProseTest, LongTextsKeepTheirEnds) {
  const std::string text = "begin " + std::string(1'000'000, ' ') + " end";
  EXPECT_EQ(ExtractProse(text), "begin end");
  EXPECT_LE(ExtractProse(std::string(1'000'000, 'x')).size(),
            static_cast<std::size_t>(kMaxProseBytes) + 8);
  // A character cut in two is no character.
  std::string han;
  while (han.size() < 300'000) han += "痛";
  for (const char* end : {"", "x", "xy"}) {
    EXPECT_EQ(ExtractProse(end + han).find("\xEF\xBF\xBD"), std::string::npos);
  }
}

}  // namespace
}  // namespace apollo
