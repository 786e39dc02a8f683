#include "expert_worker/expert_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/fake_clock.h"

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
  FakeClock clock_;
  RequestMetrics requests_{registry_};
  ExpertMetrics metrics_{registry_, Config(),
                         LanguageLabels(FamilyTable::Paper()), &requests_,
                         clock_};
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

TEST_F(ExpertMetricsTest, ASequenceIsARequestOfTheExpertWorkers) {
  metrics_.OnOpened(1, 12);
  metrics_.OnOpened(2, 5);
  EXPECT_THAT(Text(), HasSubstr("apollo_num_requests_running 2"));
  clock_.now += absl::Seconds(2);
  metrics_.OnSampled(1);
  clock_.now += absl::Seconds(4);
  metrics_.OnSampled(1);
  metrics_.OnClosed(2, absl::StatusCode::kAborted);
  clock_.now += absl::Seconds(8);
  metrics_.OnClosed(1, absl::StatusCode::kOk);
  metrics_.OnOpened(3, 1);
  metrics_.OnClosed(3, absl::StatusCode::kUnavailable);
  const std::string text = Text();
  for (const char* line :
       {"apollo_requests_total{code=\"OK\",method=\"Sequence\"} 1",
        "apollo_requests_total{code=\"ABORTED\",method=\"Sequence\"} 1",
        "apollo_requests_total{code=\"UNAVAILABLE\",method=\"Sequence\"} 1",
        "apollo_num_requests_running 0", "apollo_prompt_tokens_total 18",
        "apollo_generation_tokens_total 2",
        "apollo_time_to_first_token_seconds_count 1",
        "apollo_time_to_first_token_seconds_sum 2",
        "apollo_inter_token_latency_seconds_count 1",
        "apollo_inter_token_latency_seconds_sum 4",
        "apollo_e2e_request_latency_seconds_count 3",
        "apollo_e2e_request_latency_seconds_sum 20",
        "apollo_expert_sequences_total 3",
        "apollo_num_expert_sequences_running 0"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST_F(ExpertMetricsTest, WithoutRequestMetricsOnlySequencesAreCounted) {
  prometheus::Registry registry;
  ExpertMetrics metrics(registry, Config(),
                        LanguageLabels(FamilyTable::Paper()), nullptr, clock_);
  metrics.OnOpened(1, 12);
  metrics.OnSampled(1);
  metrics.OnClosed(1, absl::StatusCode::kOk);
  const std::string text =
      prometheus::TextSerializer().Serialize(registry.Collect());
  EXPECT_THAT(text, HasSubstr("apollo_expert_sequences_total 1"));
  EXPECT_THAT(text, Not(HasSubstr("apollo_requests_total")));
}

TEST_F(ExpertMetricsTest, WhateverARequestSaysThereIsABoundedNumberOfCounters) {
  for (int i = 0; i < 1000; ++i) {
    Routed(3, "patient text " + std::to_string(i), 1, {1, 1, 0, 0, 0, 0, 0});
  }
  const std::string text = Text();
  EXPECT_THAT(text, Not(HasSubstr("patient")));
  EXPECT_THAT(text, HasSubstr("language=\"und\",layer=\"3\"} 1000"));
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 150);
}

}  // namespace
}  // namespace apollo
