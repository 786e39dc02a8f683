#include "model/config/read_rope_scaling.h"

#include <absl/status/status.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace apollo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kPositions = 8192;

const Json& Linear() {
  static const Json* const kJson =
      new Json{{"rope_type", "linear"}, {"factor", 4.0}};
  return *kJson;
}
const Json& Yarn() {
  static const Json* const kJson =
      new Json{{"rope_type", "yarn"},
               {"factor", 4.0},
               {"original_max_position_embeddings", 2048}};
  return *kJson;
}
const Json& Llama3() {
  static const Json* const kJson =
      new Json{{"rope_type", "llama3"},
               {"factor", 8.0},
               {"low_freq_factor", 1.0},
               {"high_freq_factor", 4.0},
               {"original_max_position_embeddings", 2048}};
  return *kJson;
}

Json With(Json json, const char* key, const Json& value) {
  json[key] = value;
  return json;
}
Json Without(Json json, const char* key) {
  json.erase(key);
  return json;
}

class ReadRopeScalingTest : public testing::Test {
 protected:
  absl::StatusOr<ScaledRope> Read(const Json& config, double base = 1e6,
                                  int positions = kPositions) {
    warnings_.clear();
    return ReadRopeScaling(config, "dir/config.json", base, positions,
                           warnings_);
  }
  absl::StatusOr<ScaledRope> ReadObject(const Json& object) {
    return Read({{"rope_scaling", object}});
  }
  RopeScaling Scaling(const Json& object) {
    const auto rope = ReadObject(object);
    EXPECT_TRUE(rope.ok()) << object << rope.status();
    return rope.ok() ? rope->scaling : RopeScaling();
  }
  void ExpectError(const Json& config, const std::string& says,
                   double base = 1e6) {
    const absl::Status status = Read(config, base).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << config;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("dir/config.json: "), HasSubstr(says)))
        << config;
  }

  std::vector<std::string> warnings_;
};

TEST_F(ReadRopeScalingTest, NothingIsScaledByDefault) {
  const Json plain = {{"rope_type", "default"}, {"rope_theta", 1e4}};
  for (const Json& config :
       {Json::object(), Json{{"rope_scaling", nullptr}},
        Json{{"rope_scaling", Json::object()}},
        Json{{"rope_parameters", plain}}, Json{{"rope_scaling", plain}},
        Json{{"rope_scaling", {{"type", "default"}}}},
        Json{{"rope_scaling", {{"rope_theta", 1e4}}}},
        Json{{"rope_scaling",
              {{"rope_type", nullptr},
               {"factor", 1},
               {"attention_factor", 1.0},
               {"beta_fast", nullptr},
               {"original_max_position_embeddings", "any"},
               {"unknown", 1}}}},
        Json{{"rope_scaling", plain}, {"rope_parameters", plain}}}) {
    const auto rope = Read(config);
    ASSERT_TRUE(rope.ok()) << config << rope.status();
    EXPECT_TRUE(rope->scaling == RopeScaling()) << config;
    EXPECT_EQ(rope->max_context, kPositions);
    EXPECT_THAT(warnings_, IsEmpty());
  }
}

TEST_F(ReadRopeScalingTest, BothObjectsAndBothTypeKeysAreRead) {
  const Json old = With(Without(Linear(), "rope_type"), "type", "linear");
  const Json both = With(Linear(), "type", "linear");
  for (const Json& object : {Linear(), old, both}) {
    for (const Json& config :
         {Json{{"rope_scaling", object}}, Json{{"rope_parameters", object}},
          Json{{"rope_scaling", object}, {"rope_parameters", Linear()}}}) {
      const auto rope = Read(config);
      ASSERT_TRUE(rope.ok()) << config << rope.status();
      RopeScaling expected;
      expected.type = RopeType::kLinear;
      expected.factor = 4;
      EXPECT_TRUE(rope->scaling == expected) << config;
    }
  }
}

