#include "expert_worker/expert_counters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "model/language/families.h"
#include "serving/buckets.h"
#include "serving/counter_collector.h"
#include "serving/counters_testing.h"
#include "serving/metric_spec.h"

namespace apollo {
namespace {

using ::testing::HasSubstr;

ModelConfig Config() {
  ModelConfig config;
  config.num_layers = 5;
  config.boundary = 3;
  config.num_experts = 7;
  config.experts_per_token = 2;
  return config;
}

TEST(ExpertCountersTest, EachCounterIsPublishedOnce) {
  ExpectWholeTable(kExpertMetrics);
}

TEST(ExpertCountersTest, RoutingIsPublishedByLanguageLayerAndExpert) {
  const LanguageLabels labels(FamilyTable::Paper());
  ExpertCounters counters(Config(), labels);
  const CounterCollector collector(counters, kExpertMetrics);
  const auto text = [&collector] {
    return prometheus::TextSerializer().Serialize(collector.Collect());
  };
  EXPECT_EQ(text().find("language="), std::string::npos);
  const int de = labels.Index("de"), other = labels.Index("patient text");
  counters.expert_tokens.Use({de, 0})[4] += 4;
  counters.expert_tokens.Use({de, 1})[6] += 3;
  counters.family_tokens.Use({de, 1})[0] += 2;
  counters.off_family_tokens.Use({de, 1})[0] += 1;
  counters.family_tokens.Use({other, 0});
  for (const char* line :
       {"apollo_expert_resident_layers{expert=\"6\"} 0\n",
        "apollo_expert_tokens_total{expert=\"4\",language=\"de\",layer=\"3\"} "
        "4\n",
        "apollo_expert_tokens_total{expert=\"5\",language=\"de\",layer=\"3\"} "
        "0\n",
        "apollo_expert_tokens_total{expert=\"6\",language=\"de\",layer=\"4\"} "
        "3\n",
        "apollo_family_tokens_total{language=\"de\",layer=\"4\"} 2\n",
        "apollo_off_family_tokens_total{language=\"de\",layer=\"4\"} 1\n",
        "apollo_family_tokens_total{language=\"und\",layer=\"3\"} 0\n"}) {
    EXPECT_THAT(text(), HasSubstr(line));
  }
  EXPECT_EQ(text().find("patient"), std::string::npos);
  const std::string all = text();
  // 24 numbers, 31 names with help and type, 7 resident experts, 2 x 7 of
  // experts, 3 of families, and 3 histograms.
  const std::int64_t histograms =
      SamplesOf(kPauseSeconds) + SamplesOf(kStepSeconds) + SamplesOf(kRows);
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'),
            24 + 62 + 7 + 14 + 3 + histograms);
}

}  // namespace
}  // namespace apollo
