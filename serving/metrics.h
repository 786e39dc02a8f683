#pragma once

#include <absl/time/time.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>

namespace apollo {

// The numbers that every process publishes about requests, under the names that
// dashboards for inference servers expect, with the prefix "apollo_":
//
//   requests_total{method,code}            requests that ended, by gRPC code
//   num_requests_running                   requests in progress
//   prompt_tokens_total                    tokens read
//   generation_tokens_total                tokens written
//   time_to_first_token_seconds            from arrival
//   inter_token_latency_seconds            between tokens of one request
//   e2e_request_latency_seconds            from arrival to the end
//
// Thread-safe. Labels come from fixed sets, never from a request's content.
class RequestMetrics {
 public:
  // Registers them; the registry must outlive this.
  explicit RequestMetrics(prometheus::Registry& registry);

  // One request as it goes by; it runs until this is destroyed. Used by one
  // thread at a time.
  class Request {
   public:
    // `now` is the time of arrival.
    Request(RequestMetrics& metrics, const char* method, absl::Duration now);
    // Counts the request as ended with code "CANCELLED" unless End was called.
    ~Request();
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

    void PromptTokens(int count);
    void Token(absl::Duration now);
    // Once. `code` is the name of a canonical code.
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
  prometheus::Histogram& first_token_;
  prometheus::Histogram& inter_token_;
  prometheus::Histogram& end_to_end_;
};

}  // namespace apollo