TEST_F(ReadRopeScalingTest, YarnHasTheDefaultsOfTransformers) {
  RopeScaling expected;
  expected.type = RopeType::kYarn;
  expected.factor = 4;
  expected.original_context = 2048;
  expected.attention_factor = YarnAttentionFactor(4);
  EXPECT_TRUE(Scaling(Yarn()) == expected);
  EXPECT_THAT(warnings_, IsEmpty());
  // Without an original context, max_position_embeddings is it.
  expected.original_context = kPositions;
  EXPECT_TRUE(Scaling(Without(Yarn(), "original_max_position_embeddings")) ==
              expected);
  // A factor of null is the quotient of both.
  expected.original_context = 1024;
  expected.factor = 8;
  expected.attention_factor = YarnAttentionFactor(8);
  Json null = With(Yarn(), "factor", nullptr);
  null["original_max_position_embeddings"] = 1024;
  EXPECT_TRUE(Scaling(null) == expected);
}

TEST_F(ReadRopeScalingTest, YarnHasEveryKey) {
  Json json = Yarn();
  json.update({{"beta_fast", 16},
               {"beta_slow", 2.5},
               {"truncate", false},
               {"mscale", 1.0},
               {"mscale_all_dim", 0.5}});
  RopeScaling expected;
  expected.type = RopeType::kYarn;
  expected.factor = 4;
  expected.original_context = 2048;
  expected.beta_fast = 16;
  expected.beta_slow = 2.5;
  expected.truncate = false;
  expected.attention_factor = YarnAttentionFactor(4, 1.0, 0.5);
  EXPECT_TRUE(Scaling(json) == expected);
  EXPECT_THAT(warnings_, IsEmpty());
  expected.attention_factor = 1.5;
  EXPECT_TRUE(Scaling(With(json, "attention_factor", 1.5)) == expected);
  EXPECT_THAT(warnings_,
              ElementsAre("dir/config.json: \"rope_scaling.mscale\" does not "
                          "count beside \"attention_factor\""));
  expected.attention_factor = YarnAttentionFactor(4);
  EXPECT_TRUE(Scaling(Without(json, "mscale")) == expected);
  EXPECT_THAT(warnings_,
              ElementsAre("dir/config.json: \"rope_scaling.mscale_all_dim\" "
                          "does not count without \"mscale\""));
}

TEST_F(ReadRopeScalingTest, Llama3HasEveryKey) {
  RopeScaling expected;
  expected.type = RopeType::kLlama3;
  expected.factor = 8;
  expected.original_context = 2048;
  EXPECT_TRUE(Scaling(Llama3()) == expected);
  EXPECT_THAT(warnings_, IsEmpty());
  expected.low_freq_factor = 2;
  expected.high_freq_factor = 5.5;
  EXPECT_TRUE(Scaling(With(With(Llama3(), "low_freq_factor", 2),
                           "high_freq_factor", 5.5)) == expected);
  expected.original_context = kPositions;
  EXPECT_TRUE(Scaling(Json{{"rope_type", "llama3"},
                           {"factor", 8},
                           {"low_freq_factor", 2},
                           {"high_freq_factor", 5.5}}) == expected);
  EXPECT_THAT(warnings_,
              ElementsAre("dir/config.json: \"rope_scaling."
                          "original_max_position_embeddings\" is 8192, not "
                          "below \"max_position_embeddings\", 8192"));
}

TEST_F(ReadRopeScalingTest, TheOriginalContextMayBeOutsideTheObject) {
  constexpr char kKey[] = "original_max_position_embeddings";
  for (const Json& object : {Yarn(), Llama3()}) {
    for (const Json& inner : {object, Without(object, kKey)}) {
      const auto rope = Read({{"rope_scaling", inner}, {kKey, 2048}});
      ASSERT_TRUE(rope.ok()) << rope.status();
      EXPECT_EQ(rope->scaling.original_context, 2048);
    }
    ExpectError({{"rope_scaling", object}, {kKey, 4096}},
                "\"rope_scaling.original_max_position_embeddings\" is 2048; it "
                "must be that of \"original_max_position_embeddings\", 4096");
    ExpectError({{"rope_scaling", object}, {kKey, 0}},
                "\"original_max_position_embeddings\" is 0; it must be from 1");
  }
}

