#include "serving/metrics.h"

#include <string_view>

namespace apollo {
namespace {

consteval const MetricSpec& Spec(std::string_view name) {
  return SpecOf(kRequestMetrics, name);
}

prometheus::Counter* Success(prometheus::Registry& registry,
                             const char* reason) {
  return &AddCounter(registry, Spec("apollo_request_success_total"),
                     {{"finished_reason", reason}});
}

}  // namespace

RequestMetrics::RequestMetrics(prometheus::Registry& registry)
    : requests_(CounterFamily(registry, Spec("apollo_requests_total"))),
      running_(AddGauge(registry, Spec("apollo_num_requests_running"))),
      prompt_tokens_(AddCounter(registry, Spec("apollo_prompt_tokens_total"))),
      generation_tokens_(
          AddCounter(registry, Spec("apollo_generation_tokens_total"))),
      resumed_(AddCounter(registry, Spec("apollo_requests_resumed_total"))),
      success_({Success(registry, "eos"), Success(registry, "stop"),
                Success(registry, "length")}),
      first_token_(
          AddHistogram(registry, Spec("apollo_time_to_first_token_seconds"))),
      inter_token_(
          AddHistogram(registry, Spec("apollo_inter_token_latency_seconds"))),
      queue_(AddHistogram(registry, Spec("apollo_request_queue_time_seconds"))),
      prefill_(
          AddHistogram(registry, Spec("apollo_request_prefill_time_seconds"))),
      decode_(
          AddHistogram(registry, Spec("apollo_request_decode_time_seconds"))),
      end_to_end_(HistogramFamily(
          registry, Spec("apollo_e2e_request_latency_seconds"))) {}

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

void RequestMetrics::Request::Started(absl::Duration now) {
  if (started_) return;
  started_ = now;
  metrics_.queue_.Observe(absl::ToDoubleSeconds(now - start_));
}

void RequestMetrics::Request::Completed(FinishedReason reason) {
  metrics_.success_[static_cast<std::size_t>(reason)]->Increment();
}

void RequestMetrics::Request::Token(absl::Duration now) {
  metrics_.generation_tokens_.Increment();
  if (first_token_at_) {
    metrics_.inter_token_.Observe(absl::ToDoubleSeconds(now - last_));
  } else {
    first_token_at_ = now;
    metrics_.first_token_.Observe(absl::ToDoubleSeconds(now - start_));
    if (started_) {
      metrics_.prefill_.Observe(absl::ToDoubleSeconds(now - *started_));
    }
  }
  last_ = now;
}

void RequestMetrics::Request::End(const std::string& code, absl::Duration now) {
  if (ended_) return;
  ended_ = true;
  if (first_token_at_ && code == "OK") {
    metrics_.decode_.Observe(absl::ToDoubleSeconds(last_ - *first_token_at_));
  }
  metrics_.requests_.Add({{"method", method_}, {"code", code}}).Increment();
  AddSeries(metrics_.end_to_end_, Spec("apollo_e2e_request_latency_seconds"),
            {{"method", method_}})
      .Observe(absl::ToDoubleSeconds(now - start_));
}

}  // namespace apollo
