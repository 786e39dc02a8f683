#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "sequence/generation.h"
#include "tracing/span.h"
#include "tracing/stages.h"
#include "tracing/tracer.h"

namespace apollo {

// The spans of one call of Run: its own, below that of the router, and below it
// the stages of the answer and the moves of the sequence. Single-threaded.
class RunTrace {
 public:
  // Returns null if the call is not traced: if `tracer` is null, or the router
  // has told no span, or one that is not sampled. The tracer must outlive the
  // object.
  static std::unique_ptr<RunTrace> Begin(
      Tracer* tracer, const std::optional<TraceContext>& router,
      absl::Duration arrived);

  const TraceContext& context() const { return span_.context; }

  // These note the first event of their kind only.
  void Started(const GenerationStarted& started, absl::Duration now);
  void Token(absl::Duration now);

  void Moved(const SequenceMove& move);

  // What the end of a call tells.
  struct Facts {
    std::string request_id;
    int prompt_tokens = 0;
    std::int64_t tokens = 0;  // Sent.
    absl::StatusCode code = absl::StatusCode::kOk;
  };
  // Gives all spans to the tracer. Must be the last call.
  void End(const Facts& facts, absl::Duration now);

 private:
  RunTrace(Tracer& tracer, Span span)
      : tracer_(tracer), span_(std::move(span)) {}

  Tracer& tracer_;
  Span span_;
  StageTimes times_;
  std::string expert_worker_;  // The first one.
  int cached_tokens_ = 0;
};

}  // namespace apollo
