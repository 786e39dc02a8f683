#include "model/config/some_names.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace apollo {
namespace {

TEST(SomeNamesTest, QuotesTheFirstAndCountsTheOthers) {
  EXPECT_EQ(SomeNames(std::vector<std::string>{"a"}), "\"a\"");
  EXPECT_EQ(SomeNames(std::vector<std::string>{"a", "b\n\xff"}),
            "\"a\", \"b\\n\\ufffd\"");
  const std::vector<std::string> many(11, "x");
  const std::string text = SomeNames(many);
  EXPECT_EQ(std::count(text.begin(), text.end(), 'x'), 8);
  EXPECT_TRUE(text.ends_with(" and 3 more")) << text;
}

TEST(SomeNamesTest, TruncatesLongNames) {
  EXPECT_LE(SomeNames(std::vector<std::string>{std::string(5000, 'x')}).size(),
            100u);
}

}  // namespace
}  // namespace apollo
