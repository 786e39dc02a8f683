#pragma once

#include <absl/time/time.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <memory>
#include <string>

#include "tracing/tracer.h"

namespace apollo {

// A tracer that sends spans to a collector by OTLP over gRPC, with
// OpenTelemetry's SDK: in batches, from a thread of the SDK, every few seconds
// or once half of what may wait does. Spans that cannot be sent are dropped,
// counted, and logged once until sending works again. Publishes
// apollo_trace_spans_total. Thread-safe.
class OtlpTracer final : public Tracer {
 public:
  struct Options {
    std::string endpoint;  // host:port
    // Certificates of the authorities that sign the collector's, in PEM form.
    // Empty: plaintext.
    std::string authorities = {};
    double sample = 1;
    // The program and the process, as attributes of its spans.
    std::string service;
    std::string process;
    // Spans that may wait to be sent. Further ones are dropped.
    std::int64_t most_waiting = 4096;
    absl::Duration period = absl::Seconds(2);
    absl::Duration timeout = absl::Seconds(3);  // Of one call.
  };

  explicit OtlpTracer(Options options);
  // Sends what waits. Takes at most about twice the time-out.
  ~OtlpTracer() override;

  void Start() override;
  void Take(Span span) override;

  // Returns once what waits has been sent or has failed. For tests.
  void Flush();

  const std::shared_ptr<prometheus::Registry>& metrics() const {
    return registry_;
  }

 private:
  struct Sender;  // Hides the SDK.

  const Options options_;
  const std::shared_ptr<prometheus::Registry> registry_ =
      std::make_shared<prometheus::Registry>();
  const std::unique_ptr<Sender> sender_;
};

}  // namespace apollo
