#pragma once

#include <absl/time/time.h>

#include <optional>

#include "tracing/span.h"
#include "tracing/tracer.h"

namespace apollo {

// The limits of the stages of an answer. Those that did not come are unset.
struct StageTimes {
  std::optional<absl::Duration> started;      // The sequence left the queue.
  std::optional<absl::Duration> first_token;  // The prompt is computed.
};

// Gives the tracer the stages of `whole`, which has ended, as its children:
// "queue", "prefill" and "decode". The one in which it ended is the last.
void TakeStages(const Span& whole, const StageTimes& times, Tracer& tracer);

}  // namespace apollo