TEST_F(ReadRopeScalingTest, TheContextIsThatOfTheScaling) {
  constexpr char kKey[] = "original_max_position_embeddings";
  const struct {
    Json object;
    int positions;
    int context;
    bool warns;
  } kCases[] = {
      {Linear(), 4096, 4096, false},
      {With(Linear(), kKey, 4096), 4096, 16384, false},
      {With(Linear(), kKey, 4096), 16384, 16384, false},
      {With(Linear(), kKey, 4096), 5000, 16384, true},
      // Qwen2.5: max_position_embeddings is the original context; a config
      // that was raised with the factor; Qwen3, whose number is neither.
      {With(Yarn(), kKey, 32768), 32768, 131072, false},
      {With(Yarn(), kKey, 32768), 131072, 131072, false},
      {With(Yarn(), kKey, 32768), 40960, 131072, true},
      {Without(Yarn(), kKey), 4096, 4096, false},
      {With(With(Yarn(), "factor", nullptr), kKey, 3), 1000, 1000, false},
      {With(With(Yarn(), "factor", 1000), kKey, 1 << 20), 1 << 24, 1 << 24,
       false},
      // Llama 3.1: more than 8 x 8192.
      {With(Llama3(), kKey, 8192), 131072, 131072, false},
  };
  for (const auto& c : kCases) {
    const auto rope = Read({{"rope_scaling", c.object}}, 1e6, c.positions);
    ASSERT_TRUE(rope.ok()) << c.object << rope.status();
    EXPECT_EQ(rope->max_context, c.context) << c.object;
    EXPECT_EQ(warnings_.size(), c.warns) << c.object << c.positions;
  }
  ASSERT_TRUE(
      Read({{"rope_scaling", With(Yarn(), kKey, 32768)}}, 1e6, 40960).ok());
  EXPECT_THAT(warnings_,
              ElementsAre("dir/config.json: \"rope_scaling.factor\" makes "
                          "131072 of 32768 tokens, but "
                          "\"max_position_embeddings\" is 40960; the context "
                          "has 131072"));
}

// Every number of every type: of another type, zero, negative, too large.
TEST_F(ReadRopeScalingTest, WrongNumbersAreNamed) {
  const struct {
    Json object;
    std::vector<const char*> keys;
  } kTypes[] = {
      {Linear(), {"factor", "original_max_position_embeddings"}},
      {Yarn(),
       {"factor", "original_max_position_embeddings", "attention_factor",
        "beta_fast", "beta_slow", "mscale", "mscale_all_dim"}},
      {Llama3(),
       {"factor", "original_max_position_embeddings", "low_freq_factor",
        "high_freq_factor"}},
  };
  for (const auto& [object, keys] : kTypes) {
    for (const char* key : keys) {
      for (const Json& value :
           {Json("4"), Json(true), Json::array({4}), Json(0), Json(0.0),
            Json(-4), Json(-0.5), Json(1e300), Json(1e-300)}) {
        ExpectError({{"rope_scaling", With(object, key, value)}},
                    "\"rope_scaling." + std::string(key) + "\" is " +
                        value.dump() + "; it must be ");
      }
    }
  }
  for (const Json& value : {Json("no"), Json(0), Json(nullptr)}) {
    ExpectError({{"rope_scaling", With(Yarn(), "truncate", value)}},
                "\"rope_scaling.truncate\" is " + value.dump() +
                    "; it must be true or false, or absent");
  }
}

TEST_F(ReadRopeScalingTest, MissingKeysAreNamed) {
  const auto expect_missing = [&](const Json& object, const char* key) {
    ExpectError({{"rope_parameters", object}},
                "key \"rope_parameters." + std::string(key) + "\" is missing");
  };
  expect_missing(Without(Linear(), "factor"), "factor");
  expect_missing(With(Linear(), "factor", nullptr), "factor");
  expect_missing(Without(Yarn(), "factor"), "factor");
  for (const char* key : {"factor", "low_freq_factor", "high_freq_factor"}) {
    expect_missing(Without(Llama3(), key), key);
    expect_missing(With(Llama3(), key, nullptr), key);
  }
}

