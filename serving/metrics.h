#pragma once

#include <absl/time/time.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "serving/buckets.h"
#include "serving/metric_spec.h"

namespace apollo {

// The number of methods of all services: those of the public API.
inline constexpr int kMethods = 8;
inline constexpr int kCodes = 17;  // Canonical codes of gRPC.

// The metrics that every process publishes about requests, under the names that
// dashboards for inference servers expect, with the prefix "apollo_".
inline constexpr MetricSpec kRequestMetrics[] = {
    {"apollo_requests_total", MetricKind::kCounter,
     "Finished requests, by method and gRPC code.", "method,code",
     kMethods* kCodes},
    {"apollo_num_requests_running", MetricKind::kGauge,
     "Requests in progress."},
    {"apollo_prompt_tokens_total", MetricKind::kCounter,
     "Prompt tokens of accepted requests."},
    {"apollo_generation_tokens_total", MetricKind::kCounter,
     "Tokens generated."},
    {"apollo_requests_resumed_total", MetricKind::kCounter,
     "Accepted requests that continue answers."},
    {"apollo_request_success_total", MetricKind::kCounter,
     "Complete answers, by the reason of their end.", "finished_reason", 3},
    {"apollo_time_to_first_token_seconds", MetricKind::kHistogram,
     "Time from a request's arrival to its first token.", "", 1,
     kRequestSeconds},
    {"apollo_inter_token_latency_seconds", MetricKind::kHistogram,
     "Time between two tokens of one request.", "", 1, kRequestSeconds},
    {"apollo_request_queue_time_seconds", MetricKind::kHistogram,
     "Time from a request's arrival until its first sequence has started.", "",
     1, kRequestSeconds},
    {"apollo_request_prefill_time_seconds", MetricKind::kHistogram,
     "Time from the start of a request's first sequence to its first token.",
     "", 1, kRequestSeconds},
    {"apollo_request_decode_time_seconds", MetricKind::kHistogram,
     "Time from the first token to the last one, of requests that ended with "
     "OK.",
     "", 1, kRequestSeconds},
    {"apollo_e2e_request_latency_seconds", MetricKind::kHistogram,
     "Time from a request's arrival to its end, by method.", "method", kMethods,
     kRequestSeconds},
};

// The reasons for which an answer is complete; values of the label
// `finished_reason`.
enum class FinishedReason {
  kEos,     // "eos": the model ended it.
  kStop,    // "stop": it contains a stop string or a stop token.
  kLength,  // "length": it has the most tokens that were allowed.
};

// Counts requests in kRequestMetrics.
//
// Thread-safe. Labels come from fixed sets, never from a request's content.
class RequestMetrics {
 public:
  // Registers the metrics; the registry must outlive them.
  explicit RequestMetrics(prometheus::Registry& registry);

  // Counts one request, which is in progress until this object is destroyed.
  // Used by one thread at a time.
  class Request {
   public:
    // `now` is the time of arrival.
    Request(RequestMetrics& metrics, const char* method, absl::Duration now);
    // Counts the request as finished with code "CANCELLED" unless End was
    // called.
    ~Request();
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

    // Adds prompt tokens.
    void PromptTokens(int count);
    // Counts the request as one that continues an answer.
    void Resumed();
    // Notes that the first sequence has started; later calls have no effect.
    void Started(absl::Duration now);
    // Counts an answer that is complete.
    void Completed(FinishedReason reason);
    // Counts a token generated at `now`.
    void Token(absl::Duration now);
    // Counts the request as finished; later calls have no effect. `code` is the
    // name of a canonical code.
    void End(const std::string& code, absl::Duration now);

   private:
    RequestMetrics& metrics_;
    const char* const method_;
    const absl::Duration start_;
    absl::Duration last_;  // The arrival or the last token.
    std::optional<absl::Duration> started_, first_token_at_;
    bool ended_ = false;
  };

  // Returns the tokens counted so far, of all requests.
  std::int64_t generated_tokens() const {
    return static_cast<std::int64_t>(generation_tokens_.Value());
  }

 private:
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Gauge& running_;
  prometheus::Counter& prompt_tokens_;
  prometheus::Counter& generation_tokens_;
  prometheus::Counter& resumed_;
  // By FinishedReason.
  const std::array<prometheus::Counter*, 3> success_;
  prometheus::Histogram& first_token_;
  prometheus::Histogram& inter_token_;
  prometheus::Histogram& queue_;
  prometheus::Histogram& prefill_;
  prometheus::Histogram& decode_;
  prometheus::Family<prometheus::Histogram>& end_to_end_;
};

}  // namespace apollo
