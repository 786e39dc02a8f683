#include "model/tokenizer/utf8.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(Utf8Test, ValidPrefix) {
  EXPECT_EQ(ValidUtf8Prefix(""), 0u);
  EXPECT_EQ(ValidUtf8Prefix("abc\u00e9\u4e2d\U0001F600"), 12u);
  EXPECT_EQ(ValidUtf8Prefix("abc\xC3"), 3u);
  EXPECT_EQ(ValidUtf8Prefix("a\xED\xA0\x80"), 1u);  // A surrogate.
  EXPECT_EQ(ValidUtf8Prefix("\xC0\xAF"), 0u);       // Too long a form.
}

TEST(Utf8Test, AnUnfinishedCharacterIsCutOff) {
  EXPECT_EQ(WithoutUnfinishedUtf8(""), 0u);
  EXPECT_EQ(WithoutUnfinishedUtf8("abc"), 3u);
  EXPECT_EQ(WithoutUnfinishedUtf8("ab\u4e2d"), 5u);
  EXPECT_EQ(WithoutUnfinishedUtf8("ab\xE4"), 2u);
  EXPECT_EQ(WithoutUnfinishedUtf8("ab\xE4\xB8"), 2u);
  EXPECT_EQ(WithoutUnfinishedUtf8("ab\xF0\x9F\x98"), 2u);
  EXPECT_EQ(WithoutUnfinishedUtf8("\xF0"), 0u);
  // No later bytes can complete these.
  EXPECT_EQ(WithoutUnfinishedUtf8("ab\x80"), 3u);
  EXPECT_EQ(WithoutUnfinishedUtf8("ab\xED\xA0"), 4u);
}

// The bytes before a text do not belong to it.
TEST(Utf8Test, NothingBeforeTheTextIsRead) {
  const std::string_view before = "\xE4\xB8\xAD";
  EXPECT_EQ(WithoutUnfinishedUtf8(before.substr(1, 1)), 1u);
  EXPECT_EQ(WithoutUnfinishedUtf8(before.substr(2, 1)), 1u);
  const std::string_view longer = "\xF0\x9F\x98\x80";
  EXPECT_EQ(WithoutUnfinishedUtf8(longer.substr(1, 1)), 1u);
  EXPECT_EQ(WithoutUnfinishedUtf8(longer.substr(1, 2)), 2u);
}

TEST(Utf8Test, InvalidBytesAreReplaced) {
  std::string text = "x";
  AppendAsUtf8(
      "a\xE4\xB8"
      "b\x80\u00e9\xF0",
      &text);
  EXPECT_EQ(text, "xa\uFFFDb\uFFFD\u00e9\uFFFD");
}

}  // namespace
}  // namespace apollo