TEST_F(ReadRopeScalingTest, ContradictionsAreNamed) {
  const struct {
    Json object;
    const char* says;
  } kCases[] = {
      {With(Linear(), "factor", 0.5),
       "\"rope_scaling.factor\" is 0.5; it must be a number from 1 to 1e+06"},
      {With(Yarn(), "beta_fast", 0.5),
       "\"rope_scaling.beta_fast\" is 0.5; it must be at least that of "
       "\"beta_slow\", 1"},
      {With(Yarn(), "beta_slow", 33),
       "\"rope_scaling.beta_slow\" is 33.0; it must be at most that of "
       "\"beta_fast\", 32"},
      {With(Llama3(), "high_freq_factor", 1),
       "\"rope_scaling.high_freq_factor\" is 1.0; it must be above that of "
       "\"low_freq_factor\", 1"},
      {With(With(Yarn(), "factor", nullptr), "original_max_position_embeddings",
            10000),
       "\"rope_scaling.factor\" is null; it must be a number, because "
       "max_position_embeddings / original_max_position_embeddings is 0.8192"},
  };
  for (const auto& c : kCases) {
    ExpectError({{"rope_scaling", c.object}}, c.says);
  }
  ExpectError({{"rope_scaling", Yarn()}},
              "\"rope_theta\" is 1; it must be above 1, because "
              "\"rope_scaling.rope_type\" is \"yarn\"",
              1);
  ExpectError(
      {{"rope_scaling", Linear()},
       {"rope_parameters", With(Linear(), "factor", 2)}},
      "\"rope_scaling\" is {\"factor\":4.0,\"rope_type\":\"linear\"}; it "
      "must be null, or mean the same as \"rope_parameters\"");
  ExpectError({{"rope_scaling", Linear()},
               {"rope_parameters", {{"rope_type", "default"}}}},
              "it must be null, or mean the same as \"rope_parameters\"");
}

TEST_F(ReadRopeScalingTest, KeysOfOtherTypesAndUnknownOnesAreRefused) {
  const struct {
    Json object;
    const char* says;
  } kCases[] = {
      {{{"factor", 4.0}},
       "\"rope_scaling.factor\" is 4.0; it must be 1 or null, because "
       "\"rope_type\" is \"default\""},
      {{{"beta_fast", 32}},
       "\"rope_scaling.beta_fast\" is 32; it must be null, because "
       "\"rope_type\" is \"default\""},
      {With(Linear(), "attention_factor", 1.5),
       "\"rope_scaling.attention_factor\" is 1.5; it must be 1 or null"},
      {With(Linear(), "truncate", true), "because \"rope_type\" is \"linear\""},
      {With(Llama3(), "mscale", 1), "because \"rope_type\" is \"llama3\""},
      {With(Yarn(), "low_freq_factor", 1), "because \"rope_type\" is \"yarn\""},
      {With(Yarn(), "extrapolation_factor", 2),
       "\"rope_scaling.extrapolation_factor\" is 2; it must be absent, because "
       "\"yarn\" scaling has no such key"},
  };
  for (const auto& c : kCases) {
    ExpectError({{"rope_scaling", c.object}}, c.says);
  }
  EXPECT_TRUE(ReadObject(With(Linear(), "attention_factor", 1)).ok());
  EXPECT_TRUE(ReadObject(With(Yarn(), "extrapolation_factor", nullptr)).ok());
}

TEST_F(ReadRopeScalingTest, OtherTypesAreRefusedByName) {
  const struct {
    Json type;
    const char* says;
  } kCases[] = {
      {"dynamic", "a base that depends on the length of the sequence cannot"},
      {"longrope", "factors that depend on the length of the sequence cannot"},
      {"su", "factors that depend on the length of the sequence cannot be"},
      {"mrope", "positions in sections (mrope) cannot be served"},
      {"proportional", "rotary positions in part of each head cannot"},
      {"ntk", "it must be \"default\", \"linear\", \"yarn\" or \"llama3\""},
      {4, "it must be \"default\""},
  };
  for (const auto& c : kCases) {
    for (const std::string key : {"type", "rope_type"}) {
      ExpectError({{"rope_parameters", {{key, c.type}, {"factor", 2.0}}}},
                  c.says);
      ExpectError({{"rope_parameters", {{key, c.type}, {"factor", 2.0}}}},
                  "\"rope_parameters." + key + "\" is " + c.type.dump());
    }
  }
  ExpectError({{"rope_scaling", With(Linear(), "type", "yarn")}},
              "\"rope_scaling.type\" is \"yarn\"; it must be that of "
              "\"rope_type\", \"linear\"");
}

}  // namespace
}  // namespace apollo
