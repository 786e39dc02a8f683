#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "tracing/tracer.h"

namespace apollo {

// A tracer that keeps its spans, for tests. Thread-safe.
class RecordingTracer final : public Tracer {
 public:
  using Tracer::Tracer;

  void Take(Span span) override {
    MutexLock lock(mutex_);
    spans_.push_back(std::move(span));
  }

  // Returns the spans in the order in which they ended.
  std::vector<Span> spans() {
    MutexLock lock(mutex_);
    return spans_;
  }

 private:
  Mutex mutex_;
  std::vector<Span> spans_ ABSL_GUARDED_BY(mutex_);
};

// Returns the first span of that name, or null. `spans` must outlive it.
inline const Span* FindSpan(const std::vector<Span>& spans,
                            std::string_view name) {
  for (const Span& span : spans) {
    if (span.name == name) return &span;
  }
  return nullptr;
}

// Returns the attribute of that name, or null. `span` must outlive it.
inline const SpanAttribute* FindAttribute(const Span& span,
                                          std::string_view name) {
  for (const SpanAttribute& attribute : span.attributes) {
    if (attribute.name == name) return &attribute;
  }
  return nullptr;
}

}  // namespace apollo
