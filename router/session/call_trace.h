#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "router/audit/audit_entry.h"
#include "tracing/span.h"
#include "tracing/tracer.h"

namespace apollo {

// The span of one call of a client, from its arrival to its end: the first one
// of the cluster in the trace. Its attributes are sizes, names of the model and
// of workers, and the language; names are those of OpenTelemetry's conventions
// (rpc.*, gen_ai.*) where they have one. Single-threaded.
class CallTrace {
 public:
  // Returns null if the call is not traced: if `tracer` is null, or the trace
  // is not sampled. `parent` is the client's span, if it has told one. The
  // tracer must outlive the object.
  static std::unique_ptr<CallTrace> Begin(
      Tracer* tracer, const std::optional<TraceContext>& parent,
      absl::Duration arrived);

  const TraceContext& context() const { return span_.context; }

  // These two note only the first event of the call.
  void Started(absl::Duration now);
  void Token(absl::Duration now);

  // What the end of a call tells.
  struct Facts {
    const AuditEntry& entry;
    std::string model;  // Its name.
    bool is_chat = false;
    int sequences = 0;
    absl::StatusCode code = absl::StatusCode::kOk;
  };
  // Gives the span to the tracer. Must be the last call.
  void End(const Facts& facts, absl::Duration now);

 private:
  CallTrace(Tracer& tracer, Span span)
      : tracer_(tracer), span_(std::move(span)) {}

  Tracer& tracer_;
  Span span_;
  bool started_ = false;
  bool any_token_ = false;
};

}  // namespace apollo
