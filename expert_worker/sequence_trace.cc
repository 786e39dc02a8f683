#include "expert_worker/sequence_trace.h"

#include <algorithm>

namespace apollo {

std::unique_ptr<SequenceTrace> SequenceTrace::Begin(
    Tracer* tracer, const std::optional<TraceContext>& dense,
    absl::Duration opened) {
  if (tracer == nullptr || !dense || !dense->sampled) return nullptr;
  return std::unique_ptr<SequenceTrace>(
      new SequenceTrace(*tracer, MakeSpan("sequence", SpanKind::kServer,
                                          BeginSpan(dense), dense, opened)));
}

void SequenceTrace::Computed(absl::Duration begun, absl::Duration now) {
  if (batches_++ == 0) span_.events.push_back({"first_rows_computed", now});
  computing_ += now - begun;
}

void SequenceTrace::Came(absl::Duration sent, absl::Duration now) {
  ++expert_waits_;
  // Several experts of a layer are waited for at the same time.
  const absl::Duration begun = std::max(sent, waited_until_);
  if (now > begun) waiting_ += now - begun;
  waited_until_ = now;
}

void SequenceTrace::End(const Facts& facts, absl::Duration now) {
  span_.ended = now;
  span_.code = facts.code;
  span_.attributes = {
      {"apollo.request_id", facts.request_id},
      {"apollo.code", absl::StatusCodeToString(facts.code)},
      {"apollo.attempt", static_cast<std::int64_t>(facts.attempt)},
      {"apollo.positions", facts.positions},
      {"apollo.batches", batches_},
      {"apollo.batch_seconds", absl::ToDoubleSeconds(computing_)},
      {"apollo.expert_rows.waits", expert_waits_},
      {"apollo.expert_rows.wait_seconds", absl::ToDoubleSeconds(waiting_)}};
  tracer_.Take(std::move(span_));
}

}  // namespace apollo
