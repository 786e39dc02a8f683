#pragma once

#include "tracing/span.h"

namespace apollo {

// Takes the spans of a process. A process that does not trace has none: then
// whoever could make spans has a null pointer, and makes and reads nothing.
// Thread-safe.
class Tracer {
 public:
  // `sample`: the share of requests without a `traceparent` that are traced,
  // from 0 to 1. Others are traced if their callers trace them.
  explicit Tracer(double sample = 1) : sample_(sample) {}
  virtual ~Tracer() = default;

  double sample() const { return sample_; }

  // Begins to send spans, which may start threads. Until then, spans are
  // dropped. Called at most once.
  virtual void Start() {}

  // Takes a span that has ended and whose context is sampled. Never blocks, and
  // drops the span if too many wait to be sent.
  virtual void Take(Span span) = 0;

 private:
  const double sample_;
};

}  // namespace apollo
