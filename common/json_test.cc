#include "common/json.h"

#include <gtest/gtest.h>

#include <string>

namespace apollo {
namespace {

TEST(ParseJsonTest, ParsesAnOrdinaryObject) {
  const auto json = ParseJson(R"({"a": [1, 2.5, "x"], "b": {"c": null}})", "t");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ((*json)["a"][2], "x");
}

TEST(ParseJsonTest, NamesTheSourceOfBrokenJson) {
  for (const char* text : {"", "{", "{\"a\":}", "[1,]", "nul", "{} x"}) {
    const auto json = ParseJson(text, "config.json");
    ASSERT_FALSE(json.ok()) << text;
    EXPECT_EQ(json.status().message(), "config.json: malformed JSON") << text;
  }
}

TEST(ParseJsonTest, RefusesInvalidUtf8) {
  EXPECT_FALSE(ParseJson("{\"a\": \"\xff\"}", "t").ok());
}

TEST(ParseJsonTest, RefusesDeepNestingWithoutRecursion) {
  const std::string deep(2'000'000, '[');
  const auto json = ParseJson(deep, "t");
  ASSERT_FALSE(json.ok());
  std::string allowed = std::string(32, '[') + std::string(32, ']');
  EXPECT_TRUE(ParseJson(allowed, "t").ok());
  std::string refused = std::string(33, '[') + std::string(33, ']');
  EXPECT_EQ(ParseJson(refused, "t").status().message(),
            "t: JSON nested deeper than 32");
}

TEST(ParseJsonTest, ManyObjectsTakeTimeInProportion) {
  // Quadratic time would exceed the timeout of the test.
  std::string text = "[";
  for (int i = 0; i < 400'000; ++i) text += "{},";
  text += "{}]";
  const auto json = ParseJson(text, "t");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(json->size(), 400'001u);
}

TEST(ParseJsonTest, RefusesAKeyGivenTwice) {
  EXPECT_FALSE(ParseJson(R"({"a": {"b": 1, "b": 2}})", "t").ok());
  EXPECT_TRUE(ParseJson(R"({"a": {"b": 1}, "c": {"b": 2}})", "t").ok());
}

}  // namespace
}  // namespace apollo
