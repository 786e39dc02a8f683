#include "model/config/check_config_keys.h"

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "model/config/config_keys.h"
#include "model/config/generation_keys.h"

namespace apollo {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Result {
  absl::Status status;
  std::vector<std::string> warnings;
};

Result Check(const Json& config) {
  Result result;
  result.status = CheckConfigKeys(config, "dir/config.json", result.warnings);
  return result;
}

// Returns a config that has only this key, which may be in an object.
Json With(std::string_view path, const Json& value) {
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos) return {{std::string(path), value}};
  return {
      {std::string(path.substr(0, dot)), With(path.substr(dot + 1), value)}};
}

TEST(ConfigKeysTest, TheTableIsComplete) {
  std::set<std::string_view> paths;
  for (const ConfigKey& key : ConfigKeys()) {
    SCOPED_TRACE(key.path);
    EXPECT_TRUE(paths.insert(key.path).second);
    const bool fixed =
        key.use == KeyUse::kFixed || key.use == KeyUse::kFixedEach;
    EXPECT_EQ(key.about.empty(), !fixed && key.use != KeyUse::kHarmless);
    EXPECT_EQ(Json::parse(key.right, nullptr, false).is_array(), fixed);
    if (const std::size_t dot = key.path.rfind('.');
        dot != std::string_view::npos) {
      EXPECT_TRUE(paths.contains(key.path.substr(0, dot)));
    }
  }
}

TEST(GenerationKeysTest, EveryKeyButTheEndsIsHarmless) {
  std::set<std::string_view> paths;
  for (const ConfigKey& key : GenerationKeys()) {
    SCOPED_TRACE(key.path);
    EXPECT_TRUE(paths.insert(key.path).second);
    if (key.path == "eos_token_id") continue;
    EXPECT_EQ(key.use, KeyUse::kHarmless);
    EXPECT_FALSE(key.about.empty());
  }
  EXPECT_TRUE(paths.contains("temperature"));
}

// As transformers 5 writes it, and with sampling defaults.
TEST(GenerationKeysTest, KnownKeysAreSilentAndOthersAreOneWarning) {
  const Json known = {{"_from_model_config", true},
                      {"do_sample", true},
                      {"eos_token_id", {151645, 151643}},
                      {"output_attentions", false},
                      {"output_hidden_states", false},
                      {"pad_token_id", 151643},
                      {"repetition_penalty", 1.1},
                      {"temperature", 0.7},
                      {"top_k", 20},
                      {"top_p", 0.8},
                      {"transformers_version", "5.24.0"},
                      {"use_cache", true}};
  std::vector<std::string> warnings;
  EXPECT_EQ(CheckGenerationKeys(known, "d/generation_config.json", warnings),
            absl::OkStatus());
  EXPECT_THAT(warnings, IsEmpty());
  Json more = known;
  more["new_filter"] = 1;
  EXPECT_EQ(CheckGenerationKeys(more, "d/generation_config.json", warnings),
            absl::OkStatus());
  EXPECT_THAT(warnings, ElementsAre("d/generation_config.json: unknown keys "
                                    "\"new_filter\" are ignored"));
}

TEST(CheckConfigKeysTest, EveryFixedKeyTakesOnlyWhatIsComputed) {
  int checked = 0;
  for (const ConfigKey& key : ConfigKeys()) {
    const bool each = key.use == KeyUse::kFixedEach;
    if (key.use != KeyUse::kFixed && !each) continue;
    SCOPED_TRACE(key.path);
    ++checked;
    Json right = Json::parse(key.right);
    if (each) right = {right, Json::array()};
    right.push_back(nullptr);
    for (const Json& value : right) {
      const Result result = Check(With(key.path, value));
      EXPECT_TRUE(result.status.ok()) << result.status;
      EXPECT_THAT(result.warnings, IsEmpty());
    }
    for (const Json& wrong : {Json("another"), Json(0.25), Json({{"a", 1}}),
                              Json::array({"another"})}) {
      const absl::Status status = Check(With(key.path, wrong)).status;
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(
          std::string(status.message()),
          AllOf(HasSubstr(absl::StrCat("dir/config.json: \"",
                                       std::string(key.path), "\" is ",
                                       wrong.dump(), "; it must be ")),
                HasSubstr(std::string(key.about) + " cannot be served")));
    }
  }
  EXPECT_GT(checked, 50);
}

