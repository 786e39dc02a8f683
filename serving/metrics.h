#pragma once

#include <absl/time/time.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>

namespace apollo {

// The metrics that every process publishes about requests, under the names that
// dashboards for inference servers expect, with the prefix "apollo_":
//
//   requests_total{method,code}            finished requests, by gRPC code
//   num_requests_running                   requests in progress
//   prompt_tokens_total                    prompt tokens of accepted requests
//   generation_tokens_total                tokens generated
//   time_to_first_token_seconds            from arrival
//   inter_token_latency_seconds            between tokens of one request
//   e2e_request_latency_seconds{method}    from arrival to the end
//   requests_resumed_total                 accepted requests that continue
//                                          answers begun elsewhere
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
    // Counts a token generated at `now`.
    void Token(absl::Duration now);
    // Counts the request as finished; later calls have no effect. `code` is the
    // name of a canonical code.
    void End(const std::string& code, absl::Duration now);

   private:
    RequestMetrics& metrics_;
    const char* const method_;
    const absl::Duration start_;
    absl::Duration last_;
    bool any_token_ = false;
    bool ended_ = false;
  };

 private:
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Gauge& running_;
  prometheus::Counter& prompt_tokens_;
  prometheus::Counter& generation_tokens_;
  prometheus::Counter& resumed_;
  prometheus::Histogram& first_token_;
  prometheus::Histogram& inter_token_;
  prometheus::Family<prometheus::Histogram>& end_to_end_;
};

}  // namespace apollo
