#include "tracing/stages.h"

#include <utility>

namespace apollo {
namespace {

void TakeStage(const char* name, const Span& whole, absl::Duration begun,
               absl::Duration ended, Tracer& tracer) {
  Span stage = MakeSpan(name, SpanKind::kInternal, BeginSpan(whole.context),
                        whole.context, begun);
  stage.ended = ended;
  tracer.Take(std::move(stage));
}

}  // namespace

void TakeStages(const Span& whole, const StageTimes& times, Tracer& tracer) {
  const absl::Duration started = times.started.value_or(whole.ended);
  TakeStage("queue", whole, whole.begun, started, tracer);
  if (!times.started) return;
  const absl::Duration first = times.first_token.value_or(whole.ended);
  TakeStage("prefill", whole, started, first, tracer);
  if (!times.first_token) return;
  TakeStage("decode", whole, first, whole.ended, tracer);
}

}  // namespace apollo