TEST(CheckConfigKeysTest, HarmlessKeysTakeEverything) {
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.use != KeyUse::kHarmless) continue;
    for (const Json& value : {Json(true), Json(3), Json("text"), Json(nullptr),
                              Json({{"unknown", 1}})}) {
      const Result result = Check(With(key.path, value));
      EXPECT_TRUE(result.status.ok()) << key.path << result.status;
      EXPECT_THAT(result.warnings, IsEmpty()) << key.path;
    }
  }
}

// The files that were once served as if these keys were not there.
TEST(CheckConfigKeysTest, NamesTheKeyTheValueAndWhatWouldBeRight) {
  const struct {
    Json config;
    const char* says;
  } kCases[] = {
      {{{"rope_scaling", {{"mrope_section", {1, 2}}}}},
       "\"rope_scaling.mrope_section\" is [1,2]; it must be null, because "
       "another kind of rotary positions cannot be served"},
      {{{"rope_parameters",
         {{"rope_type", "longrope"}, {"long_factor", {1, 2}}}}},
       "\"rope_parameters.long_factor\" is [1,2]; it must be null, because "
       "factors that depend on the length of the sequence cannot be served"},
      {{{"rope_parameters", {{"full_attention", {{"rope_theta", 1}}}}}},
       "\"rope_parameters.full_attention\" is {\"rope_theta\":1}; it must be "
       "null, because rotary positions by layer cannot be served"},
      {{{"rope_scaling", "yarn"}},
       "\"rope_scaling\" is \"yarn\"; it must be an object or null"},
      {{{"partial_rotary_factor", 0.5}}, "\"partial_rotary_factor\" is 0.5"},
      {{{"layer_types", {"full_attention", "sliding_attention"}}},
       "it must be a list of only \"full_attention\" or null"},
      {{{"layer_types", "sliding_attention"}}, "\"layer_types\" is \"sliding"},
      {{{"use_sliding_window", true}}, "it must be false or null"},
      {{{"quantization_config", {{"bits", 4}}}},
       "\"quantization_config\" is {\"bits\":4}; it must be null, because "
       "quantised weights cannot be served"},
      {{{"qk_layernorm", true}}, "other norms of queries and keys"},
      {{{"mlp_bias", true}}, "biases other than those of q, k and v"},
      {{{"scoring_func", "sigmoid"}}, "it must be \"softmax\" or null"},
      {{{"final_logit_softcapping", 30}}, "soft caps"},
      {{{"logits_scaling", 8}}, "multipliers"},
      {{{"n_shared_experts", 1}}, "share_flag"},
      {{{"hidden_act", "gelu"}}, "it must be \"silu\" or \"swish\" or null"},
  };
  for (const auto& c : kCases) {
    const absl::Status status = Check(c.config).status;
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.config;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("dir/config.json: "), HasSubstr(c.says)));
  }
}

TEST(CheckConfigKeysTest, UnknownKeysAreOneWarning) {
  const Result result = Check({{"hidden_size", 8},
                               {"new_gate", 2},
                               {"rope_scaling", {{"new_factor", 2}}},
                               {"rope_scaling.rope_theta", 2},
                               {"unset", nullptr},
                               {"zeta", {{"inner", 1}}}});
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_THAT(result.warnings,
              ElementsAre("dir/config.json: unknown keys \"new_gate\", "
                          "\"rope_scaling.new_factor\", "
                          "\"rope_scaling.rope_theta\", \"zeta\" are "
                          "ignored"));
}

}  // namespace
}  // namespace apollo
