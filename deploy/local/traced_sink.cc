#include "deploy/local/traced_sink.h"

#include <utility>

namespace apollo {

std::shared_ptr<GenerationSink> TracedSink::Wrap(
    Tracer* tracer, const Clock& clock, GenerationRequest& request,
    std::shared_ptr<GenerationSink> sink) {
  std::unique_ptr<RunTrace> trace =
      RunTrace::Begin(tracer, request.trace, clock.Now());
  if (trace == nullptr) return sink;
  request.trace = trace->context();
  return std::shared_ptr<GenerationSink>(
      new TracedSink(std::move(trace), clock, request, std::move(sink)));
}

TracedSink::TracedSink(std::unique_ptr<RunTrace> trace, const Clock& clock,
                       const GenerationRequest& request,
                       std::shared_ptr<GenerationSink> sink)
    : trace_(std::move(trace)), clock_(clock), sink_(std::move(sink)) {
  facts_.request_id = request.request_id;
  facts_.prompt_tokens = PromptTokens(request);
}

void TracedSink::OnStarted(const GenerationStarted& started) {
  trace_->Started(started, clock_.Now());
  sink_->OnStarted(started);
}

void TracedSink::OnPrompt(const PromptLogprobs& prompt) {
  sink_->OnPrompt(prompt);
}

void TracedSink::OnToken(const GeneratedToken& token) {
  trace_->Token(clock_.Now());
  ++facts_.tokens;
  sink_->OnToken(token);
}

void TracedSink::OnMoved(const SequenceMove& move) {
  trace_->Moved(move);
  sink_->OnMoved(move);
}

void TracedSink::OnFinished(absl::StatusOr<GenerationFinished> finished) {
  facts_.code = finished.status().code();
  trace_->End(facts_, clock_.Now());
  sink_->OnFinished(std::move(finished));
}

}  // namespace apollo
