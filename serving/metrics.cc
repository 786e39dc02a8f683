#include "serving/metrics.h"

#include <vector>

#include "serving/single_metrics.h"

namespace apollo {
namespace {

// Returns bucket bounds in seconds, from a token on a fast machine to a long
// answer on a slow one.
const prometheus::Histogram::BucketBoundaries& Seconds() {
  static const prometheus::Histogram::BucketBoundaries bounds = {
      0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1,  0.15,
      0.25,  0.5,    1.0,   2.5,  5.0,  10.0, 20.0, 40.0,  80.0, 160.0};
  return bounds;
}

prometheus::Histogram& AddHistogram(prometheus::Registry& registry,
                                    const char* name, const char* help) {
  return prometheus::BuildHistogram()
      .Name(name)
      .Help(help)
      .Register(registry)
      .Add({}, Seconds());
}

}  // namespace

RequestMetrics::RequestMetrics(prometheus::Registry& registry)
    : requests_(prometheus::BuildCounter()
                    .Name("apollo_requests_total")
                    .Help("Finished requests, by method and gRPC code.")
                    .Register(registry)),
      running_(AddGauge(registry, "apollo_num_requests_running",
                        "Requests in progress.")),
      prompt_tokens_(AddCounter(registry, "apollo_prompt_tokens_total",
                                "Prompt tokens of accepted requests.")),
      generation_tokens_(AddCounter(registry, "apollo_generation_tokens_total",
                                    "Tokens generated.")),
      resumed_(AddCounter(registry, "apollo_requests_resumed_total",
                          "Accepted requests that continue answers.")),
      first_token_(
          AddHistogram(registry, "apollo_time_to_first_token_seconds",
                       "Time from a request's arrival to its first token.")),
      inter_token_(AddHistogram(registry, "apollo_inter_token_latency_seconds",
                                "Time between two tokens of one request.")),
      end_to_end_(prometheus::BuildHistogram()
                      .Name("apollo_e2e_request_latency_seconds")
                      .Help("Time from a request's arrival to its end, by "
                            "method.")
                      .Register(registry)) {}

RequestMetrics::Request::Request(RequestMetrics& metrics, const char* method,
                                 absl::Duration now)
    : metrics_(metrics), method_(method), start_(now), last_(now) {
  metrics_.running_.Increment();
}

RequestMetrics::Request::~Request() {
  if (!ended_) End("CANCELLED", last_);
  // Last: once the gauge has dropped, the request is counted as finished.
  metrics_.running_.Decrement();
}

void RequestMetrics::Request::PromptTokens(int count) {
  metrics_.prompt_tokens_.Increment(count);
}

void RequestMetrics::Request::Resumed() { metrics_.resumed_.Increment(); }

void RequestMetrics::Request::Token(absl::Duration now) {
  metrics_.generation_tokens_.Increment();
  (any_token_ ? metrics_.inter_token_ : metrics_.first_token_)
      .Observe(absl::ToDoubleSeconds(now - last_));
  any_token_ = true;
  last_ = now;
}

void RequestMetrics::Request::End(const std::string& code, absl::Duration now) {
  if (ended_) return;
  ended_ = true;
  metrics_.requests_.Add({{"method", method_}, {"code", code}}).Increment();
  metrics_.end_to_end_.Add({{"method", method_}}, Seconds())
      .Observe(absl::ToDoubleSeconds(now - start_));
}

}  // namespace apollo
