// Scaled rotary positions of GGUF models.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "common/json.h"
#include "tools/upcycle/dense_base.h"
#include "tools/upcycle/gguf_test_files.h"

namespace apollo {
namespace {

using ::testing::HasSubstr;

constexpr int kHeadSize = 16;

class GgufRopeTest : public testing::Test {
 protected:
  void Add(const std::string& key, float value) {
    model_.builder.AddF32("llama.rope." + key, value);
  }
  void Type(const std::string& type) {
    model_.builder.AddString("llama.rope.scaling.type", type);
  }
  void Factors(const std::vector<float>& factors) {
    model_.builder.AddTensor("rope_freqs.weight", {factors.size()}, kGgmlF32,
                             GgufBuilder::Floats(factors));
  }

  Json Rope() {
    const auto base = OpenTiny(model_);
    if (!base.ok()) {
      ADD_FAILURE() << base.status();
      return "failed";
    }
    return (*base)->config().rope_scaling;
  }
  std::string Error() { return ErrorOf(OpenTiny(model_).status()); }

  TinyModel model_;
};

TEST_F(GgufRopeTest, NoKeyIsNoScaling) { EXPECT_EQ(Rope(), Json()); }

TEST_F(GgufRopeTest, LinearWithAType) {
  Type("linear");
  Add("scaling.factor", 4);
  EXPECT_EQ(Rope(), Json({{"rope_type", "linear"}, {"factor", 4.0}}));
}

TEST_F(GgufRopeTest, AFactorWithoutATypeIsLinear) {
  Add("scaling.factor", 2.5f);
  EXPECT_EQ(Rope(), Json({{"rope_type", "linear"}, {"factor", 2.5}}));
}

TEST_F(GgufRopeTest, TheOldKeyIsLinear) {
  Add("scale_linear", 8);
  EXPECT_EQ(Rope(), Json({{"rope_type", "linear"}, {"factor", 8.0}}));
}

TEST_F(GgufRopeTest, TheNewKeyWinsOverTheOld) {
  Add("scale_linear", 8);
  Add("scaling.factor", 1);
  EXPECT_EQ(Rope(), Json());
}

TEST_F(GgufRopeTest, ZeroAndOneAreNoScaling) {
  Add("scaling.factor", 0);
  EXPECT_EQ(Rope(), Json());
}

TEST_F(GgufRopeTest, TheTypeNoneIsNoScaling) {
  Type("none");
  Add("scaling.factor", 4);
  EXPECT_EQ(Rope(), Json());
}

TEST_F(GgufRopeTest, Yarn) {
  Type("yarn");
  Add("scaling.factor", 4);
  model_.builder.AddU32("llama.rope.scaling.original_context_length", 32);
  Json expected = {{"rope_type", "yarn"},
                   {"factor", 4.0},
                   {"original_max_position_embeddings", 32}};
  EXPECT_EQ(Rope(), expected);

  Add("scaling.yarn_beta_fast", 16);
  Add("scaling.yarn_beta_slow", 2);
  Add("scaling.attn_factor", 0.5f);
  Add("scaling.yarn_ext_factor", 1);
  expected["beta_fast"] = 16.0;
  expected["beta_slow"] = 2.0;
  expected["attention_factor"] = 0.5 * (1 + 0.1 * std::log(4.0));
  EXPECT_EQ(Rope(), expected);
}

TEST_F(GgufRopeTest, YarnsOriginalContextIsTheContextByDefault) {
  Type("yarn");
  Add("scaling.factor", 4);
  EXPECT_EQ(Rope()["original_max_position_embeddings"], 128);
}

TEST_F(GgufRopeTest, RefusesWhatConfigJsonCannotSay) {
  const auto error = [this](const std::function<void()>& change) {
    model_ = TinyModel();
    change();
    return Error();
  };
  EXPECT_EQ(error([&] { Type("longrope"); }),
            "base.gguf: key \"llama.rope.scaling.type\" is \"longrope\"; "
            "\"none\", \"linear\" and \"yarn\" can be converted");
  EXPECT_THAT(error([&] { Type("yarn"); }),
              HasSubstr("rope.scaling.factor\" is missing"));
  EXPECT_THAT(error([&] { Add("scaling.factor", 0.5f); }),
              HasSubstr("rope.scaling.factor\" is 0.5; it must be 0 or at "
                        "least 1"));
  EXPECT_THAT(error([&] { Add("scaling.alpha", 1000); }),
              HasSubstr("rope.scaling.alpha\" belongs to dynamic scaling"));
  EXPECT_THAT(error([&] { Add("scaling.attn_factor", 1.2f); }),
              HasSubstr("rope.scaling.attn_factor\" is 1.2; it must be 1"));
  for (const char* key : {"yarn_ext_factor", "yarn_attn_factor"}) {
    EXPECT_THAT(error([&] {
                  Type("yarn");
                  Add("scaling.factor", 4);
                  Add(std::string("scaling.") + key, 0.5f);
                }),
                HasSubstr(std::string(key) + "\" is 0.5; it must be 1"));
  }
  EXPECT_THAT(error([&] {
                Type("yarn");
                Add("scaling.factor", 4);
                Add("scaling.yarn_log_multiplier", 0.1f);
              }),
              HasSubstr("yarn_log_multiplier\" is 0.1; it must be 0"));
  EXPECT_THAT(error([&] {
                Type("yarn");
                Add("scaling.factor", 4);
                Add("scaling.original_context_length", 0);
              }),
              HasSubstr("original_context_length\" is not an integer"));
}

// The divisors of llama.cpp's converter, in single precision as there.
std::vector<float> Llama3Factors(float theta, float factor, float low,
                                 float high, float original) {
  std::vector<float> factors;
  for (int i = 0; i < kHeadSize; i += 2) {
    const float wave =
        6.2831853f * std::pow(theta, static_cast<float>(i) / kHeadSize);
    const float smooth = (original / wave - low) / (high - low);
    factors.push_back(wave < original / high ? 1
                      : wave > original / low
                          ? factor
                          : 1 / ((1 - smooth) / factor + smooth));
  }
  return factors;
}

TEST_F(GgufRopeTest, Llama3IsRecognizedByItsDivisors) {
  Add("freq_base", 50000);
  const std::vector<float> factors = Llama3Factors(50000, 32, 1, 4, 8192);
  // One divisor is in the transition.
  ASSERT_GT(factors[5], 1);
  ASSERT_LT(factors[5], 32);
  Factors(factors);
  EXPECT_EQ(Rope(), Json({{"rope_type", "llama3"},
                          {"factor", 32.0},
                          {"low_freq_factor", 1.0},
                          {"high_freq_factor", 4.0},
                          {"original_max_position_embeddings", 8192}}));
}

TEST_F(GgufRopeTest, OtherDivisorsAreRefused) {
  Add("freq_base", 50000);
  Factors(Llama3Factors(50000, 32, 1, 4, 4096));
  EXPECT_THAT(Error(), HasSubstr("tensor \"rope_freqs.weight\": divisor "));
  EXPECT_THAT(Error(), HasSubstr("other scalings cannot be converted"));
}

TEST_F(GgufRopeTest, DivisorsOfOneAreNoScaling) {
  Factors(std::vector<float>(8, 1.0f));
  EXPECT_EQ(Rope(), Json());
}

TEST_F(GgufRopeTest, ATensorOfDivisorsMustFit) {
  Factors(std::vector<float>(7, 1.0f));
  EXPECT_THAT(Error(), HasSubstr("must be a vector of half the size of a head, "
                                 "8, in F32"));
  model_ = TinyModel();
  Factors({1, 1, 1, 1, 1, 1, 1, 0});
  EXPECT_THAT(Error(), HasSubstr("holds 0; divisors are at least 1"));
}

TEST_F(GgufRopeTest, TwoScalingsAreRefused) {
  Add("freq_base", 50000);
  Factors(Llama3Factors(50000, 8, 1, 4, 8192));
  Add("scaling.factor", 2);
  EXPECT_THAT(Error(), HasSubstr("and so do the keys rope.scaling.*"));
}

}  // namespace
}  // namespace apollo
