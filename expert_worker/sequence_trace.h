#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "tracing/span.h"
#include "tracing/tracer.h"

namespace apollo {

// The span of one attempt of a sequence at an expert worker, below that of its
// dense worker: from its first rows to its end, most of which it waits for the
// next rows. The work itself is in attributes. Single-threaded.
class SequenceTrace {
 public:
  // Returns null if the sequence is not traced: if `tracer` is null, or the
  // dense worker has told no span, or one that is not sampled. The tracer must
  // outlive the object.
  static std::unique_ptr<SequenceTrace> Begin(
      Tracer* tracer, const std::optional<TraceContext>& dense,
      absl::Duration opened);

  // Notes that a batch with rows of the sequence has gone through the layers.
  void Computed(absl::Duration begun, absl::Duration now);
  // Notes that the outputs of an expert came that were missing since `sent`:
  // from a peer, or because the expert was not in memory.
  void Came(absl::Duration sent, absl::Duration now);

  // What the end of an attempt tells.
  struct Facts {
    std::string request_id;
    std::uint32_t attempt = 0;
    int positions = 0;  // Computed.
    absl::StatusCode code = absl::StatusCode::kOk;
  };
  // Gives the span to the tracer. Must be the last call.
  void End(const Facts& facts, absl::Duration now);

 private:
  SequenceTrace(Tracer& tracer, Span span)
      : tracer_(tracer), span_(std::move(span)) {}

  Tracer& tracer_;
  Span span_;
  int batches_ = 0;
  absl::Duration computing_;
  int expert_waits_ = 0;
  absl::Duration waiting_;
  absl::Duration waited_until_ = -absl::InfiniteDuration();
};

}  // namespace apollo
