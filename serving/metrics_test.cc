#include "serving/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <string>

namespace apollo {
namespace {

using ::testing::HasSubstr;

std::string Text(const prometheus::Registry& registry) {
  return prometheus::TextSerializer().Serialize(registry.Collect());
}

TEST(RequestMetricsTest, FollowsOneRequest) {
  prometheus::Registry registry;
  RequestMetrics metrics(registry);
  {
    RequestMetrics::Request request(metrics, "Generate", absl::Seconds(100));
    request.PromptTokens(12);
    EXPECT_THAT(Text(registry), HasSubstr("apollo_num_requests_running 1"));
    request.Token(absl::Seconds(102));
    request.Token(absl::Seconds(102.5));
    request.Token(absl::Seconds(103));
    request.End("OK", absl::Seconds(104));
    request.End("INTERNAL", absl::Seconds(105));  // Only the first counts.
  }
  const std::string text = Text(registry);
  EXPECT_THAT(text, HasSubstr("apollo_num_requests_running 0"));
  EXPECT_THAT(text, HasSubstr("apollo_prompt_tokens_total 12"));
  EXPECT_THAT(text, HasSubstr("apollo_generation_tokens_total 3"));
  EXPECT_THAT(text, HasSubstr("apollo_time_to_first_token_seconds_sum 2\n"));
  EXPECT_THAT(text, HasSubstr("apollo_inter_token_latency_seconds_sum 1\n"));
  EXPECT_THAT(text, HasSubstr("apollo_inter_token_latency_seconds_count 2\n"));
  EXPECT_THAT(text, HasSubstr("apollo_e2e_request_latency_seconds_sum{method="
                              "\"Generate\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("code=\"OK\""));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("INTERNAL")));
}

TEST(RequestMetricsTest, TheTimeOfARequestIsThatOfItsParts) {
  prometheus::Registry registry;
  RequestMetrics metrics(registry);
  RequestMetrics::Request request(metrics, "Generate", absl::Seconds(100));
  request.Started(absl::Seconds(101));
  request.Started(absl::Seconds(102));  // Another sequence.
  request.Token(absl::Seconds(104));
  request.Token(absl::Seconds(108));
  request.Completed(FinishedReason::kStop);
  request.End("OK", absl::Seconds(109));
  const std::string text = Text(registry);
  EXPECT_THAT(text, HasSubstr("apollo_request_queue_time_seconds_sum 1\n"));
  EXPECT_THAT(text, HasSubstr("apollo_request_queue_time_seconds_count 1\n"));
  EXPECT_THAT(text, HasSubstr("apollo_request_prefill_time_seconds_sum 3\n"));
  EXPECT_THAT(text, HasSubstr("apollo_request_decode_time_seconds_sum 4\n"));
  EXPECT_THAT(text, HasSubstr("apollo_time_to_first_token_seconds_sum 4\n"));
  EXPECT_THAT(text, HasSubstr("{finished_reason=\"stop\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("{finished_reason=\"eos\"} 0\n"));
}

TEST(RequestMetricsTest, AFailedRequestHasNoTimeOfDecoding) {
  prometheus::Registry registry;
  RequestMetrics metrics(registry);
  RequestMetrics::Request request(metrics, "Generate", absl::Seconds(1));
  request.Token(absl::Seconds(2));
  request.End("UNAVAILABLE", absl::Seconds(3));
  const std::string text = Text(registry);
  EXPECT_THAT(text, HasSubstr("apollo_request_decode_time_seconds_count 0\n"));
  EXPECT_THAT(text, HasSubstr("apollo_request_prefill_time_seconds_count 0\n"));
}

TEST(RequestMetricsTest, ARequestThatIsDroppedCountsAsCancelled) {
  prometheus::Registry registry;
  RequestMetrics metrics(registry);
  { RequestMetrics::Request request(metrics, "Score", absl::Seconds(1)); }
  const std::string text = Text(registry);
  EXPECT_THAT(text, HasSubstr("code=\"CANCELLED\""));
  EXPECT_THAT(text, HasSubstr("apollo_num_requests_running 0"));
}

TEST(RequestMetricsTest, MethodsHaveLatenciesOfTheirOwn) {
  prometheus::Registry registry;
  RequestMetrics metrics(registry);
  RequestMetrics::Request slow(metrics, "Generate", absl::Seconds(1));
  slow.End("OK", absl::Seconds(9));
  RequestMetrics::Request fast(metrics, "Tokenize", absl::Seconds(1));
  fast.End("OK", absl::Seconds(2));
  const std::string text = Text(registry);
  EXPECT_THAT(text, HasSubstr("latency_seconds_sum{method=\"Generate\"} 8\n"));
  EXPECT_THAT(text, HasSubstr("latency_seconds_sum{method=\"Tokenize\"} 1\n"));
}

}  // namespace
}  // namespace apollo
