#include "common/python_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>

namespace apollo {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Error(std::string_view text) {
  const auto json = ParsePythonJson(text, "dir/config.json");
  return json.ok() ? "" : std::string(json.status().message());
}

TEST(PythonJsonTest, NumbersThatAreNotJsonAreNumbers) {
  const auto json = ParsePythonJson(
      R"({"a": Infinity, "b": [-Infinity, {"c": NaN}], "d": 1.5, "e": -3,
          "f": 18446744073709551615, "g": "Infinity", "h": null, "i": true,
          "j": 0.1, "k": "\u00e9\n"})",
      "s");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ((*json)["a"].get<double>(), INFINITY);
  EXPECT_EQ((*json)["b"][0].get<double>(), -INFINITY);
  EXPECT_TRUE(std::isnan((*json)["b"][1]["c"].get<double>()));
  // All others are those of ParseJson.
  const auto plain = ParseJson(
      R"({"d": 1.5, "e": -3, "f": 18446744073709551615, "g": "Infinity",
          "h": null, "i": true, "j": 0.1, "k": "\u00e9\n"})",
      "s");
  ASSERT_TRUE(plain.ok());
  for (const auto& [key, value] : plain->items()) {
    EXPECT_EQ((*json)[key], value) << key;
    EXPECT_EQ((*json)[key].type(), value.type()) << key;
  }
  EXPECT_EQ(ParsePythonJson("NaN", "s")->type(), Json::value_t::number_float);
}

TEST(PythonJsonTest, PlainJsonIsThatOfParseJson) {
  EXPECT_EQ(*ParsePythonJson(R"({"a": [1, -2, 0.5, "x"]})", "s"),
            *ParseJson(R"({"a": [1, -2, 0.5, "x"]})", "s"));
}

TEST(PythonJsonTest, RefusesWhatPythonRefuses) {
  for (const char* text :
       {"", "{", "{\"a\": Infinit}", "{\"a\": infinity}", "{\"a\": nan}",
        "{\"a\": Infinity} x", "{'a': Infinity}", "{\"a\": Infinity,}",
        "[Infinity, \"\xff\"]", "[Infinity, \"\\udc00\"]"}) {
    EXPECT_THAT(Error(text), StartsWith("dir/config.json: malformed JSON"))
        << text;
  }
  EXPECT_THAT(Error(std::string("{\"a\": Infinity}\0x", 17)),
              HasSubstr("malformed JSON"));
}

TEST(PythonJsonTest, NamesAKeyThatOccursTwice) {
  EXPECT_EQ(Error(R"({"a": 1, "b": {"a": 2}, "a": 3})"),
            "dir/config.json: duplicate key \"a\" in a JSON object; it must "
            "occur once");
  EXPECT_THAT(Error(R"({"x": NaN, "b": {"c": 2, "c": 2}})"),
              HasSubstr("duplicate key \"c\""));
  EXPECT_THAT(Error(R"({"": 1, "": 1})"), HasSubstr("duplicate key \"\""));
}

TEST(PythonJsonTest, BoundsTheDepth) {
  const std::string deep(33, '[');
  EXPECT_THAT(Error(deep + "NaN" + std::string(33, ']')),
              HasSubstr("nested deeper than 32"));
  EXPECT_EQ(Error(std::string(32, '[') + "NaN" + std::string(32, ']')), "");
  EXPECT_FALSE(Error(std::string(1 << 20, '[')).empty());
}

}  // namespace
}  // namespace apollo
