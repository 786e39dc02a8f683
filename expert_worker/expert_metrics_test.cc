#include "expert_worker/expert_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <string>
#include <vector>

namespace apollo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ExpertMetricsTest : public testing::Test {
 protected:
  static ModelConfig Config() {
    ModelConfig config;
    config.num_layers = 5;
    config.boundary = 3;
    config.num_experts = 7;
    config.experts_per_token = 2;
    return config;
  }
  void Routed(int layer, const std::string& language, int rows,
              std::vector<std::uint32_t> by_expert, int off_family = -1) {
    metrics_.OnRouted({layer, language, rows, by_expert, off_family >= 0,
                       std::max(off_family, 0)});
  }
  std::string Text() const {
    return prometheus::TextSerializer().Serialize(registry_.Collect());
  }

  prometheus::Registry registry_;
  ExpertMetrics metrics_{registry_, Config(),
                         LanguageLabels(FamilyTable::Paper())};
};

TEST_F(ExpertMetricsTest, CountsByLayerExpertAndLanguage) {
  Routed(3, "de", 3, {0, 1, 0, 0, 3, 2, 0}, /*off_family=*/1);
  Routed(3, "de", 1, {0, 0, 0, 0, 1, 1, 0}, /*off_family=*/0);
  Routed(4, "de", 4, {4, 0, 0, 0, 0, 0, 4}, /*off_family=*/4);
  Routed(3, "", 2, {2, 2, 0, 0, 0, 0, 0});
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("apollo_expert_tokens_total{expert=\"4\","
                              "language=\"de\",layer=\"3\"} 4"));
  EXPECT_THAT(text, HasSubstr("apollo_expert_tokens_total{expert=\"5\","
                              "language=\"de\",layer=\"3\"} 3"));
  EXPECT_THAT(text, HasSubstr("apollo_expert_tokens_total{expert=\"6\","
                              "language=\"de\",layer=\"4\"} 4"));
  EXPECT_THAT(text, HasSubstr("apollo_expert_tokens_total{expert=\"1\","
                              "language=\"und\",layer=\"3\"} 2"));
  EXPECT_THAT(text, HasSubstr("apollo_family_tokens_total{language=\"de\","
                              "layer=\"3\"} 4"));
  EXPECT_THAT(text, HasSubstr("apollo_off_family_tokens_total{language=\"de\","
                              "layer=\"3\"} 1"));
  EXPECT_THAT(text, HasSubstr("apollo_off_family_tokens_total{language=\"de\","
                              "layer=\"4\"} 4"));
  EXPECT_THAT(text, HasSubstr("apollo_family_tokens_total{language=\"und\","
                              "layer=\"3\"} 0"));
}

TEST_F(ExpertMetricsTest, WhateverARequestSaysThereIsABoundedNumberOfCounters) {
  for (int i = 0; i < 1000; ++i) {
    Routed(3, "patient text " + std::to_string(i), 1, {1, 1, 0, 0, 0, 0, 0});
  }
  const std::string text = Text();
  EXPECT_THAT(text, Not(HasSubstr("patient")));
  EXPECT_THAT(text, HasSubstr("language=\"und\",layer=\"3\"} 1000"));
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 60);
}

}  // namespace
}  // namespace apollo
