#include "model/config/rope_scaling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "model/config/read_rope_scaling.h"

namespace apollo {
namespace {

RopeScaling Scaled(RopeType type) {
  RopeScaling scaling;
  scaling.type = type;
  scaling.factor = 4;
  return scaling;
}

// Mirrors RopeScaling, so that adding a field breaks the build here: add it to
// RopeScalingFacts, to RopeScalingJson and to kChanges.
struct Known {
  RopeType type;
  double factor;
  int original_context;
  double beta_fast, beta_slow;
  bool truncate;
  double attention_factor, low_freq_factor, high_freq_factor;
};
static_assert(sizeof(Known) == sizeof(RopeScaling));

TEST(RopeScalingTest, EveryFieldIsAFact) {
  using Change = void (*)(RopeScaling&);
  constexpr Change kChanges[] = {
      [](RopeScaling& s) { s.type = RopeType::kLinear; },
      [](RopeScaling& s) { s.type = RopeType::kLlama3; },
      [](RopeScaling& s) { s.factor += 1e-9; },
      [](RopeScaling& s) { ++s.original_context; },
      [](RopeScaling& s) { s.beta_fast += 1e-9; },
      [](RopeScaling& s) { s.beta_slow += 1e-9; },
      [](RopeScaling& s) { s.truncate = false; },
      [](RopeScaling& s) { s.attention_factor += 1e-9; },
      [](RopeScaling& s) { s.low_freq_factor += 1e-9; },
      [](RopeScaling& s) { s.high_freq_factor += 1e-9; },
  };
  const RopeScaling yarn = Scaled(RopeType::kYarn);
  std::set<std::string> facts = {"", RopeScalingFacts(yarn)};
  std::size_t count = 2;
  for (const Change change : kChanges) {
    RopeScaling changed = yarn;
    change(changed);
    facts.insert(RopeScalingFacts(changed));
    EXPECT_EQ(facts.size(), ++count) << "change " << count - 3;
  }
}

TEST(RopeScalingTest, NothingScaledHasNoFacts) {
  EXPECT_EQ(RopeScalingFacts({}), "");
}

TEST(RopeScalingTest, TheAttentionFactorIsThatOfThePaper) {
  EXPECT_EQ(YarnAttentionFactor(1), 1);
  EXPECT_DOUBLE_EQ(YarnAttentionFactor(4), 0.1 * std::log(4.0) + 1);
  EXPECT_DOUBLE_EQ(YarnAttentionFactor(40, 1.0, 0.707),
                   (0.1 * std::log(40.0) + 1) / (0.0707 * std::log(40.0) + 1));
  // One of both does not count.
  EXPECT_EQ(YarnAttentionFactor(4, 2.0), YarnAttentionFactor(4));
  EXPECT_EQ(YarnAttentionFactor(4, {}, 2.0), YarnAttentionFactor(4));
}

TEST(RopeScalingTest, WhatIsWrittenIsReadBack) {
  EXPECT_TRUE(RopeScalingJson({}).is_null());
  std::vector<RopeScaling> all = {Scaled(RopeType::kLinear),
                                  Scaled(RopeType::kYarn),
                                  Scaled(RopeType::kLlama3)};
  all.push_back(all[0]);
  all.back().original_context = 100;
  all[1].original_context = 64;
  all[1].beta_fast = 20;
  all[1].beta_slow = 2;
  all[1].truncate = false;
  all[1].attention_factor = 1.0 / 3;
  all[2].original_context = 64;
  all[2].low_freq_factor = 1.5;
  all[2].high_freq_factor = 3.25;
  for (const RopeScaling& scaling : all) {
    const Json json = RopeScalingJson(scaling);
    std::vector<std::string> warnings;
    const auto read =
        ReadRopeScaling({{"rope_scaling", json}}, "c", 1e4, 100, warnings);
    ASSERT_TRUE(read.ok()) << json << read.status();
    EXPECT_TRUE(read->scaling == scaling) << json;
  }
}

}  // namespace
}  // namespace apollo
